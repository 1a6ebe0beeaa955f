// Calls `look` every two seconds while the page is visible, one call at a time, and shows when the server is silent.

const INTERVAL = 2000;
const PATIENCE = 10000;

/** An address that can be fetched: those of a page opened as `http://user:password@host/` cannot. */
export function plain(address) {
  const url = new URL(address, location.href);
  url.username = "";
  url.password = "";
  return url;
}

/** Fetches text of this server; no answer in time, or another status than 200, is an error. */
export async function ask(address) {
  const answer = await fetch(plain(address), { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  return answer.text();
}

/** Parses a page of this server. */
export function parsed(html) {
  return new DOMParser().parseFromString(html, "text/html");
}

/** Looks again and again; what it returns looks at once. */
export function watch(look) {
  const offline = document.getElementById("offline");
  let timer;
  let current = null;

  async function once() {
    try {
      await look();
      offline.hidden = true;
    } catch {
      offline.hidden = false;
    }
  }

  function plan() {
    clearTimeout(timer);
    if (document.visibilityState === "visible") timer = setTimeout(now, INTERVAL);
  }

  async function now() {
    clearTimeout(timer);
    // What changed while an earlier look was under way may have escaped it.
    const earlier = current;
    current = (earlier ?? Promise.resolve()).then(once);
    const mine = current;
    await mine;
    if (current === mine) {
      current = null;
      plan();
    }
  }

  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") now();
    else clearTimeout(timer);
  });
  plan();
  return now;
}
