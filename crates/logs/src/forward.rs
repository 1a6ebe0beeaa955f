//! Lines on their way to somebody else: to a syslog server, to journald.
//!
//! Each destination has a queue with a limit and, as long as somebody writes to it, a thread: names are looked up, connections made
//! and lost there, and whoever waits there holds up nobody. A line that finds the queue full is dropped and counted.
//!
//! What is lost when this dies: the queue, and what the other end had not read. The log file has it all.

mod link;
mod message;
mod queue;
#[cfg(feature = "tls")]
mod tls;
#[cfg(not(feature = "tls"))]
#[path = "forward/no_tls.rs"]
mod tls;

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
/// So many different mistakes are told until it works again.
const MOST_TOLD: usize = 4;
/// What a forwarding thread needs, and room to spare for looking up names and for handshakes.
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
    /// The same, encrypted (RFC 5425).
    Tls {
        /// Name or address.
        host: String,
        /// Port.
        port: u16,
        /// How both ends prove who they are.
        tls: TlsRules,
    },
    /// journald's own protocol.
    Journald {
        /// Its socket.
        path: PathBuf,
    },
}

/// How both ends of an encrypted connection prove who they are. The files are read for each connection, so that renewed ones count
/// from the next on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct TlsRules {
    /// Certificates of those who may have signed the server's, in PEM; those of the machine if there is none.
    pub ca: Option<PathBuf>,
    /// Our own certificate and its private key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// Whom the server's certificate has to name, if it is not its host.
    pub name: Option<String>,
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = match self {
            Self::Udp { host, port } => ("udp", host, port),
            Self::Tcp { host, port } => ("tcp", host, port),
            Self::Tls { host, port, .. } => ("tls", host, port),
            Self::Journald { path } => return write!(f, "journald://{}", path.display()),
        };
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

struct Known {
    destination: Destination,
    forwarder: Weak<Forwarder>,
    /// Its thread has it until it ends.
    queue: Weak<Queue>,
}

type Warn = Arc<dyn Fn(String) + Send + Sync>;

/// Every destination that somebody writes to, and those that are sent the rest of what somebody wrote.
pub(crate) struct Forwarders {
    all: Vec<Known>,
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
        Self { all: Vec::new(), losses, warn: Arc::new(warn) }
    }

    /// The way to a destination. Without a thread all that is sent there is dropped and counted.
    pub(crate) fn to(&mut self, destination: &Destination) -> Arc<Forwarder> {
        let known = self.all.iter().find(|known| known.destination == *destination && known.is_used());
        if let Some(forwarder) = known.and_then(|known| known.forwarder.upgrade()) {
            return forwarder;
        }
        self.all.retain(|known| known.queue.strong_count() > 0);
        let name = destination.to_string();
        let queue = Arc::new(Queue::new(PathBuf::from(&name), self.losses.clone(), Arc::clone(&self.warn)));
        // What others could not get there, with other certificates for example, waits here once they are not used any more.
        let same = self.all.iter().filter(|known| known.destination.to_string() == name);
        let mut is_failing = false;
        for old in same.filter_map(|known| known.queue.upgrade()) {
            old.is_followed_by(&queue);
            is_failing |= old.is_failing();
        }
        let worker = Worker::new(Arc::clone(&queue), destination.clone(), is_failing);
        let thread = std::thread::Builder::new().name("forward".to_owned()).stack_size(STACK);
        if let Err(error) = thread.spawn(move || worker.run()) {
            (self.warn)(format!("cannot forward to {destination}: {error}"));
            queue.ends();
        }
        let forwarder = Arc::new(Forwarder { queue: Arc::clone(&queue) });
        self.all.push(Known {
            destination: destination.clone(),
            forwarder: Arc::downgrade(&forwarder),
            queue: Arc::downgrade(&queue),
        });
        forwarder
    }

    /// The end: what waits has until `deadline`, and so have connections to be closed as their other ends expect it. What is left
    /// then is dropped and counted. Returns what there is to say about that.
    pub(crate) fn finish(&self, deadline: Instant) -> Vec<String> {
        let all: Vec<_> = self.all.iter().filter_map(|known| known.queue.upgrade()).collect();
        for queue in &all {
            queue.wait_until_empty(deadline);
            queue.close();
        }
        all.iter().for_each(|queue| queue.wait_until_over(deadline));
        all.iter().filter_map(|queue| queue.leave()).collect()
    }
}

impl Known {
    fn is_used(&self) -> bool {
        self.forwarder.strong_count() > 0
    }
}

/// The thread of one destination.
struct Worker {
    queue: Arc<Queue>,
    destination: Destination,
    link: Option<Link>,
    pause: Duration,
    is_failing: bool,
    /// Mistakes that only somebody can mend, told since it worked last.
    told: Vec<String>,
}

impl Worker {
    /// `is_failing`: whether the first success is worth a line.
    fn new(queue: Arc<Queue>, destination: Destination, is_failing: bool) -> Self {
        Self { queue, destination, link: None, pause: FIRST_PAUSE, is_failing, told: Vec::new() }
    }

    fn run(mut self) {
        self.work();
        // Its end is told to whoever is there.
        self.link = None;
        self.queue.ends();
    }

    fn work(&mut self) {
        while let Some(mut batch) = self.queue.next() {
            let result = self.deliver(&mut batch);
            self.queue.sent_all_but(batch);
            match result {
                Ok(()) => self.succeed(),
                Err(error) if !self.fail(&error) => return self.queue.give_up(),
                Err(_) => {}
            }
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
        self.told.clear();
        if std::mem::take(&mut self.is_failing) {
            self.queue.works_again();
        }
    }

    /// Waits before the next try; false when there is none.
    fn fail(&mut self, error: &io::Error) -> bool {
        let is_first = !std::mem::replace(&mut self.is_failing, true);
        if self.is_untold_mistake(error) || is_first {
            self.queue.fails(error);
        }
        let goes_on = self.queue.pause(self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        goes_on
    }

    /// Whether it is one that waiting does not mend, such as a wrong certificate: it is told even if something else failed before.
    fn is_untold_mistake(&mut self, error: &io::Error) -> bool {
        let text = error.to_string();
        let is_new = error.kind() == io::ErrorKind::InvalidData
            && self.told.len() < MOST_TOLD
            && !self.told.contains(&text);
        if is_new {
            self.told.push(text);
        }
        is_new
    }
}

#[cfg(test)]
mod tests;
