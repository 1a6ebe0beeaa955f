//! A connection to a destination, on a thread that may wait.

use std::io::{self, Write};
use std::net::{TcpStream, ToSocketAddrs, UdpSocket};
use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use rustix::io::Errno;

use super::queue::Batch;
use super::tls::Secure;
use super::{Destination, Message};

/// How long connecting and sending may take.
pub(super) const PATIENCE: Duration = Duration::from_secs(5);
/// The longest datagram that syslog servers are known to take whole.
const LONGEST_DATAGRAM: usize = 8 * 1024;
/// The longest message otherwise: any line, and a header.
const LONGEST: usize = 128 * 1024;

/// Something that takes messages.
pub(super) struct Link {
    socket: Socket,
    host: String,
}

enum Socket {
    Udp(UdpSocket),
    Tcp(TcpStream),
    Tls(Box<Secure>),
    Journald(UnixDatagram),
}

impl Link {
    pub(super) fn open(destination: &Destination) -> io::Result<Self> {
        let socket = match destination {
            Destination::Udp { host, port } => Socket::Udp(udp(host, *port)?),
            Destination::Tcp { host, port } => Socket::Tcp(tcp(host, *port)?),
            Destination::Tls { host, port, tls } => Socket::Tls(Box::new(Secure::open(host, *port, tls)?)),
            Destination::Journald { path } => {
                let socket = UnixDatagram::unbound()?;
                socket.connect(path)?;
                socket.set_write_timeout(Some(PATIENCE))?;
                Socket::Journald(socket)
            }
        };
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Ok(Self { socket, host })
    }

    /// Sends messages and takes them out of `batch`; those that remain after an error were not sent whole.
    pub(super) fn send(&mut self, batch: &mut Batch) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => return send_counted(stream, &self.host, batch),
            Socket::Tls(secure) => return secure.send(&self.host, batch),
            Socket::Udp(_) | Socket::Journald(_) => {}
        }
        while let Some(message) = batch.front() {
            let sent = match &self.socket {
                Socket::Udp(socket) => socket.send(&message.rfc5424(&self.host, LONGEST_DATAGRAM)),
                Socket::Journald(socket) => socket.send(&message.journald()),
                Socket::Tcp(_) | Socket::Tls(_) => Ok(0),
            };
            match sent {
                // Nobody will ever take this one.
                Err(error) if Errno::from_io_error(&error) == Some(Errno::MSGSIZE) => {}
                other => drop(other?),
            }
            batch.pop_front();
        }
        Ok(())
    }
}

fn udp(host: &str, port: u16) -> io::Result<UdpSocket> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in (host, port).to_socket_addrs()? {
        let any = if address.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let connected = UdpSocket::bind(any).and_then(|socket| socket.connect(address).map(|()| socket));
        match connected {
            Ok(socket) => {
                socket.set_write_timeout(Some(PATIENCE))?;
                return Ok(socket);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

pub(super) fn tcp(host: &str, port: u16) -> io::Result<TcpStream> {
    let mut last = io::ErrorKind::NotFound.into();
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => {
                stream.set_write_timeout(Some(PATIENCE))?;
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// A message as it stands in a stream: behind its length.
pub(super) fn count_octets(message: &Message, host: &str, out: &mut Vec<u8>) {
    let text = message.rfc5424(host, LONGEST);
    out.extend_from_slice(format!("{} ", text.len()).as_bytes());
    out.extend_from_slice(&text);
}

/// A message that was cut off by the end of a connection is sent again with the next one.
fn send_counted(stream: &mut TcpStream, host: &str, batch: &mut Batch) -> io::Result<()> {
    if is_closed(stream)? {
        return Err(io::ErrorKind::ConnectionReset.into());
    }
    let (mut bytes, mut ends) = (Vec::new(), Vec::new());
    for message in &*batch {
        count_octets(message, host, &mut bytes);
        ends.push(bytes.len());
    }
    let mut written = 0;
    let result = loop {
        match stream.write(&bytes[written..]) {
            Ok(0) => break Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => written += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => break Err(error),
        }
        if written == bytes.len() {
            break Ok(());
        }
    };
    batch.drain(..ends.iter().filter(|end| **end <= written).count());
    result
}

/// Whether the other end has closed the connection: what is written then arrives nowhere, and nobody says so.
fn is_closed(stream: &TcpStream) -> io::Result<bool> {
    stream.set_nonblocking(true)?;
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false)?;
    Ok(!matches!(&peeked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
        && !matches!(peeked, Ok(1)))
}
