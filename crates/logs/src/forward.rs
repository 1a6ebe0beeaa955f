//! Lines on their way to somebody else: to a syslog server, to journald.
//!
//! Each destination has a queue with a limit and, as long as somebody writes to it, a thread: names are looked up, connections made
//! and lost there, and whoever waits there holds up nobody. A line that finds the queue full is dropped and counted.
//!
//! What is lost when this dies: the queue, and what the other end had not read. The log file has it all.

mod link;
mod message;
mod queue;

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use crate::losses::Losses;
use link::Link;
pub(crate) use message::Message;
use queue::{Batch, Queue};

/// The first pause after a failure; each one is twice as long as the last.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// What a forwarding thread needs, and room to spare for looking up names.
const STACK: usize = 512 * 1024;

/// Where lines are forwarded to.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Destination {
    /// RFC 5424 in datagrams (RFC 5426).
    Udp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// RFC 5424 with octets counted (RFC 6587).
    Tcp {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
    },
    /// journald's own protocol.
    Journald {
        /// Its socket.
        path: PathBuf,
    },
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Udp { host, port } if host.contains(':') => write!(f, "udp://[{host}]:{port}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Udp { host, port } => write!(f, "udp://{host}:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp://{host}:{port}"),
            Self::Journald { path } => write!(f, "journald://{}", path.display()),
        }
    }
}

type Warn = Arc<dyn Fn(String) + Send + Sync>;

/// Every destination that somebody writes to.
pub(crate) struct Forwarders {
    all: HashMap<Destination, Weak<Forwarder>>,
    losses: Losses,
    warn: Warn,
}

/// A destination. When the last one is dropped, what waits is sent on for a moment, then the thread ends.
#[derive(Debug)]
pub(crate) struct Forwarder {
    queue: Arc<Queue>,
}

impl Drop for Forwarder {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Forwarder {
    /// Never waits.
    pub(crate) fn send(&self, messages: &[Arc<Message>]) {
        self.queue.push(messages);
    }
}

impl Forwarders {
    pub(crate) fn new(losses: Losses, warn: impl Fn(String) + Send + Sync + 'static) -> Self {
        Self { all: HashMap::new(), losses, warn: Arc::new(warn) }
    }

    /// The way to a destination. Without a thread all that is sent there is dropped and counted.
    pub(crate) fn to(&mut self, destination: &Destination) -> Arc<Forwarder> {
        if let Some(known) = self.all.get(destination).and_then(Weak::upgrade) {
            return known;
        }
        self.all.retain(|_, forwarder| forwarder.strong_count() > 0);
        let path = PathBuf::from(destination.to_string());
        let queue = Arc::new(Queue::new(path, self.losses.clone(), Arc::clone(&self.warn)));
        let worker = Worker {
            queue: Arc::clone(&queue),
            destination: destination.clone(),
            link: None,
            pause: FIRST_PAUSE,
            is_failing: false,
        };
        let thread = std::thread::Builder::new().name("forward".to_owned()).stack_size(STACK);
        if let Err(error) = thread.spawn(move || worker.run()) {
            (self.warn)(format!("cannot forward to {destination}: {error}"));
        }
        let forwarder = Arc::new(Forwarder { queue });
        self.all.insert(destination.clone(), Arc::downgrade(&forwarder));
        forwarder
    }

    /// The end: what waits has until `deadline`.
    pub(crate) fn finish(&self, deadline: Instant) {
        for forwarder in self.all.values().filter_map(Weak::upgrade) {
            forwarder.queue.wait_until_empty(deadline);
        }
    }
}

/// The thread of one destination.
struct Worker {
    queue: Arc<Queue>,
    destination: Destination,
    link: Option<Link>,
    pause: Duration,
    is_failing: bool,
}

impl Worker {
    fn run(mut self) {
        while let Some(mut batch) = self.queue.next() {
            while !batch.is_empty() {
                match self.deliver(&mut batch) {
                    Ok(()) => self.succeed(),
                    Err(error) if !self.fail(&error) => return self.queue.give_up(&batch),
                    Err(_) => {}
                }
            }
            self.queue.sent();
        }
    }

    fn deliver(&mut self, batch: &mut Batch) -> io::Result<()> {
        let link = match &mut self.link {
            Some(link) => link,
            None => self.link.insert(Link::open(&self.destination)?),
        };
        let result = link.send(batch);
        if result.is_err() {
            self.link = None;
        }
        result
    }

    fn succeed(&mut self) {
        self.pause = FIRST_PAUSE;
        if std::mem::take(&mut self.is_failing) {
            self.queue.works_again();
        }
    }

    /// Waits before the next try; false when there is none.
    fn fail(&mut self, error: &io::Error) -> bool {
        if !std::mem::replace(&mut self.is_failing, true) {
            self.queue.fails(error);
        }
        let goes_on = self.queue.pause(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        goes_on
    }
}

#[cfg(test)]
mod tests;
