//! Datagrams of sd_notify(3), taken apart.

use upkeep_core::health::Word;

/// Longest status that is kept, in characters.
const LONGEST_STATUS: usize = 200;

/// The words of a datagram that mean something here. The others are for other managers (RELOADING=1, STOPPING=1, BARRIER=1,
/// FDSTORE=1 …), and no mistake.
pub(super) fn words(datagram: &[u8]) -> Vec<Word> {
    datagram.split(|byte| *byte == b'\n').filter_map(word).collect()
}

fn word(line: &[u8]) -> Option<Word> {
    match line {
        b"READY=1" => Some(Word::Ready),
        b"WATCHDOG=1" => Some(Word::Alive),
        b"WATCHDOG=trigger" => Some(Word::Sick),
        _ => {
            let status = line.strip_prefix(b"STATUS=").map(|text| Word::Status(status(text)));
            status.or_else(|| {
                let pid = std::str::from_utf8(line.strip_prefix(b"MAINPID=")?).ok()?.parse().ok()?;
                (pid > 0).then_some(Word::MainPid(pid))
            })
        }
    }
}

/// For one line on a screen.
fn status(text: &[u8]) -> String {
    let text = String::from_utf8_lossy(text);
    let plain = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    plain.take(LONGEST_STATUS).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_known_and_the_rest_is_left_alone() {
        let status = |text: &str| Word::Status(text.to_owned());
        for (datagram, expected) in [
            (&b"READY=1"[..], vec![Word::Ready]),
            (b"READY=1\nSTATUS=Up\nMAINPID=42\n", vec![Word::Ready, status("Up"), Word::MainPid(42)]),
            (b"WATCHDOG=1\nWATCHDOG=trigger", vec![Word::Alive, Word::Sick]),
            (b"STATUS=", vec![status("")]),
            (b"STATUS= a\x1b[31m\tb\xff ", vec![status("a [31m b\u{fffd}")]),
            (b"READY=0\nREADY=11\nready=1\nREADY", vec![]),
            (b"MAINPID=0\nMAINPID=-1\nMAINPID=x\nMAINPID=99999999999", vec![]),
            (b"RELOADING=1\nSTOPPING=1\nBARRIER=1\nX_ANY=thing\n\n=", vec![]),
            (b"", vec![]),
        ] {
            assert_eq!(words(datagram), expected, "{:?}", String::from_utf8_lossy(datagram));
        }
        let long = [b"STATUS=".as_slice(), &[b'x'; 4000]].concat();
        assert_eq!(words(&long), [status(&"x".repeat(LONGEST_STATUS))]);
    }
}
