//! One client after the other: each connects, asks for everything, reads the answer and is gone.

use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use upkeep_api::{Handle, Mailbox, ProcessInfo, Reply, mailbox};
use upkeep_http::{Connected, Limits, Listener, LogNews, Rules, Server, serve};

use crate::codec::info;
use crate::{Row, Work};

pub(crate) const ROWS: &[Row] = &[Row { name: "http/all/19", prepare: || everything(19) }];

/// As the client of the benchmark asks.
const BODY: &str = "<?xml version='1.0'?><methodCall><methodName>supervisor.getAllProcessInfo</methodName>\
                    <params></params></methodCall>";

/// From a client's connection to its end, but for what the kernel does. The answer is made already, as it is for all but the first
/// who asks in a second.
fn everything(processes: u32) -> Work {
    let infos: Vec<ProcessInfo> = (0..processes).map(info).collect();
    let folder = Folder::new();
    let path = folder.0.join("socket");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let (handle, calls) = mailbox(1);
    let (stop, stopped) = watch::channel(false);
    let server = runtime.block_on(async {
        let listener = UnixListener::bind(&path).expect("a socket");
        Server {
            section: "unix_http_server".to_owned(),
            listener: Listener::unix(listener).expect("a listener"),
            rules: watch::channel(rules()).1,
            connected: Connected::default(),
            news: LogNews::default(),
        }
    });
    runtime.spawn(serve(server, handle.clone(), stopped));
    runtime.spawn(answer(calls, infos.clone()));
    let request = format!(
        "POST /RPC2 HTTP/1.0\r\nContent-Type: text/xml\r\nContent-Length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    let mut buffer = vec![0; 64 << 10];
    Box::new(move || {
        let _kept = (&folder, &stop);
        have_at_hand(&handle, &infos);
        let mut client = UnixStream::connect(&path).expect("a connection");
        client.set_nonblocking(true).expect("a socket of ours");
        client.write_all(request.as_bytes()).expect("room for it");
        let length = read(&runtime, &mut client, &mut buffer);
        assert!(buffer[..length].ends_with(b"</methodResponse>\n"), "an answer");
    })
}

fn rules() -> Rules {
    Rules { auth: None, namespaces: vec!["supervisor".to_owned()], limits: Limits::default() }
}

/// Answers who asks in the moment when a second ends.
async fn answer(mut calls: Mailbox, infos: Vec<ProcessInfo>) {
    while let Some(call) = calls.recv().await {
        // Whoever asked has no reason to go away before.
        let _ = call.reply.send(Ok(Reply::Processes(infos.iter().cloned().collect())));
    }
}

/// Puts the answer up, if it is no more the second of the one that is there.
fn have_at_hand(handle: &Handle, infos: &[ProcessInfo]) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let now = i64::try_from(now).expect("before the end of times");
    if handle.board().read(now).is_none() {
        handle.board().put(now, infos.iter().cloned().collect());
    }
}

/// Reads to the end while the server has its turns; returns how much that was.
fn read(runtime: &Runtime, client: &mut UnixStream, buffer: &mut [u8]) -> usize {
    runtime.block_on(async {
        let mut length = 0;
        loop {
            match client.read(&mut buffer[length..]) {
                Ok(0) => return length,
                Ok(count) => length += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => tokio::task::yield_now().await,
                Err(error) => panic!("the server is gone: {error}"),
            }
        }
    })
}

/// A folder that ends with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("upkeep-count-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
