//! Options of our own commands. They may stand anywhere; what is left are the words.

use lexopt::{Arg, Parser, ValueExt};

use super::problem::Problem;

/// What was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Options {
    pub(super) command: String,
    /// `-c`.
    pub(super) config: Option<String>,
    /// `-s`.
    pub(super) url: Option<String>,
    /// `-u`.
    pub(super) user: Option<String>,
    /// `-p`.
    pub(super) password: Option<String>,
    pub(super) json: bool,
    pub(super) help: bool,
    /// `logs -f`.
    pub(super) follow: bool,
    /// `logs --stderr`.
    pub(super) stderr: bool,
    /// `logs -n`.
    pub(super) bytes: Option<i32>,
    /// `logs --since`.
    pub(super) since: Option<String>,
    /// `logs --grep`.
    pub(super) grep: Option<String>,
    /// `upgrade --binary`.
    pub(super) binary: Option<String>,
    /// `reload --keep`.
    pub(super) keep: bool,
    /// `reread --plan`.
    pub(super) plan: bool,
    /// `update --dry-run`.
    pub(super) dry_run: bool,
    /// `config show --diff`.
    pub(super) diff: bool,
    /// `config rollback --write`.
    pub(super) write: bool,
    /// `restart --rolling`.
    pub(super) rolling: bool,
    /// `restart --batch`.
    pub(super) batch: Option<String>,
    /// `restart --wait`.
    pub(super) wait: Option<String>,
    /// `convert --to`.
    pub(super) to: Option<String>,
    /// `convert -o`.
    pub(super) output: Option<String>,
    /// `convert --flatten`.
    pub(super) flatten: bool,
    /// What is no option, without the command.
    pub(super) words: Vec<String>,
}

impl Options {
    pub(super) fn parse(args: &[String]) -> Result<Self, Problem> {
        let mut options = Self::default();
        let mut words = Vec::new();
        options.read(&mut Parser::from_args(args), &mut words).map_err(complaint)?;
        let mut words = words.into_iter();
        options.command = words.next().unwrap_or_default();
        options.words = words.collect();
        options.check()?;
        Ok(options)
    }

    fn read(&mut self, parser: &mut Parser, words: &mut Vec<String>) -> Result<(), lexopt::Error> {
        while let Some(arg) = parser.next()? {
            match arg {
                Arg::Short('c') | Arg::Long("configuration" | "config") => self.config = Some(text(parser)?),
                Arg::Short('s') | Arg::Long("serverurl") => self.url = Some(text(parser)?),
                Arg::Short('u') | Arg::Long("username") => self.user = Some(text(parser)?),
                Arg::Short('p') | Arg::Long("password") => self.password = Some(text(parser)?),
                Arg::Short('h' | '?') | Arg::Long("help") => self.help = true,
                Arg::Long("json") => self.json = true,
                Arg::Short('f') | Arg::Long("follow") => self.follow = true,
                Arg::Short('n') | Arg::Long("bytes") => self.bytes = Some(parser.value()?.parse()?),
                Arg::Long("since") => self.since = Some(text(parser)?),
                Arg::Long("grep") => self.grep = Some(text(parser)?),
                Arg::Long("binary") => self.binary = Some(text(parser)?),
                Arg::Long("stderr") => self.stderr = true,
                Arg::Long("keep") => self.keep = true,
                Arg::Long("plan") => self.plan = true,
                Arg::Long("dry-run") => self.dry_run = true,
                Arg::Long("diff") => self.diff = true,
                Arg::Long("write") => self.write = true,
                Arg::Long("rolling") => self.rolling = true,
                Arg::Long("batch") => self.batch = Some(text(parser)?),
                Arg::Long("wait") => self.wait = Some(text(parser)?),
                Arg::Long("to") => self.to = Some(text(parser)?),
                Arg::Short('o') | Arg::Long("output") => self.output = Some(text(parser)?),
                Arg::Long("flatten") => self.flatten = true,
                Arg::Value(word) => words.push(word.string()?),
                Arg::Short(_) | Arg::Long(_) => return Err(arg.unexpected()),
            }
        }
        Ok(())
    }

    /// Some options belong to one command.
    fn check(&self) -> Result<(), Problem> {
        if self.command != "upgrade" && self.binary.is_some() {
            let why = format!("--binary belongs to `upkeep upgrade`, not to `upkeep {}`", self.command);
            return Err(Problem::usage(&why));
        }
        let is_about_logs = self.follow || self.stderr || self.bytes.is_some();
        if self.command != "logs" && (is_about_logs || self.since.is_some() || self.grep.is_some()) {
            let why = format!(
                "-f, -n, --since, --grep and --stderr belong to `upkeep logs`, not to `upkeep {}`",
                self.command
            );
            return Err(Problem::usage(&why));
        }
        if self.command != "convert" && (self.to.is_some() || self.output.is_some() || self.flatten) {
            let why = format!(
                "--to, -o and --flatten belong to `upkeep convert`, not to `upkeep {}`",
                self.command
            );
            return Err(Problem::usage(&why));
        }
        self.check_config()?;
        let dry_run = self.dry_run && self.command != "config";
        for (given, option, command) in [
            (self.plan, "--plan", "reread"),
            (dry_run, "--dry-run", "update"),
            (self.diff, "--diff", "config"),
            (self.write, "--write", "config"),
            (self.rolling, "--rolling", "restart"),
        ] {
            if given && self.command != command {
                let why = format!("{option} belongs to `upkeep {command}`, not to `upkeep {}`", self.command);
                return Err(Problem::usage(&why));
            }
        }
        if !self.rolling && (self.batch.is_some() || self.wait.is_some()) {
            let why = "--batch and --wait belong to `upkeep restart --rolling`";
            return Err(Problem::usage(why));
        }
        if self.command != "reload" && self.keep {
            let why = format!("--keep belongs to `upkeep reload`, not to `upkeep {}`", self.command);
            return Err(Problem::usage(&why));
        }
        Ok(())
    }

    /// Of `upkeep config`, each belongs to one of its words.
    fn check_config(&self) -> Result<(), Problem> {
        if self.command != "config" {
            return Ok(());
        }
        let word = self.words.first().map_or("", String::as_str);
        for (given, option, of) in [
            (self.diff, "--diff", "show"),
            (self.write, "--write", "rollback"),
            (self.dry_run, "--dry-run", "rollback"),
        ] {
            if given && word != of {
                return Err(Problem::usage(&format!("{option} belongs to `upkeep config {of}`")));
            }
        }
        if self.write && self.dry_run {
            return Err(Problem::usage("--dry-run does nothing, so there is nothing to --write"));
        }
        Ok(())
    }

    /// For commands without words.
    pub(super) fn no_words(&self) -> Result<(), Problem> {
        match self.words.first() {
            None => Ok(()),
            Some(word) => {
                Err(Problem::usage(&format!("`upkeep {}` takes no names, but got \"{word}\"", self.command)))
            }
        }
    }
}

fn text(parser: &mut Parser) -> Result<String, lexopt::Error> {
    parser.value()?.string()
}

fn complaint(error: lexopt::Error) -> Problem {
    Problem::usage(&error.to_string()).hint("`upkeep COMMAND --help` lists the options")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Problem> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn options_may_stand_anywhere() {
        let expected = Options {
            command: "logs".to_owned(),
            config: Some("f".to_owned()),
            json: true,
            follow: true,
            bytes: Some(10),
            words: vec!["a".to_owned(), "b".to_owned()],
            ..Options::default()
        };
        for line in [
            "logs -f -n 10 a b -c f --json",
            "-cf --json logs a -fn10 b",
            "logs --bytes=10 a b --config f -f --json",
        ] {
            assert_eq!(parse(line), Ok(expected.clone()), "{line}");
        }
    }

    #[test]
    fn wrong_ones_are_refused() {
        for line in [
            "status --nope",
            "status -x",
            "logs -n",
            "logs -n many",
            "status -f",
            "start --stderr a",
            "update --keep",
            "update --plan",
            "reread --dry-run",
            "status --plan",
            "start --rolling a",
            "restart --batch 2 a",
            "restart --rolling --wait",
            "status --binary x",
            "check --to yaml",
            "convert -o",
            "upgrade --binary",
            "update --write",
            "diff --diff",
            "config show 1 --write",
            "config rollback 1 --diff",
            "config list --dry-run",
            "config rollback 1 --write --dry-run",
        ] {
            let problem = parse(line).expect_err(line);
            assert_eq!(problem.status, 2, "{line}");
        }
    }
}
