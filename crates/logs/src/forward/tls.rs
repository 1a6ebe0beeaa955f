//! A connection to a syslog server that is encrypted, and whose ends prove who they are (RFC 5425).
//!
//! Everything is made for each connection and goes with it: whoever forwards nothing this way has none of it in memory.

mod setup;
mod words;

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ProtocolVersion};

use super::TlsRules;
use super::link::{PATIENCE, count_octets, tcp};
use super::queue::Batch;
use setup::Identity;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a server may think about our certificate: TLS 1.3 lets us send before it has told.
const VERDICT: Duration = Duration::from_secs(1);
/// How long a server has to see the end of what it was sent, and to close the connection too.
const FAREWELL: Duration = Duration::from_secs(1);
/// About so much is sent in one go. What fails within is sent again with the next connection.
const TOGETHER: usize = 16 * 1024;
/// How often is read what the other end has to say, which should be next to nothing.
const MOST_READS: usize = 16;

/// A connection.
pub(super) struct Secure {
    connection: ClientConnection,
    stream: TcpStream,
    rules: TlsRules,
    /// Whom its certificate names.
    name: String,
}

impl Secure {
    /// Connects, and is sure of the other end.
    pub(super) fn open(host: &str, port: u16, rules: &TlsRules) -> io::Result<Self> {
        let name = rules.name.clone().unwrap_or_else(|| host.to_owned());
        let identity = Arc::new(Identity::of(rules)?);
        let config = setup::client(rules, Arc::clone(&identity))?;
        let server = ServerName::try_from(name.clone()).map_err(|_| words::no_name(&name))?;
        let stream = tcp(host, port)?;
        let mut connection =
            ClientConnection::new(config, server).map_err(|error| words::mistake(error.to_string()))?;
        // What waits here is as long as what was handed over, which has its own limit.
        connection.set_buffer_limit(None);
        let mut secure = Self { connection, stream, rules: rules.clone(), name };
        secure.shake_hands()?;
        if identity.was_asked_for() {
            secure.hear_verdict()?;
        }
        Ok(secure)
    }

    fn shake_hands(&mut self) -> io::Result<()> {
        let deadline = Instant::now() + HANDSHAKE;
        while self.connection.is_handshaking() || self.connection.wants_write() {
            self.flush()?;
            if self.connection.is_handshaking() && !self.read_until(deadline)? {
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the TLS handshake takes too long"));
            }
        }
        Ok(())
    }

    /// A server that does not want us says so only now. One that does usually says something, too.
    fn hear_verdict(&mut self) -> io::Result<()> {
        if self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3) {
            self.read_until(Instant::now() + VERDICT)?;
        }
        Ok(())
    }

    /// Takes what comes next; false if nothing does.
    fn read_until(&mut self, deadline: Instant) -> io::Result<bool> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(false);
        }
        self.stream.set_read_timeout(Some(left))?;
        match self.connection.read_tls(&mut self.stream) {
            Ok(0) => Err(io::Error::new(
                io::ErrorKind::ConnectionAborted,
                "it closed the connection during the TLS handshake",
            )),
            Ok(_) => self.understand().map(|_| true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) => Err(error),
        }
    }

    /// Makes something of what was read; tells whether the other end will send nothing more.
    fn understand(&mut self) -> io::Result<bool> {
        let state = match self.connection.process_new_packets() {
            Ok(state) => state,
            Err(error) => {
                // Tells the other end why, if that is possible at once.
                let _ = self.connection.write_tls(&mut self.stream);
                return Err(words::reason(&error, &self.name, &self.rules));
            }
        };
        // A syslog server has nothing to tell that would be of use to us.
        let mut ignored = [0; 1024];
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            left = left.saturating_sub(self.connection.reader().read(&mut ignored)?.max(1));
        }
        Ok(state.peer_has_closed())
    }

    /// Sends messages and takes them out of `batch`; those that remain after an error may not have been sent whole.
    pub(super) fn send(&mut self, host: &str, batch: &mut Batch) -> io::Result<()> {
        self.listen()?;
        while !batch.is_empty() {
            let (mut bytes, mut count) = (Vec::new(), 0);
            while let Some(message) = batch.get(count).filter(|_| bytes.len() < TOGETHER) {
                count_octets(message, host, &mut bytes);
                count += 1;
            }
            self.connection.writer().write_all(&bytes)?;
            if let Err(error) = self.flush() {
                // It may have said why.
                return Err(self.listen().err().filter(is_mistake).unwrap_or(error));
            }
            batch.drain(..count);
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        while self.connection.wants_write() {
            match self.connection.write_tls(&mut self.stream) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let seconds = PATIENCE.as_secs();
                    let text = format!("it has taken nothing for {seconds} seconds");
                    return Err(io::Error::new(io::ErrorKind::TimedOut, text));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Hears, without waiting, what the other end has said: that it has closed the connection, for example. What is written then arrives
    /// nowhere, and nobody says so.
    fn listen(&mut self) -> io::Result<()> {
        self.stream.set_nonblocking(true)?;
        let heard = self.hear();
        self.stream.set_nonblocking(false)?;
        heard
    }

    fn hear(&mut self) -> io::Result<()> {
        for _ in 0..MOST_READS {
            match self.connection.read_tls(&mut self.stream) {
                Ok(0) => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(_) if self.understand()? => return Err(io::ErrorKind::ConnectionReset.into()),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}

impl Drop for Secure {
    /// The other end shall see that nothing was cut off.
    fn drop(&mut self) {
        self.connection.send_close_notify();
        if self.stream.set_nonblocking(true).is_ok() {
            // Nobody waits for one that takes nothing.
            let _ = self.connection.write_tls(&mut self.stream);
        }
        let _ = farewell(&mut self.stream);
    }
}

/// Takes what the other end still says, such as the tickets of TLS 1.3 that come behind a handshake, until it closes the connection too:
/// one that is closed with something unread is broken off by the kernel, and with it goes what is still on its way there.
fn farewell(stream: &mut TcpStream) -> io::Result<()> {
    stream.shutdown(Shutdown::Write)?;
    stream.set_nonblocking(false)?;
    let deadline = Instant::now() + FAREWELL;
    let mut ignored = [0; 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(());
        }
        stream.set_read_timeout(Some(left))?;
        if stream.read(&mut ignored)? == 0 {
            return Ok(());
        }
    }
}

fn is_mistake(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::InvalidData
}

#[cfg(test)]
mod tests;
