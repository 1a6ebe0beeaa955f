//! Questions over the network.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::time::Duration;

use rustix::io::Errno;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Semaphore;
use upkeep_core::health::{Finding, endpoint};

use crate::tasks;

/// Longest first line of an answer.
const LONGEST_LINE: usize = 1024;
/// How much of an answer is read after that, so that nobody is told that his reader has gone.
const LONGEST_REST: usize = 64 << 10;
/// How long that may take.
const PATIENCE: Duration = Duration::from_millis(500);

/// Whether somebody accepts a connection.
pub(super) async fn tcp(host: &str, port: u16) -> Finding {
    match connect(host, port).await {
        Ok(_) => Finding::Good,
        Err(finding) => finding,
    }
}

/// Whether somebody answers a request with a status from 200 to 399.
pub(super) async fn http(host: &str, port: u16, path: &str) -> Finding {
    let mut stream = match connect(host, port).await {
        Ok(stream) => stream,
        Err(finding) => return finding,
    };
    let host = endpoint(host, port);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: upkeep-health\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    if let Err(error) = stream.write_all(request.as_bytes()).await {
        return broken(&host, &error);
    }
    let mut line = Vec::new();
    let finding = match first_line(&mut stream, &mut line).await {
        Ok(()) => judge(&line, &host),
        Err(error) => broken(&host, &error),
    };
    tasks::spawn(async move { drop(tokio::time::timeout(PATIENCE, read_rest(stream)).await) });
    finding
}

async fn first_line(stream: &mut TcpStream, line: &mut Vec<u8>) -> io::Result<()> {
    let mut bytes = [0; LONGEST_LINE];
    while line.len() < LONGEST_LINE && !line.contains(&b'\n') {
        let count = stream.read(&mut bytes).await?;
        if count == 0 {
            return Ok(());
        }
        line.extend_from_slice(&bytes[..count]);
    }
    Ok(())
}

async fn read_rest(mut stream: TcpStream) {
    let (mut bytes, mut count) = (vec![0; 4096], 0);
    while count < LONGEST_REST {
        match stream.read(&mut bytes).await {
            Ok(0) | Err(_) => return,
            Ok(more) => count += more,
        }
    }
}

/// What the beginning of an answer says (RFC 9112, section 4).
fn judge(answer: &[u8], host: &str) -> Finding {
    if answer.is_empty() {
        return Finding::Bad(format!("{host} closed the connection without an answer"));
    }
    let status = answer.strip_prefix(b"HTTP/1.").and_then(|rest| {
        let (minor, rest) = rest.split_first()?;
        let (digits, rest) = rest.strip_prefix(b" ")?.split_at_checked(3)?;
        let ends = rest.first().is_none_or(|byte| b" \r\n".contains(byte));
        let number = std::str::from_utf8(digits).ok()?.parse::<u16>().ok()?;
        (minor.is_ascii_digit() && ends && (100..600).contains(&number)).then_some(number)
    });
    match status {
        Some(200..=399) => Finding::Good,
        Some(status) => Finding::Bad(format!("HTTP status {status}")),
        None => Finding::Bad(format!("{host} does not answer in HTTP")),
    }
}

async fn connect(host: &str, port: u16) -> Result<TcpStream, Finding> {
    let name = endpoint(host, port);
    let addresses = addresses(host, port).await;
    let addresses =
        addresses.map_err(|error| Finding::Bad(format!("cannot look up {host}: {}", words(&error))))?;
    let mut last = Finding::Bad(format!("{host} has no address"));
    for address in addresses {
        match TcpStream::connect(address).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = broken(&name, &error),
        }
    }
    Err(last)
}

/// Threads that look up names at once.
static LOOKUPS: Semaphore = Semaphore::const_new(16);
/// How long a place among them is waited for.
const TO_BE_LOOKED_UP: Duration = Duration::from_millis(500);

/// Names are looked up on a thread of their own: a name server that does not answer must not hold up anything else.
async fn addresses(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(address, port)]);
    }
    let host = host.to_owned();
    // The place is the thread's: a name server that hangs must not get more and more of them.
    let Ok(Ok(place)) = tokio::time::timeout(TO_BE_LOOKED_UP, LOOKUPS.acquire()).await else {
        return Err(Errno::AGAIN.into());
    };
    let found = upkeep_api::apart(move || {
        let found = (host.as_str(), port).to_socket_addrs().map(Iterator::collect);
        drop(place);
        found
    });
    found.await.unwrap_or_else(|| Err(Errno::NOMEM.into()))
}

/// What an error on the way to somebody says about him: nothing, if it is for want of our own descriptors or memory.
fn broken(host: &str, error: &io::Error) -> Finding {
    match Errno::from_io_error(error) {
        Some(
            Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM | Errno::AGAIN | Errno::ADDRNOTAVAIL,
        ) => Finding::None,
        Some(_) | None => Finding::Bad(format!("{host}: {}", words(error))),
    }
}

/// An error without its number.
fn words(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or(&text);
    text.to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_judged_by_their_first_line() {
        for (answer, good) in [
            ("HTTP/1.1 200 OK\r\n", true),
            ("HTTP/1.0 204 \r\nX: y", true),
            ("HTTP/1.1 302\r\n", true),
            ("HTTP/1.1 200", true),
            ("HTTP/1.1 400 Bad\r\n", false),
            ("HTTP/1.1 503 No\r\n", false),
            ("HTTP/1.1 2000 OK\r\n", false),
            ("HTTP/1.1 +20 OK\r\n", false),
            ("HTTP/2 200 OK\r\n", false),
            ("SSH-2.0-x\r\n", false),
            ("HTTP/1.1 20", false),
            ("", false),
        ] {
            assert_eq!(judge(answer.as_bytes(), "h:1") == Finding::Good, good, "{answer:?}");
        }
        assert_eq!(judge(b"HTTP/1.1 503 No\r\n", ""), Finding::Bad("HTTP status 503".to_owned()));
    }

    #[test]
    fn want_of_our_own_says_nothing_about_others() {
        let error = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert_eq!(broken("h:1", &error(Errno::MFILE)), Finding::None);
        let refused = Finding::Bad("h:1: connection refused".to_owned());
        assert_eq!(broken("h:1", &error(Errno::CONNREFUSED)), refused);
    }
}
