//! Python's own client, and the original's, against us.

use std::process::Command;

use crate::client::Address;
use crate::reference::interpreter;
use crate::stub::{Setup, Up};

fn run(program: &str, argument: &str) -> String {
    let output = Command::new(interpreter()).args(["-c", program, argument]).output().expect("python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("text")
}

#[test]
fn xmlrpc_client_is_content() {
    const PROGRAM: &str = "import sys, xmlrpc.client as x
s = x.ServerProxy(sys.argv[1])
print(s.supervisor.getPID(), s.supervisor.getState()['statename'], len(s.system.listMethods()))
try: s.supervisor.getProcessInfo('中文')
except x.Fault as f: print(f.faultCode, f.faultString)
print(s.system.multicall([{'methodName': 'supervisor.getPID'}, {}]))";
    let up = Up::start(Setup { tcp: true, ..Setup::default() });
    let Address::Tcp(address) = &up.address else { panic!("it is TCP") };
    let shown = run(PROGRAM, &format!("http://{address}"));
    assert_eq!(
        shown,
        "7 RUNNING 41\n10 BAD_NAME: 中文\n\
         [7, {'faultCode': 2, 'faultString': 'INCORRECT_PARAMETERS: No methodName'}]\n"
    );
}

#[test]
fn the_originals_transport_is_content() {
    const PROGRAM: &str = "import sys, xmlrpc.client as x, supervisor.xmlrpc as sx
t = sx.SupervisorTransport('u', 'p', 'unix://' + sys.argv[1])
s = x.ServerProxy('http://127.0.0.1', transport=t)
print([s.supervisor.getPID() for _ in range(3)])";
    let auth = Some(upkeep_http::Auth::new("u".into(), "p".into()));
    let up = Up::start(Setup { auth, ..Setup::default() });
    let Address::Unix(path) = &up.address else { panic!("it is a socket file") };
    assert_eq!(run(PROGRAM, &path.display().to_string()), "[7, 7, 7]\n");
}
