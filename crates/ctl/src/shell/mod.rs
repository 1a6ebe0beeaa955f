//! The interactive shell (CTL-140 … CTL-152): `status` once, then a line after the other.

mod complete;
mod history;

use std::path::PathBuf;

use rustyline::config::{CompletionType, Config};
use rustyline::error::ReadlineError;
use rustyline::{Editor, history::MemHistory};
use upkeep_config::CtlOptions;

use crate::commands::{Next, run_line};
use crate::input::{self, Typed};
use crate::screen;
use crate::session::Session;

use complete::Completion;
use history::History;

/// Runs until the user leaves. A terminal at both ends gets line editing; a pipe is read as it is.
pub(crate) fn run(options: CtlOptions) {
    let prompt = format!("{}> ", options.prompt);
    let history_file = options.history_file.clone();
    let mut session = Session::new(options);
    session.catch_interrupts();
    if input::is_terminal() {
        run_with(&mut session, &mut Edited::new(prompt, history_file));
    } else {
        run_with(&mut session, &mut Piped { prompt });
    }
}

/// Where lines come from.
trait Lines {
    fn next(&mut self, session: &mut Session) -> Typed;
}

fn run_with(session: &mut Session, lines: &mut dyn Lines) {
    let mut next = run_line(session, "status");
    while next == Next::Prompt {
        next = match lines.next(session) {
            Typed::Line(line) => run_line(session, &line),
            // The end of input is the same as `quit`; so, here, is Ctrl-C (CTL-143).
            Typed::End | Typed::Interrupt => {
                screen::line("");
                Next::Leave
            }
        };
    }
}

struct Piped {
    prompt: String,
}

impl Lines for Piped {
    fn next(&mut self, session: &mut Session) -> Typed {
        screen::bytes(self.prompt.as_bytes());
        session.read_line().unwrap_or(Typed::End)
    }
}

struct Edited {
    prompt: String,
    editor: Option<Editor<Completion, MemHistory>>,
    history: History,
}

impl Edited {
    fn new(prompt: String, history_file: Option<PathBuf>) -> Self {
        let history = History::load(history_file);
        let config = Config::builder().completion_type(CompletionType::List).auto_add_history(false);
        let config = match config.max_history_size(usize::MAX) {
            Ok(config) => config.build(),
            Err(_) => Config::default(),
        };
        let mut editor = Editor::with_history(config.clone(), MemHistory::with_config(&config)).ok();
        if let Some(editor) = &mut editor {
            for line in history.lines() {
                // A line that the editor does not take is only missing from its memory.
                let _ = editor.add_history_entry(line.as_str());
            }
        }
        Self { prompt, editor, history }
    }
}

impl Lines for Edited {
    fn next(&mut self, session: &mut Session) -> Typed {
        let Some(editor) = &mut self.editor else {
            return Piped { prompt: self.prompt.clone() }.next(session);
        };
        editor.set_helper(Some(Completion::new(session.client().ok())));
        match editor.readline(&self.prompt) {
            Ok(line) => {
                if self.history.add(&line) {
                    let _ = editor.add_history_entry(line.as_str());
                }
                Typed::Line(line)
            }
            Err(ReadlineError::Interrupted) => Typed::Interrupt,
            // The terminal is gone, or was never one that can be edited on.
            Err(_) => Typed::End,
        }
    }
}
