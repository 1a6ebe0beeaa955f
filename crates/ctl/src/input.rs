//! Lines that the user types, or a script pipes in. One buffer, so that what a script sends ahead is not lost between
//! the shell and a command that asks something.

use std::fs::File;
use std::io::{self, BufRead, BufReader, IsTerminal, Read, Write};
use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

use crate::screen;

/// What came instead of, or as, a line.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A line without its end.
    Line(String),
    /// No more lines.
    End,
    /// Ctrl-C.
    Interrupt,
}

/// Standard input by lines.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buffer: Vec<u8>,
    ended: bool,
}

const PIECE: usize = 4096;

impl Input {
    /// Waits for a line, or for `interrupt` to become readable.
    pub(crate) fn line(&mut self, interrupt: Option<BorrowedFd<'_>>) -> io::Result<Typed> {
        loop {
            if let Some(at) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=at).collect();
                return Ok(Typed::Line(text(line.get(..at).unwrap_or_default())));
            }
            if self.ended {
                let rest = std::mem::take(&mut self.buffer);
                self.ended = !rest.is_empty();
                return Ok(if rest.is_empty() { Typed::End } else { Typed::Line(text(&rest)) });
            }
            if !wait(interrupt)? {
                return Ok(Typed::Interrupt);
            }
            self.fill()?;
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        let mut piece = [0; PIECE];
        let count = rustix::io::read(rustix::stdio::stdin(), &mut piece)?;
        self.buffer.extend_from_slice(piece.get(..count).unwrap_or_default());
        self.ended = count == 0;
        Ok(())
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// True when stdin has something, false when the interrupt came first.
fn wait(interrupt: Option<BorrowedFd<'_>>) -> io::Result<bool> {
    let stdin = rustix::stdio::stdin();
    let mut fds = vec![PollFd::new(&stdin, PollFlags::IN)];
    fds.extend(interrupt.map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
    loop {
        match poll(&mut fds, None) {
            Ok(_) => return Ok(fds.get(1).is_none_or(|interrupt| interrupt.revents().is_empty())),
            Err(rustix::io::Errno::INTR) => {}
            Err(errno) => return Err(errno.into()),
        }
    }
}

/// Whether a person sits at both ends.
pub(crate) fn is_terminal() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Asks for a password on the terminal without showing it; where there is none, on stderr and stdin.
pub(crate) fn password(
    prompt: &str,
    input: &mut Input,
    interrupt: Option<BorrowedFd<'_>>,
) -> io::Result<Typed> {
    let Ok(terminal) = File::options().read(true).write(true).open("/dev/tty") else {
        screen::note("Warning: Password input may be echoed.");
        screen::ask_on_stderr(prompt);
        return input.line(interrupt);
    };
    let silence = Silence::begin(&terminal)?;
    (&terminal).write_all(prompt.as_bytes())?;
    let typed = read_line(&terminal);
    drop(silence);
    (&terminal).write_all(b"\n")?;
    typed
}

fn read_line(terminal: &File) -> io::Result<Typed> {
    let mut line = Vec::new();
    BufReader::new(terminal.take(PIECE as u64)).read_until(b'\n', &mut line)?;
    match line.strip_suffix(b"\n") {
        Some(line) => Ok(Typed::Line(text(line))),
        None if line.is_empty() => Ok(Typed::End),
        None => Ok(Typed::Line(text(&line))),
    }
}

/// A terminal that does not echo until this is dropped.
struct Silence<'a> {
    terminal: &'a File,
    before: Termios,
}

impl<'a> Silence<'a> {
    fn begin(terminal: &'a File) -> io::Result<Self> {
        let before = tcgetattr(terminal.as_fd())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(terminal.as_fd(), OptionalActions::Flush, &silent)?;
        Ok(Self { terminal, before })
    }
}

impl Drop for Silence<'_> {
    fn drop(&mut self) {
        // If the terminal is gone, so is its echo.
        let _ = tcsetattr(self.terminal.as_fd(), OptionalActions::Flush, &self.before);
    }
}
