"""Asks the update server once, and says what there is. Usage: updater.py PORT-OF-UPDATE-SERVER"""

import sys
import urllib.request

with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/version", timeout=5) as answer:
    print("newest version:", answer.read().decode().strip(), flush=True)
