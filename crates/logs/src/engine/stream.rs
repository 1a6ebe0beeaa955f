//! One output channel of one child: its pipe, and what its bytes go through.

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;

use super::console::Console;
use super::credit::Account;
use super::lines::Lines;
use super::outputs::{OutletKey, Outputs};
use super::pace::NEARLY_FULL;
use super::{LogEvent, Sink, StreamId, SyslogTag};
use crate::ansi::AnsiFilter;
use crate::capture::{CaptureBuffer, Piece, Scanner};
use crate::file::{CHUNK, Taken};
use crate::passage::WIDE;
use crate::spool::Spool;

/// What a pipe holds when its child writes faster than we read, and there are [`MOST_WIDE`] that hold [`WIDE`].
const LESS_WIDE: usize = CHUNK;
/// How many pipes may be as wide as pipes can be: an eighth of what all pipes of a user may hold together.
const MOST_WIDE: usize = 8;

/// What a stream keeps of the room it needed to remove ANSI sequences.
pub(super) const SCRATCH: usize = 4096;

/// What a report costs besides its bytes, so that empty captures are not told without end either.
const EVENT_COST: usize = 128;

/// What a read found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// So many bytes.
    Bytes(usize),
    /// Nothing for now.
    Nothing,
    /// Nobody can write any more.
    End,
    /// Its log cannot be opened at present: what is there is left where it is.
    Later,
}

/// How much the pipe holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Width {
    /// What the system gave it.
    AsItWas,
    /// [`LESS_WIDE`], if the system allows it.
    Chunk,
    /// [`WIDE`]
    Wide,
}

pub(super) struct Stream {
    id: StreamId,
    pipe: OwnedFd,
    /// Whether the pipe is waited for.
    listening: bool,
    width: Width,
    /// The last bytes went to the log without being read, if there were any.
    moves: bool,
    account: Arc<Account>,
    route: Route,
    capture: Option<Box<Capture>>,
    spool: Option<Spool>,
}

/// The communication mode of a stream.
struct Capture {
    scanner: Scanner,
    kept: CaptureBuffer,
    /// Where the scanner stood when that was last told.
    told: Scanner,
}

/// Where bytes go that are not tags.
struct Route {
    id: StreamId,
    outlet: Option<OutletKey>,
    syslog: Option<Box<SyslogTag>>,
    console: Option<Box<Console>>,
    /// `None` if nobody looks at lines.
    lines: Option<Box<Lines>>,
    ansi: Option<AnsiFilter>,
    report: bool,
    raw: bool,
    /// How far the spool has been read.
    upto: u64,
    /// The last chunk without its ANSI sequences.
    stripped: Vec<u8>,
}

impl Stream {
    pub(super) fn new(
        id: StreamId,
        pipe: OwnedFd,
        mut sink: Sink,
        account: Arc<Account>,
        out: &mut Outputs,
    ) -> io::Result<Self> {
        rustix::io::ioctl_fionbio(&pipe, true)?;
        let capture = capture(&sink);
        let spool = sink.spool.take();
        let route = Route::new(id, sink, out);
        let stream = Self {
            id,
            pipe,
            listening: false,
            width: Width::AsItWas,
            moves: true,
            account,
            route,
            capture,
            spool,
        };
        stream.want_passage(out);
        Ok(stream)
    }

    /// Reports what an earlier thread took out of the pipe, and nobody has heard.
    pub(super) fn tell_unheard(&mut self, buffer: &mut [u8], out: &Outputs) {
        let Some(spool) = &mut self.spool else { return };
        while let Ok(count @ 1..) = spool.read(buffer) {
            self.route.upto = spool.at();
            self.route.tell(&buffer[..count], &self.account, out);
        }
    }

    pub(super) fn id(&self) -> StreamId {
        self.id
    }

    /// Tells that the other end is closed.
    pub(super) fn closed(&self) -> LogEvent {
        LogEvent::Closed { id: self.id, fd: self.pipe.as_raw_fd() }
    }

    pub(super) fn outlet(&self) -> Option<OutletKey> {
        self.route.outlet
    }

    /// Whether somebody waits for the chunks of this stream.
    pub(super) fn is_reported(&self) -> bool {
        self.route.report
    }

    /// A second descriptor of the pipe.
    pub(super) fn duplicate(&self) -> io::Result<OwnedFd> {
        self.pipe.try_clone()
    }

    /// Waits for the pipe, or stops waiting for it, as the outlet and the credit allow.
    pub(super) fn listen(&mut self, out: &Outputs) -> io::Result<()> {
        if self.must_pause(out) {
            self.pause(out);
        } else if !self.listening {
            out.sources.add(&self.pipe, self.id.source(), EventFlags::IN)?;
            self.listening = true;
        }
        Ok(())
    }

    /// Stops waiting for the pipe, until [`Self::listen`].
    pub(super) fn pause(&mut self, out: &Outputs) {
        if std::mem::take(&mut self.listening) {
            // Taken out, not masked: the end of a masked pipe would still wake the thread, again and again.
            out.sources.remove(&self.pipe);
        }
    }

    pub(super) fn must_pause(&self, out: &Outputs) -> bool {
        self.route.outlet.is_some_and(|key| out.is_full(key)) || (self.is_told() && self.account.is_spent())
    }

    /// Whether the daemon hears of what is read, and may have to be waited for.
    fn is_told(&self) -> bool {
        self.route.report || self.capture.is_some() || self.route.lines.is_some()
    }

    /// Bytes in the pipe now.
    pub(super) fn pending(&self) -> u64 {
        rustix::io::ioctl_fionread(&self.pipe).unwrap_or(0)
    }

    /// Moves what is there to the log, or reads once and passes on what was read, unless there is reason to do so later.
    pub(super) fn turn(&mut self, buffer: &mut [u8], out: &mut Outputs) -> Got {
        if self.route.outlet.is_some_and(|key| out.must_wait(key)) {
            return Got::Later;
        }
        self.turn_now(buffer, out)
    }

    /// The same, whatever becomes of it.
    pub(super) fn turn_now(&mut self, buffer: &mut [u8], out: &mut Outputs) -> Got {
        if let Some(got) = self.spooled(buffer, out) {
            return got;
        }
        if let Some(got) = self.passed(buffer, out) {
            return got;
        }
        if let Some(key) = self.moves_to() {
            let taken = out.take_from(key, self.id, self.pipe.as_fd(), WIDE);
            self.moves = matches!(taken, Taken::Bytes(_));
            match taken {
                Taken::Bytes(count) => {
                    self.widen(count, out);
                    return Got::Bytes(count);
                }
                Taken::Nothing => return Got::Nothing,
                Taken::End => return Got::End,
                Taken::Refused => {}
            }
        }
        self.read(buffer, out)
    }

    /// Moves what is there to the log by way of the passage; `None` if that way is not for this stream.
    fn passed(&mut self, buffer: &mut [u8], out: &mut Outputs) -> Option<Got> {
        if !self.moves || self.moves_to().is_none() {
            return None;
        }
        let mut passage = out.passage.take()?;
        let filled = passage.fill(self.id, &self.pipe);
        if let Ok(count @ 1..) = filled {
            self.fetch(passage.reader(), count as u64, buffer, out);
        }
        out.passage = Some(passage);
        match filled {
            Ok(0) => Some(Got::End),
            Ok(count) => {
                self.widen(count, out);
                Some(Got::Bytes(count))
            }
            Err(Errno::AGAIN | Errno::INTR) => Some(Got::Nothing),
            Err(_) => None,
        }
    }

    /// Fetches what an earlier thread has left in the passage, if it is of this stream.
    pub(super) fn take_left(&mut self, buffer: &mut [u8], out: &mut Outputs) {
        let Some(mut passage) = out.passage.take() else { return };
        let left = passage.take_left(self.id);
        self.fetch(passage.reader(), left, buffer, out);
        out.passage = Some(passage);
    }

    /// Moves so many bytes from the passage to the log; those that cannot be moved are read and passed on.
    fn fetch(&mut self, passage: BorrowedFd<'_>, mut left: u64, buffer: &mut [u8], out: &mut Outputs) {
        while left > 0 {
            let taken = self.moves_to().map(|key| out.take_from(key, self.id, passage, WIDE));
            self.moves = matches!(taken, Some(Taken::Bytes(_)));
            let count = match taken {
                Some(Taken::Bytes(count)) => count,
                _ => match read(passage, buffer, out) {
                    Got::Bytes(count) => {
                        self.pass(&buffer[..count], out);
                        count
                    }
                    Got::Nothing | Got::End | Got::Later => return,
                },
            };
            left = left.saturating_sub(count as u64);
        }
    }

    /// Moves what is there to the spool, and passes it on; `None` if there is none to move it to.
    fn spooled(&mut self, buffer: &mut [u8], out: &mut Outputs) -> Option<Got> {
        let spool = self.spool.as_mut()?;
        match spool.take_from(&self.pipe, buffer) {
            Taken::Bytes(count) => {
                self.route.upto = spool.at();
                self.pass(&buffer[..count], out);
                Some(Got::Bytes(count))
            }
            Taken::Nothing => Some(Got::Nothing),
            Taken::End => Some(Got::End),
            Taken::Refused => {
                out.warn("what an event listener says is not kept: it is lost if the daemon dies before it is heard".to_owned());
                self.spool = None;
                None
            }
        }
    }

    /// The log, if nothing but the log wants the bytes.
    fn moves_to(&self) -> Option<OutletKey> {
        let Route { outlet, syslog, console, lines, ansi, report, .. } = &self.route;
        let seen = self.capture.is_some()
            || syslog.is_some()
            || console.is_some()
            || lines.is_some()
            || ansi.is_some()
            || *report;
        outlet.filter(|_| !seen)
    }

    fn read(&mut self, buffer: &mut [u8], out: &mut Outputs) -> Got {
        let got = read(self.pipe.as_fd(), buffer, out);
        if let Got::Bytes(count) = got {
            self.widen(count, out);
            self.pass(&buffer[..count], out);
        }
        got
    }

    /// Replaces what happens to the bytes. What the old way held back goes the old way, but for a line that has begun, if the new
    /// way goes by lines too.
    pub(super) fn reconfigure(&mut self, mut sink: Sink, out: &mut Outputs) {
        if let (Some(old), Some(new)) = (&mut self.route.lines, &mut sink.lines) {
            new.begun = old.hand_over();
        }
        self.flush(out);
        self.capture = capture(&sink);
        // The new one first: a file that both name must not be closed in between.
        let old = std::mem::replace(&mut self.route, Route::new(self.id, sink, out));
        self.route.upto = old.upto;
        old.close(out);
        self.moves = true;
        self.want_passage(out);
    }

    /// The end: what was held back is given out, the pipe and the log are closed.
    pub(super) fn close(mut self, out: &mut Outputs) {
        self.flush(out);
        if self.listening {
            out.sources.remove(&self.pipe);
        }
        out.wide -= usize::from(self.width == Width::Wide);
        self.route.close(out);
    }

    /// The end of the thread, not of the child: a line that has begun is left to the next one, who has been told of it.
    pub(super) fn leave(mut self, out: &mut Outputs) {
        if let Some(lines) = &mut self.route.lines {
            lines.hand_over();
        }
        self.close(out);
    }

    /// Makes the pipe of a child that fills it wider: more speed for less processor time, since both sides go on for longer.
    /// Not every pipe: what a user's pipes may hold together is limited (pipe(7), `pipe-user-pages-soft`).
    fn widen(&mut self, count: usize, out: &mut Outputs) {
        if self.width != Width::AsItWas || count < NEARLY_FULL {
            return;
        }
        if out.wide < MOST_WIDE && rustix::pipe::fcntl_setpipe_size(&self.pipe, WIDE).is_ok() {
            self.width = Width::Wide;
            out.wide += 1;
        } else {
            self.width = Width::Chunk;
            // Refused when the user's pipes are too wide already: then it stays as it is.
            let _ = rustix::pipe::fcntl_setpipe_size(&self.pipe, LESS_WIDE);
        }
        out.widen_passage();
    }

    /// Asks for a passage, if there is use for it.
    fn want_passage(&self, out: &mut Outputs) {
        if self.moves_to().is_some() {
            out.want_passage();
        }
    }

    fn pass(&mut self, data: &[u8], out: &mut Outputs) {
        let Self { route, capture, .. } = self;
        let account = &self.account;
        match capture.as_deref_mut() {
            None => route.log(data, account, out),
            Some(Capture { scanner, kept, .. }) => scanner.feed(data, |piece| match piece {
                Piece::Log(data) => route.log(data, account, out),
                Piece::Inside(data) => kept.push(route.report(data, account, out)),
                Piece::End => {
                    let data = kept.take();
                    let lease = account.lend(data.len() + EVENT_COST);
                    out.tell(LogEvent::Captured { id: route.id, data, lease });
                }
            }),
        }
        self.tell_capture(out);
        self.tell_begun(out);
    }

    /// Tells of the line that has begun, if that has changed.
    fn tell_begun(&mut self, out: &Outputs) {
        if let Some((keep, data)) = self.route.lines.as_mut().and_then(|lines| lines.news()) {
            let lease = self.account.lend(data.len());
            out.tell(LogEvent::Begun { id: self.id, keep, data, lease });
        }
    }

    /// Tells where the search for tags stands, if that has changed.
    fn tell_capture(&mut self, out: &Outputs) {
        let Some(capture) = &mut self.capture else { return };
        let before = std::mem::replace(&mut capture.told, capture.scanner);
        if !capture.kept.has_news() && before == capture.scanner {
            return;
        }
        let (keep, data) = capture.kept.tell(capture.scanner);
        let lease = self.account.lend(data.len());
        out.tell(LogEvent::Capturing { id: self.id, keep, data, lease });
    }

    /// Whoever was told has forgotten it.
    pub(super) fn tell_again(&mut self, out: &Outputs) {
        if let Some(lines) = &mut self.route.lines {
            lines.tell_again();
        }
        self.tell_begun(out);
        if let Some(capture) = &mut self.capture {
            capture.told = Scanner::default();
            capture.kept.tell_again();
        }
        self.tell_capture(out);
    }

    fn flush(&mut self, out: &mut Outputs) {
        let Self { route, capture, account, .. } = self;
        if let Some(capture) = capture {
            capture.scanner.finish(|piece| match piece {
                Piece::Log(data) => route.log(data, account, out),
                // Not given out at the end.
                Piece::Inside(_) | Piece::End => {}
            });
        }
        route.finish(account, out);
        self.tell_begun(out);
    }
}

/// Reads once.
fn read(pipe: BorrowedFd<'_>, buffer: &mut [u8], out: &Outputs) -> Got {
    loop {
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => return Got::End,
            Ok(count) => return Got::Bytes(count),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => return Got::Nothing,
            Err(error) => {
                out.warn(format!("cannot read the output of a child any more: {error}"));
                return Got::End;
            }
        }
    }
}

impl Route {
    fn new(id: StreamId, sink: Sink, out: &mut Outputs) -> Self {
        let wants_plain = sink.syslog.is_some() || sink.console.is_some();
        Self {
            id,
            lines: sink.lines.map(|rules| {
                let forwarders =
                    rules.forward.iter().map(|destination| out.forward_to(destination)).collect();
                Box::new(Lines::new(*rules, wants_plain, forwarders))
            }),
            outlet: sink.file.map(|file| out.acquire(file, id)),
            syslog: sink.syslog.map(Box::new),
            console: sink.console.map(|prefix| Box::new(Console::new(prefix, out))),
            ansi: sink.strip_ansi.then(AnsiFilter::default),
            report: sink.events || sink.copy,
            raw: sink.raw,
            upto: 0,
            stripped: Vec::new(),
        }
    }

    /// Passes bytes from outside of tags to wherever they go.
    fn log(&mut self, data: &[u8], account: &Arc<Account>, out: &mut Outputs) {
        if strip(self.ansi.as_mut(), data, &mut self.stripped) {
            let mut stripped = std::mem::take(&mut self.stripped);
            self.write(&stripped, out);
            self.tell(if self.raw { data } else { &stripped }, account, out);
            stripped.clear();
            stripped.shrink_to(SCRATCH);
            self.stripped = stripped;
        } else {
            self.write(data, out);
            self.tell(data, account, out);
        }
    }

    /// Reports bytes from between tags, and returns them as they are to be captured.
    fn report<'a>(&'a mut self, data: &'a [u8], account: &Arc<Account>, out: &Outputs) -> &'a [u8] {
        let data = if strip(self.ansi.as_mut(), data, &mut self.stripped) { &self.stripped } else { data };
        self.tell(data, account, out);
        data
    }

    fn finish(&mut self, account: &Arc<Account>, out: &mut Outputs) {
        if let Some(ansi) = &mut self.ansi {
            let mut stripped = Vec::new();
            ansi.finish(&mut stripped);
            self.write(&stripped, out);
            if !self.raw {
                self.tell(&stripped, account, out);
            }
        }
        if let Some(mut lines) = self.lines.take() {
            lines.finish();
            self.write_lines(&mut lines, out);
            self.lines = Some(lines);
        }
        if let Some(console) = &mut self.console {
            console.finish(self.id, out);
        }
    }

    fn write(&mut self, data: &[u8], out: &mut Outputs) {
        if data.is_empty() {
            return;
        }
        if let Some(mut lines) = self.lines.take() {
            lines.take(data);
            self.write_lines(&mut lines, out);
            self.lines = Some(lines);
            return;
        }
        self.write_file(data, out);
        self.copy(data, out);
    }

    /// Gives out whole lines, and says what the limit has dropped.
    fn write_lines(&mut self, lines: &mut Lines, out: &mut Outputs) {
        self.write_file(&lines.text, out);
        self.copy(&lines.plain, out);
        lines.forward();
        if let Some(rate) = &mut lines.rate {
            out.limited(self.outlet, self.id, rate);
        }
        lines.tidy();
    }

    fn write_file(&self, data: &[u8], out: &mut Outputs) {
        if let Some(key) = self.outlet.filter(|_| !data.is_empty()) {
            out.write(key, self.id, data);
        }
    }

    /// Whatever gets a copy of what the file gets.
    fn copy(&mut self, data: &[u8], out: &mut Outputs) {
        if data.is_empty() {
            return;
        }
        if let Some(tag) = &self.syslog {
            out.syslog(self.id, tag, data);
        }
        if let Some(console) = &mut self.console {
            console.write(self.id, data, out);
        }
    }

    fn tell(&self, data: &[u8], account: &Arc<Account>, out: &Outputs) {
        if self.report && !data.is_empty() {
            let lease = account.lend(data.len());
            out.tell(LogEvent::Chunk { id: self.id, data: data.to_vec(), upto: self.upto, lease });
        }
    }

    fn close(self, out: &mut Outputs) {
        if let Some(key) = self.outlet {
            out.release(key, self.id);
        }
        if let Some(console) = self.console {
            console.close(self.id, out);
        }
    }
}

/// Puts `data` without ANSI sequences into `stripped`; false if it may be used as it is.
fn strip(ansi: Option<&mut AnsiFilter>, data: &[u8], stripped: &mut Vec<u8>) -> bool {
    let Some(ansi) = ansi.filter(|ansi| !ansi.passes(data)) else { return false };
    stripped.clear();
    ansi.feed(data, stripped);
    true
}

fn capture(sink: &Sink) -> Option<Box<Capture>> {
    let (scanner, kept) = CaptureBuffer::going_on(sink.capture_maxbytes, &sink.capture_begun);
    (sink.capture_maxbytes > 0).then(|| Box::new(Capture { scanner, kept, told: scanner }))
}
