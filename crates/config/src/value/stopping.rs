//! Values about stopping: a sequence of signals with times.

use std::time::Duration;

use upkeep_core::signal::{self, Signal};

use super::{Read, Wrong, restart, signal as parse_signal};
use crate::python::repr::py_repr;

/// More steps than any program needs.
const MOST_STEPS: usize = 20;

/// `stop_sequence`: signals, each with the time until the next one; `None` is `stopwaitsecs`. The last KILL is left out,
/// since it always comes last.
pub(crate) fn sequence(text: &str) -> Read<Vec<(Signal, Option<Duration>)>> {
    let mut steps = text.split(',').map(step).collect::<Read<Vec<_>>>()?;
    let kill = steps.iter().position(|&(signal, _)| signal == signal::KILL);
    if kill.is_some_and(|at| at + 1 < steps.len()) {
        return Err(Wrong::new(
            "stop_sequence goes on after KILL",
            "make KILL the last step: nothing survives it",
        ));
    }
    if steps.len() > MOST_STEPS {
        return Err(format!("stop_sequence has more than {MOST_STEPS} steps").into());
    }
    if kill.is_some() && steps.len() > 1 {
        steps.pop();
    }
    Ok(steps)
}

fn step(text: &str) -> Read<(Signal, Option<Duration>)> {
    let words: Vec<&str> = text.split_whitespace().collect();
    match words[..] {
        [name] => Ok((parse_signal(name)?, None)),
        [name, time] => {
            let signal = parse_signal(name)?;
            if signal == signal::KILL {
                return Err(Wrong::new(
                    "KILL in stop_sequence has a time",
                    "write KILL alone: it comes last",
                ));
            }
            Ok((signal, Some(restart::time("stop_sequence", time)?)))
        }
        _ => Err(Wrong::new(
            format!("not a valid step of stop_sequence: {}", py_repr(text)),
            "write signals with times between, such as TERM 10, INT 5, KILL",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_signals_with_times() {
        let seconds = |seconds| Some(Duration::from_secs(seconds));
        let (term, int, kill) = (signal::TERM, signal::INT, signal::KILL);
        for (text, steps) in [
            ("TERM 10, INT 5, KILL", Some(vec![(term, seconds(10)), (int, seconds(5))])),
            ("term 10,SIGINT 1m", Some(vec![(term, seconds(10)), (int, seconds(60))])),
            ("TERM, INT", Some(vec![(term, None), (int, None)])),
            ("KILL", Some(vec![(kill, None)])),
            ("15 0.5", Some(vec![(term, Some(Duration::from_millis(500)))])),
            ("KILL, TERM 5", None),
            ("TERM 5, KILL 5", None),
            ("TERM 5,", None),
            ("", None),
            ("TREM 5", None),
            ("TERM 5 5", None),
            ("TERM soon", None),
        ] {
            assert_eq!(sequence(text).ok(), steps, "{text:?}");
        }
    }
}
