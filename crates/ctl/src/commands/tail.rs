//! `tail` and `maintail` (CTL-070 … CTL-076).

use upkeep_api::{Channel, FaultCode};
use upkeep_client::{Client, ClientError, Log};
use upkeep_config::py_repr;

use super::{Next, usage};
use crate::codes;
use crate::follow::{self, End};
use crate::resolve::{Resolution, ambiguous, members};
use crate::screen;
use crate::session::Session;
use crate::trouble::Trouble;

/// How much is shown when nothing is said.
const DEFAULT_BYTES: i64 = 1600;

/// How much of a log is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Amount {
    /// `-f`.
    Follow,
    /// The last bytes; 0 is everything.
    Last(i64),
}

impl Amount {
    /// Reads what stands behind the dash.
    fn parse(text: &str) -> Option<Self> {
        if text == "f" { Some(Self::Follow) } else { python_int(text).map(Self::Last) }
    }
}

/// Reads a whole number as Python does: a sign and single underscores between digits are fine.
fn python_int(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let groups_are_digits =
        digits.split('_').all(|group| !group.is_empty() && group.bytes().all(|byte| byte.is_ascii_digit()));
    // A number too long for i64 is too long for the interface all the same.
    let parse = |text: String| text.parse().unwrap_or(i64::MAX);
    groups_are_digits.then(|| parse(text.replace('_', "")))
}

/// The offset that asks for the last bytes, within what the interface can carry.
fn offset(bytes: i64) -> Result<i64, Trouble> {
    i32::try_from(-bytes).map(i64::from).map_err(|_| Trouble::NumberTooBig)
}

pub(super) fn tail(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    let words: Vec<&str> = arg.split_whitespace().collect();
    if words.is_empty() || words.len() > 3 {
        let count = if words.is_empty() { "few" } else { "many" };
        usage(session, "tail", &format!("Error: too {count} arguments"), codes::GENERIC);
        return Ok(Next::Prompt);
    }
    match request(&words) {
        Ok((name, channel, Amount::Follow)) => follow_process(session, name, channel)?,
        Ok((name, channel, Amount::Last(bytes))) => show_process(session, name, channel, bytes)?,
        Err(complaint) => session.fail(&complaint, codes::GENERIC),
    }
    Ok(Next::Prompt)
}

/// One to three words to what they ask for, or the complaint about them.
fn request<'a>(words: &[&'a str]) -> Result<(&'a str, Channel, Amount), String> {
    let (modifier, rest) = match words {
        [first, rest @ ..] if first.starts_with('-') => (Some(*first), rest),
        all => (None, all),
    };
    let (name, channel) = match rest {
        [] => return Err("Error: tail requires process name".to_owned()),
        [name] => (*name, Channel::Stdout),
        [name, .., channel] => (*name, parse_channel(channel)?),
    };
    let amount = match modifier {
        None => Amount::Last(DEFAULT_BYTES),
        Some(modifier) => Amount::parse(modifier.get(1..).unwrap_or_default())
            .ok_or_else(|| format!("Error: bad argument {modifier}"))?,
    };
    Ok((name, channel, amount))
}

fn parse_channel(word: &str) -> Result<Channel, String> {
    match word.to_lowercase().as_str() {
        "stdout" => Ok(Channel::Stdout),
        "stderr" => Ok(Channel::Stderr),
        other => Err(format!("Error: bad channel {}", py_repr(other))),
    }
}

fn show_process(session: &mut Session, name: &str, channel: Channel, bytes: i64) -> Result<(), Trouble> {
    let client = session.client()?;
    let offset = offset(bytes)?;
    let mut answer = client.read_process_log(name, channel, offset, 0);
    if is_bad_name(&answer) {
        match one_process(session, &client, name)? {
            Ok(meant) => answer = client.read_process_log(&meant, channel, offset, 0),
            Err(hint) => return no_such_process(session, name, hint),
        }
    }
    if is_bad_name(&answer) {
        return no_such_process(session, name, None);
    }
    show_text(session, name, answer)
}

fn is_bad_name(answer: &Result<String, ClientError>) -> bool {
    answer.as_ref().is_err_and(|error| error.is_fault(FaultCode::BadName))
}

fn no_such_process(session: &mut Session, name: &str, hint: Option<String>) -> Result<(), Trouble> {
    session.fail(&format!("{name}: ERROR (no such process name)"), codes::GENERIC);
    if let Some(hint) = hint {
        session.hint(hint);
    }
    Ok(())
}

/// Prints a log, or why there is none.
fn show_text(session: &mut Session, name: &str, answer: Result<String, ClientError>) -> Result<(), Trouble> {
    let error = match answer {
        Ok(text) => {
            screen::line(&text);
            return Ok(());
        }
        Err(error) => error,
    };
    let reason = match error.fault() {
        Some(FaultCode::NoFile) => "no log file",
        Some(FaultCode::Failed) => "unknown error reading log",
        Some(_) | None => return Err(error.into()),
    };
    session.fail(&format!("{name}: ERROR ({reason})"), codes::GENERIC);
    Ok(())
}

/// The one process that a name means which the server does not know; else a hint.
pub(super) fn one_process(
    session: &Session,
    client: &Client,
    name: &str,
) -> Result<Result<String, Option<String>>, Trouble> {
    let (resolution, all) = session.resolve_remote(client, name)?;
    let targets = match resolution {
        Resolution::Found(targets) => targets,
        Resolution::Unknown { hint } => return Ok(Err(hint)),
    };
    let meant = members(&targets, &all);
    Ok(match meant.as_slice() {
        [] => Err(None),
        [only] => Ok(format!("{}:{}", only.group, only.name)),
        several => Err(Some(ambiguous(name, several))),
    })
}

fn follow_process(session: &mut Session, name: &str, channel: Channel) -> Result<(), Trouble> {
    let (name, hint) = name_to_follow(session, name)?;
    follow(session, &Log::Process(name, channel))?;
    if let Some(hint) = hint {
        session.hint(hint);
    }
    Ok(())
}

/// The stream's answer does not tell an unknown name from a missing log, so the name is looked up before.
fn name_to_follow(session: &Session, name: &str) -> Result<(String, Option<String>), Trouble> {
    let client = session.client()?;
    let is_unknown = match client.process_info(name) {
        Ok(_) => false,
        Err(error) => error.is_fault(FaultCode::BadName),
    };
    if !is_unknown {
        return Ok((name.to_owned(), None));
    }
    Ok(match one_process(session, &client, name)? {
        Ok(meant) => (meant, None),
        Err(hint) => (name.to_owned(), hint),
    })
}

fn follow(session: &mut Session, log: &Log) -> Result<(), Trouble> {
    session.catch_interrupts();
    screen::line("==> Press Ctrl-C to exit <==");
    let client = session.client()?;
    match follow::show(&client, &session.url, log) {
        End::Over => {}
        End::Interrupted => {
            session.forget_interrupts();
            screen::line("");
        }
    }
    Ok(())
}

pub(super) fn maintail(session: &mut Session, arg: &str) -> Result<Next, Trouble> {
    if !session.is_up()? {
        return Ok(Next::Prompt);
    }
    let words: Vec<&str> = arg.split_whitespace().collect();
    let amount = match words.as_slice() {
        [] => Some(Amount::Last(DEFAULT_BYTES)),
        [word] => word.strip_prefix('-').and_then(Amount::parse),
        [_, _, ..] => {
            usage(session, "maintail", "Error: too many arguments", codes::GENERIC);
            return Ok(Next::Prompt);
        }
    };
    match amount {
        None => session.fail(&format!("Error: bad argument {arg}"), codes::GENERIC),
        Some(Amount::Follow) => follow(session, &Log::Main)?,
        Some(Amount::Last(bytes)) => {
            let answer = session.client()?.read_log(offset(bytes)?, 0);
            show_text(session, "supervisord", answer)?;
        }
    }
    Ok(Next::Prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    type Expected = Result<(&'static str, Channel, Amount), &'static str>;

    #[test]
    fn words_of_tail_ctl_070_071_072() {
        let last = Amount::Last;
        let rows: [(&[&str], Expected); 12] = [
            (&["p"], Ok(("p", Channel::Stdout, last(1600)))),
            (&["p", "stderr"], Ok(("p", Channel::Stderr, last(1600)))),
            (&["p", "STDERR"], Ok(("p", Channel::Stderr, last(1600)))),
            (&["p", "x", "stdout"], Ok(("p", Channel::Stdout, last(1600)))),
            (&["p", "it's"], Err("Error: bad channel \"it's\"")),
            (&["-f", "p"], Ok(("p", Channel::Stdout, Amount::Follow))),
            (&["-100", "p", "stderr"], Ok(("p", Channel::Stderr, last(100)))),
            (&["-0", "p"], Ok(("p", Channel::Stdout, last(0)))),
            (&["--5", "p"], Ok(("p", Channel::Stdout, last(-5)))),
            (&["-x", "p"], Err("Error: bad argument -x")),
            (&["-", "p"], Err("Error: bad argument -")),
            (&["-100"], Err("Error: tail requires process name")),
        ];
        for (words, expected) in rows {
            assert_eq!(request(words), expected.map_err(str::to_owned), "{words:?}");
        }
    }

    #[test]
    fn whole_numbers() {
        let rows = [
            ("1_000", Some(1000)),
            ("+7", Some(7)),
            ("-7", Some(-7)),
            ("99999999999999999999", Some(i64::MAX)),
            ("1__0", None),
            ("_1", None),
            ("", None),
            ("+-1", None),
            ("1.5", None),
        ];
        for (text, expected) in rows {
            assert_eq!(python_int(text), expected, "{text:?}");
        }
        assert!(offset(1600).is_ok_and(|offset| offset == -1600));
        assert!(offset(i64::MAX).is_err());
    }
}
