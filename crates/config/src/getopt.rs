//! Python's `getopt`: bundled short flags, `--opt=v`, `--opt v`, unambiguous prefixes; options end at the first word
//! (CFG-401).

/// An option that exists.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Known {
    pub(crate) short: Option<char>,
    pub(crate) long: Option<&'static str>,
    pub(crate) takes_value: bool,
}

/// An option that was given: `-x` or `--long` in full, and its value (empty if it takes none).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// Splits arguments into options and words.
///
/// # Errors
/// Python's text.
pub(crate) fn getopt(args: &[String], known: &[Known]) -> Result<(Vec<Given>, Vec<String>), String> {
    let mut given = Vec::new();
    let mut rest = args;
    while let Some((first, others)) = rest.split_first() {
        if !first.starts_with('-') || first == "-" {
            break;
        }
        rest = others;
        if first == "--" {
            break;
        }
        match first.strip_prefix("--") {
            Some(long) => given.push(long_option(long, &mut rest, known)?),
            None => short_options(&first[1..], &mut rest, known, &mut given)?,
        }
    }
    Ok((given, rest.to_vec()))
}

fn take(rest: &mut &[String]) -> Option<String> {
    let (first, others) = rest.split_first()?;
    *rest = others;
    Some(first.clone())
}

fn long_option(text: &str, rest: &mut &[String], known: &[Known]) -> Result<Given, String> {
    let (prefix, value) = match text.split_once('=') {
        Some((prefix, value)) => (prefix, Some(value.to_owned())),
        None => (text, None),
    };
    let (name, takes_value) = resolve(prefix, known)?;
    let value = match (takes_value, value) {
        (true, Some(value)) => value,
        (true, None) => take(rest).ok_or_else(|| format!("option --{name} requires argument"))?,
        (false, Some(_)) => return Err(format!("option --{name} must not have an argument")),
        (false, None) => String::new(),
    };
    Ok(Given { name: format!("--{name}"), value })
}

fn resolve(prefix: &str, known: &[Known]) -> Result<(&'static str, bool), String> {
    let matches: Vec<(&'static str, bool)> = known
        .iter()
        .filter_map(|option| option.long.map(|long| (long, option.takes_value)))
        .filter(|(long, _)| long.starts_with(prefix))
        .collect();
    if let Some(&exact) = matches.iter().find(|(long, _)| *long == prefix) {
        return Ok(exact);
    }
    match matches.as_slice() {
        [] => Err(format!("option --{prefix} not recognized")),
        [only] => Ok(*only),
        _ => Err(format!("option --{prefix} not a unique prefix")),
    }
}

fn short_options(
    flags: &str,
    rest: &mut &[String],
    known: &[Known],
    given: &mut Vec<Given>,
) -> Result<(), String> {
    let mut chars = flags.chars();
    while let Some(c) = chars.next() {
        let option = known
            .iter()
            .find(|option| option.short == Some(c))
            .ok_or_else(|| format!("option -{c} not recognized"))?;
        let name = format!("-{c}");
        if !option.takes_value {
            given.push(Given { name, value: String::new() });
            continue;
        }
        let value = match chars.as_str() {
            "" => take(rest).ok_or_else(|| format!("option -{c} requires argument"))?,
            attached => attached.to_owned(),
        };
        given.push(Given { name, value });
        break;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: &[Known] = &[
        Known { short: Some('n'), long: Some("nodaemon"), takes_value: false },
        Known { short: Some('k'), long: Some("nocleanup"), takes_value: false },
        Known { short: Some('c'), long: Some("configuration"), takes_value: true },
    ];

    fn run(line: &str) -> String {
        let args: Vec<String> = line.split(' ').filter(|arg| !arg.is_empty()).map(str::to_owned).collect();
        match getopt(&args, KNOWN) {
            Ok((given, words)) => {
                let options: Vec<String> = given.iter().map(|g| format!("{}={}", g.name, g.value)).collect();
                format!("{} | {}", options.join(" "), words.join(" "))
            }
            Err(error) => error,
        }
    }

    #[test]
    fn follows_python_cfg_401() {
        for (line, expected) in [
            ("-nk", "-n= -k= | "),
            ("-nc x y", "-n= -c=x | y"),
            ("-cx -n", "-c=x -n= | "),
            ("--conf=x", "--configuration=x | "),
            ("--configuration x -- -n", "--configuration=x | -n"),
            ("word -n", " | word -n"),
            ("- -n", " | - -n"),
            ("--no", "option --no not a unique prefix"),
            ("--nod=1", "option --nodaemon must not have an argument"),
            ("-x", "option -x not recognized"),
            ("--xyz", "option --xyz not recognized"),
            ("-c", "option -c requires argument"),
            ("--conf", "option --configuration requires argument"),
        ] {
            assert_eq!(run(line), expected, "{line}");
        }
    }
}
