//! A server that has run out of descriptors.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Resource, Rlimit, setrlimit};

use crate::client::{Address, Connection, call};
use crate::stub::Up;

/// Tells the test below that it is the server.
const ROLE: &str = "UPKEEP_HTTP_TEST_FEW_DESCRIPTORS";

const FEW: u64 = 32;

/// What the server says when it has run out of them.
const COMPLAINT: &str = "cannot accept connections: ";

/// The server runs in a process of its own, for the limit counts for a whole process.
#[test]
fn running_out_of_descriptors() {
    if std::env::var_os(ROLE).is_some() {
        return serve_with_few();
    }
    let (mut server, mut stdout, address) = start();
    let mut clients: Vec<Connection> = (0..2 * FEW).map(|_| address.connect()).collect();
    let mut stderr = BufReader::new(server.stderr.take().expect("it is piped"));
    let mut said = String::new();
    while !said.contains(COMPLAINT) {
        assert_ne!(stderr.read_line(&mut said).expect("text"), 0, "it does not run out of them: {said}");
    }
    clients[0].send(&call("supervisor.getPID", &[]));
    assert_eq!(clients[0].answer().status(), "200", "who is in is served");
    let mut last = clients.pop().expect("there are some");
    last.send(&call("supervisor.getPID", &[]));
    drop(clients);
    assert_eq!(last.answer().status(), "200", "who waited is let in");
    drop(server.stdin.take());
    stderr.read_to_string(&mut said).expect("text");
    assert_eq!(said.matches(COMPLAINT).count(), 1, "{said}");
    stdout.read_to_string(&mut said).expect("text");
    assert!(server.wait().expect("it ends").success());
}

fn start() -> (Child, BufReader<ChildStdout>, Address) {
    let mut server = Command::new(std::env::current_exe().expect("a path"))
        .args(["--exact", "descriptors::running_out_of_descriptors", "--nocapture"])
        .env(ROLE, "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("this test again");
    let mut stdout = BufReader::new(server.stdout.take().expect("it is piped"));
    let mut lines = stdout.by_ref().lines();
    let path = lines.find_map(|line| line.ok()?.split_once("listens: ").map(|(_, path)| path.to_owned()));
    let address = Address::unix(path.expect("it starts").as_ref());
    (server, stdout, address)
}

fn serve_with_few() {
    crate::journal::echo_errors();
    let up = Up::plain();
    // It has looked at the limit, which was higher then.
    assert_eq!(up.address.ask(&call("supervisor.getPID", &[])).status(), "200");
    let limit = Rlimit { current: Some(FEW), maximum: Some(FEW) };
    setrlimit(Resource::Nofile, limit).expect("less is allowed");
    let Address::Unix(path) = &up.address else { panic!("it is a socket file") };
    writeln!(std::io::stdout(), "listens: {}", path.display()).expect("somebody reads it");
    let mut rest = Vec::new();
    std::io::stdin().read_to_end(&mut rest).expect("the other test ends");
}
