use std::io::Read;
use std::net::{TcpListener, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::sync::mpsc;
use std::time::SystemTime;

use super::*;
use crate::engine::Origin;
use crate::losses::Loss;

fn message(text: &str) -> Arc<Message> {
    let origin = Origin { group: "web".into(), process: "web".into(), is_stderr: false, pid: 1 };
    Arc::new(Message { at: SystemTime::now(), origin: Arc::new(origin), text: text.as_bytes().into() })
}

fn forwarders() -> (Forwarders, Losses, mpsc::Receiver<String>) {
    let (said, words) = mpsc::channel();
    let losses = Losses::new(|| ());
    (Forwarders::new(losses.clone(), move |text| drop(said.send(text))), losses, words)
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(20)
}

fn word(words: &mpsc::Receiver<String>) -> String {
    words.recv_timeout(Duration::from_secs(20)).unwrap()
}

#[test]
fn datagrams_have_a_line_each() {
    let server = UdpSocket::bind("127.0.0.1:0").unwrap();
    server.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let journal = UnixDatagram::bind(&path).unwrap();
    journal.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let (mut forwarders, _, _) = forwarders();
    let port = server.local_addr().unwrap().port();
    let udp = forwarders.to(&Destination::Udp { host: "127.0.0.1".into(), port });
    let journald = forwarders.to(&Destination::Journald { path });
    for forwarder in [&udp, &journald] {
        forwarder.send(&[message("one"), message(&"x".repeat(70_000)), message("two")]);
    }
    let mut buffer = vec![0; 100_000];
    for expected in ["one", "xxx", "two"] {
        let count = server.recv(&mut buffer).unwrap();
        assert!(count <= 8192 && buffer[..count].ends_with(expected.as_bytes()), "{count}");
        let count = journal.recv(&mut buffer).unwrap();
        assert!(buffer[..count].ends_with(format!("{expected}\n").as_bytes()));
    }
}

/// The text of the next message of a connection, without its header.
fn counted(stream: &mut impl Read) -> Option<String> {
    let mut length = 0;
    loop {
        let mut byte = [0];
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        match byte[0] {
            b' ' => break,
            digit => length = length * 10 + usize::from(digit - b'0'),
        }
    }
    let mut message = vec![0; length];
    stream.read_exact(&mut message).ok()?;
    let message = String::from_utf8(message).unwrap();
    Some(message.rsplit(" - ").next().unwrap().to_owned())
}

#[test]
fn a_connection_is_made_again_and_nothing_that_waits_is_lost() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    let (mut forwarders, losses, words) = forwarders();
    let destination = Destination::Tcp { host: "127.0.0.1".into(), port: address.port() };
    let tcp = forwarders.to(&destination);
    assert!(Arc::ptr_eq(&tcp, &forwarders.to(&destination)));
    tcp.send(&[message("one"), message("")]);
    let (mut stream, _) = server.accept().unwrap();
    assert_eq!([counted(&mut stream), counted(&mut stream)], [Some("one".into()), Some(String::new())]);
    drop((stream, server));
    tcp.send(&[message("two")]);
    assert!(word(&words).starts_with(&format!("cannot forward lines to tcp://{address}: ")));
    assert!(losses.all()[&PathBuf::from(format!("tcp://{address}"))].now);
    let server = TcpListener::bind(address).unwrap();
    let (mut stream, _) = server.accept().unwrap();
    assert_eq!(counted(&mut stream).as_deref(), Some("two"));
    assert_eq!(word(&words), format!("lines are forwarded to tcp://{address} again; 0 bytes were dropped"));
    tcp.send(&[message("three")]);
    drop(tcp);
    forwarders.finish(soon());
    assert_eq!(
        (counted(&mut stream).as_deref(), counted(&mut stream)),
        (Some("three"), None),
        "then it ends"
    );
}

/// What could not be sent is sent by whoever writes there next: a program that starts again, or one whose options are better now.
#[test]
fn what_waits_outlives_who_wrote_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let destination = Destination::Journald { path: path.clone() };
    let (mut forwarders, losses, words) = forwarders();
    let first = forwarders.to(&destination);
    first.send(&[message("one"), message("two")]);
    assert!(word(&words).starts_with("cannot forward lines to journald://"));
    drop(first);
    let second = forwarders.to(&destination);
    second.send(&[message("three")]);
    let journal = UnixDatagram::bind(&path).unwrap();
    journal.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    second.send(&[message("four")]);
    let mut found = Vec::new();
    while found.len() < 4 {
        let mut buffer = [0; 1000];
        let count = journal.recv(&mut buffer).unwrap();
        let text = String::from_utf8_lossy(&buffer[..count]).trim_end().to_owned();
        found.push(text[text.rfind(|c: char| !c.is_ascii_lowercase()).unwrap() + 1..].to_owned());
    }
    found.sort();
    assert_eq!(found, ["four", "one", "three", "two"]);
    assert!(word(&words).ends_with("again; 0 bytes were dropped"));
    assert!(losses.all().values().all(|loss| loss.bytes == 0 && !loss.now));
}

/// A build without TLS says so where it is asked for.
#[cfg(not(feature = "tls"))]
#[test]
fn without_tls_it_says_so() {
    let (mut forwarders, _, words) = forwarders();
    let destination = Destination::Tls { host: "127.0.0.1".into(), port: 1, tls: TlsRules::default() };
    forwarders.to(&destination).send(&[message("one")]);
    assert!(word(&words).contains("this build has no TLS: build one with `cargo build --release`"));
}

#[test]
fn what_nobody_takes_is_dropped_and_counted() {
    let (mut forwarders, losses, words) = forwarders();
    let path = PathBuf::from("/nonexistent/socket");
    let journald = forwarders.to(&Destination::Journald { path });
    let chunk: Vec<_> = (0..100).map(|_| message(&"x".repeat(1000))).collect();
    (0..20).for_each(|_| journald.send(&chunk));
    let said = [word(&words), word(&words)];
    assert!(said.iter().any(|text| text.starts_with("cannot forward lines")), "{said:?}");
    assert!(said.iter().any(|text| text.contains("are dropped: too many of them wait")), "{said:?}");
    let loss = &losses.all()[&PathBuf::from("journald:///nonexistent/socket")];
    assert!(loss.now && loss.bytes >= 950_000 && loss.bytes <= 1_100_000, "{loss:?}");
    let said = forwarders.finish(Instant::now());
    let all = losses.all()[&PathBuf::from("journald:///nonexistent/socket")].bytes;
    assert!(
        (1_900_000..=2_000_000).contains(&all),
        "all of it is counted, but for what is being sent: {all}"
    );
    let left = all - loss.bytes;
    let lines = left / 1000;
    let text = format!(
        "{lines} lines ({left} bytes) for journald:///nonexistent/socket are dropped: it has not taken them in time"
    );
    assert_eq!(said, [text]);
}

/// A program that forwarded its lines is gone, and they can be sent nowhere.
#[test]
fn what_is_given_up_is_told_and_counted() {
    let (said, words) = mpsc::channel();
    let losses = Losses::new(|| ());
    let queue =
        Queue::new("udp://nowhere:514".into(), losses.clone(), Arc::new(move |text| drop(said.send(text))));
    queue.push(&[message("one"), message("three")]);
    queue.fails(&io::Error::from(io::ErrorKind::NotFound));
    assert!(word(&words).starts_with("cannot forward lines"));
    queue.close();
    queue.give_up();
    assert_eq!(
        word(&words),
        "2 lines (8 bytes) for udp://nowhere:514 are dropped: nobody writes there any more, and it cannot be reached"
    );
    let expected = Loss { bytes: 8, reason: "entity not found".to_owned(), now: false };
    assert_eq!(losses.take_news(), [("udp://nowhere:514".into(), Some(expected))]);
    assert_eq!(queue.leave(), None, "not twice");
}
