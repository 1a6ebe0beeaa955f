//! The command line of `supervisord` (section 12 of the ledger).

use crate::environment::Environment;
use crate::getopt::{Given, Known, getopt};
use crate::options::{Flag, OptionRow, SectionKind};
use crate::python::repr::py_repr;
use crate::settings::Level;
use crate::usage::UsageError;
use crate::value::{self, Machine, Read};
use crate::world::{Host, World};

/// The version of Supervisor whose behaviour this is (D-65).
pub(crate) const VERSION: &str = "4.3.0";

/// The parsed options of `supervisord`. Each is `None`, or false, unless given; the name is the option's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CommandLine {
    /// The name the program was called by.
    pub program: String,
    /// The arguments as given, without the program's name: parsing them again yields the same.
    pub args: Vec<String>,
    /// `-c`, as given.
    pub configuration: Option<String>,
    /// `-n`.
    pub nodaemon: bool,
    /// `-s`.
    pub silent: bool,
    /// `-k`.
    pub nocleanup: bool,
    /// `-t`.
    pub strip_ansi: bool,
    /// `-u`: checked when the configuration is loaded.
    pub user: Option<String>,
    /// `-m`.
    pub umask: Option<u32>,
    /// `-d`.
    pub directory: Option<String>,
    /// `-l`.
    pub logfile: Option<String>,
    /// `-y`, in bytes.
    pub logfile_maxbytes: Option<i64>,
    /// `-z`.
    pub logfile_backups: Option<i64>,
    /// `-e`.
    pub loglevel: Option<Level>,
    /// `-j`.
    pub pidfile: Option<String>,
    /// `-i`.
    pub identifier: Option<String>,
    /// `-q`.
    pub childlogdir: Option<String>,
    /// `-a`.
    pub minfds: Option<i64>,
    /// `--minprocs`.
    pub minprocs: Option<i64>,
}

/// What a command line asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(clippy::large_enum_variant, reason = "there is one, made once")]
pub enum Invocation {
    /// Run with these options.
    Run(CommandLine),
    /// Print this on stdout and exit with status 0 (`-h`, `-v`).
    Print(String),
}

/// Parses the arguments of `supervisord`; directories are looked for on this machine.
///
/// # Errors
/// [`UsageError`].
pub fn invocation(program: &str, args: &[String]) -> Result<Invocation, UsageError> {
    invocation_in(program, args, &Host)
}

/// [`invocation`] with another [`World`]: a daemon that goes on where another stopped asks [`crate::Lenient`], so that
/// a directory which is gone by now does not stand in its way.
///
/// # Errors
/// [`UsageError`].
pub fn invocation_in(program: &str, args: &[String], world: &dyn World) -> Result<Invocation, UsageError> {
    let usage = |message: String| UsageError::new(program, &message);
    let (given, words) = getopt(args, &known()).map_err(usage)?;
    if !words.is_empty() {
        let words: Vec<String> = words.iter().map(|word| py_repr(word)).collect();
        return Err(usage(format!("positional arguments are not supported: [{}]", words.join(", "))));
    }
    let env = Environment::of_this_process();
    let mut parser = Parser {
        line: CommandLine { program: program.to_owned(), args: args.to_vec(), ..CommandLine::default() },
        machine: Machine { env: &env, world },
        seen: Vec::new(),
    };
    for option in given {
        match option.name.as_str() {
            "-h" | "-?" | "--help" => return Ok(Invocation::Print(help(program))),
            "-v" | "--version" => return Ok(Invocation::Print(format!("{VERSION}\n"))),
            _ => parser.option(&option).map_err(usage)?,
        }
    }
    Ok(Invocation::Run(parser.line))
}

const CONFIGURATION: Known = Known { short: Some('c'), long: Some("configuration"), takes_value: true };
const HELP: Known = Known { short: Some('h'), long: Some("help"), takes_value: false };
const QUESTION: Known = Known { short: Some('?'), long: None, takes_value: false };
const SHOW_VERSION: Known = Known { short: Some('v'), long: Some("version"), takes_value: false };
/// Accepted and without effect (CFG-097).
const PROFILE: Known = Known { short: None, long: Some("profile_options"), takes_value: true };

fn flags() -> impl Iterator<Item = (&'static OptionRow, Flag)> {
    SectionKind::Supervisord.rows().filter_map(|row| row.flag.map(|flag| (row, flag)))
}

fn known() -> Vec<Known> {
    let mut known = vec![CONFIGURATION, HELP, QUESTION, SHOW_VERSION, PROFILE];
    known.extend(flags().map(|(_, flag)| Known {
        short: flag.short,
        long: Some(flag.long),
        takes_value: flag.argument.is_some(),
    }));
    known
}

/// The option's name in the configuration, whichever way it was given.
fn attribute(name: &str) -> &'static str {
    let matches = |known: &Known| match name.strip_prefix("--") {
        Some(long) => known.long == Some(long),
        None => known.short.is_some_and(|short| name.strip_prefix('-') == Some(short.to_string().as_str())),
    };
    known().into_iter().find(matches).and_then(|known| known.long).unwrap_or("help")
}

struct Parser<'a> {
    line: CommandLine,
    machine: Machine<'a>,
    seen: Vec<&'static str>,
}

impl Parser<'_> {
    fn option(&mut self, given: &Given) -> Result<(), String> {
        let attribute = attribute(&given.name);
        self.set(attribute, &given.value).map_err(|wrong| {
            format!("invalid value for {} {}: {}", given.name, py_repr(&given.value), wrong.message)
        })?;
        if self.seen.contains(&attribute) {
            return Err(format!("conflicting command line option {}", py_repr(&given.name)));
        }
        self.seen.push(attribute);
        Ok(())
    }

    fn set(&mut self, attribute: &str, text: &str) -> Read<()> {
        let (line, machine) = (&mut self.line, self.machine);
        match attribute {
            "configuration" => line.configuration = Some(text.to_owned()),
            "nodaemon" => line.nodaemon = true,
            "silent" => line.silent = true,
            "nocleanup" => line.nocleanup = true,
            "strip_ansi" => line.strip_ansi = true,
            "user" => line.user = Some(text.to_owned()),
            "umask" => line.umask = Some(value::octal(text)?),
            "directory" => line.directory = Some(machine.directory(text)?),
            "logfile" => line.logfile = Some(machine.path(text)?),
            "logfile_maxbytes" => line.logfile_maxbytes = Some(value::bytes(text)?),
            "logfile_backups" => line.logfile_backups = Some(value::integer(text)?),
            "loglevel" => line.loglevel = Some(value::level(text)?),
            "pidfile" => line.pidfile = Some(machine.path(text)?),
            "identifier" => line.identifier = Some(text.to_owned()),
            "childlogdir" => line.childlogdir = Some(machine.directory(text)?),
            "minfds" => line.minfds = Some(value::integer(text)?),
            "minprocs" => line.minprocs = Some(value::integer(text)?),
            _ => {}
        }
        Ok(())
    }
}

/// CFG-407.
fn help(program: &str) -> String {
    let mut text = format!(
        "supervisord -- run a set of applications as daemons.\n\nUsage: {program} [options]\n\nOptions:\n\
         -c/--configuration FILENAME -- the configuration file (else the usual places are searched)\n\
         -h/--help -- print this text and exit\n\
         -v/--version -- print the version and exit\n"
    );
    for (row, flag) in flags() {
        let short = flag.short.map(|c| format!("-{c}/")).unwrap_or_default();
        let argument = flag.argument.map(|name| format!(" {name}")).unwrap_or_default();
        text.push_str(&format!("{short}--{}{argument} -- {}\n", flag.long, row.help));
    }
    text.push_str("--profile_options OPTIONS -- accepted, without effect\n\n");
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(line: &str) -> Result<Invocation, String> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        invocation("prog", &args).map_err(|error| error.to_string())
    }

    #[test]
    fn refuses_with_supervisors_words_cfg_401_to_406() {
        for (line, message) in [
            ("-l a -l b", "conflicting command line option '-l'"),
            ("-l a --logfile b", "conflicting command line option '--logfile'"),
            ("-n -n", "conflicting command line option '-n'"),
            ("-e loud", "invalid value for -e 'loud': bad logging level name 'loud'"),
            ("--loglev loud", "invalid value for --loglevel 'loud': bad logging level name 'loud'"),
            ("-a x", "invalid value for -a 'x': invalid literal for int() with base 10: 'x'"),
            ("-m 9", "invalid value for -m '9': 9 can not be converted to an octal type"),
            ("-d /no/such", "invalid value for -d '/no/such': /no/such is not an existing directory"),
            ("foo bar", "positional arguments are not supported: ['foo', 'bar']"),
            ("-v foo", "positional arguments are not supported: ['foo']"),
            ("-e bad -v", "invalid value for -e 'bad': bad logging level name 'bad'"),
            ("--no", "option --no not a unique prefix"),
        ] {
            let expected = format!("Error: {message}\nFor help, use prog -h");
            assert_eq!(run(line), Err(expected), "{line}");
        }
    }

    #[test]
    fn prints_before_later_values_are_looked_at_cfg_408_cfg_409() {
        assert_eq!(run("-v -e bad"), Ok(Invocation::Print("4.3.0\n".to_owned())));
        let Ok(Invocation::Print(text)) = run("-?") else { panic!("no help") };
        assert!(
            text.starts_with(
                "supervisord -- run a set of applications as daemons.\n\nUsage: prog [options]\n"
            )
        );
        for (_, flag) in flags() {
            assert!(text.contains(&format!("--{}", flag.long)), "{}", flag.long);
        }
    }

    #[test]
    fn values_are_typed() {
        let Ok(Invocation::Run(line)) = run("-nk -y 2MB -e DEBUG --umask=077 --profile_options calls") else {
            panic!("not accepted")
        };
        assert_eq!((line.nodaemon, line.nocleanup, line.silent), (true, true, false));
        assert_eq!(line.logfile_maxbytes, Some(2 << 20));
        assert_eq!((line.loglevel, line.umask), (Some(Level::Debug), Some(0o77)));
    }
}
