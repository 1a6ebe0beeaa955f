//! Every file of the corpus means the same to both, down to the text of errors.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::dump::{dump, load_in};
use crate::reference::{corpus, reference};

fn files(folder: &str) -> Vec<String> {
    let mut files: Vec<String> = std::fs::read_dir(corpus().join(folder))
        .expect("the folder is there")
        .flatten()
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name.ends_with(".conf"))
        .map(|name| format!("{folder}/{name}"))
        .collect();
    files.sort();
    files
}

/// The first place where two values differ.
pub(crate) fn difference(ours: &Value, theirs: &Value, path: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(ours), Value::Object(theirs)) => {
            let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            keys.into_iter().find_map(|key| {
                let of = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
                difference(&of(ours), &of(theirs), &format!("{path}.{key}"))
            })
        }
        (Value::Array(ours), Value::Array(theirs)) if ours.len() == theirs.len() => {
            let mut pairs = ours.iter().zip(theirs).enumerate();
            pairs.find_map(|(index, (ours, theirs))| difference(ours, theirs, &format!("{path}[{index}]")))
        }
        _ if ours == theirs => None,
        _ => Some(format!("{path}\n  ours   {ours}\n  theirs {theirs}")),
    }
}

/// Every file and the items of the ledger that it shows.
fn compare(folder: &str, shown: &[(&str, &str)]) {
    let named: Vec<String> = shown.iter().map(|(name, _)| format!("{folder}/{name}.conf")).collect();
    assert_eq!(named.iter().collect::<BTreeSet<_>>(), files(folder).iter().collect(), "named and there");
    let mut reference = reference();
    let failures: Vec<String> = named
        .iter()
        .filter_map(|file| {
            let theirs = reference.load(file);
            assert_eq!(theirs.get("error").is_some(), folder == "bad", "{file}: {theirs}");
            let ours = dump(&load_in(&corpus(), file));
            difference(&ours, &theirs, "").map(|text| format!("{file}: {text}"))
        })
        .collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn good_files_mean_the_same() {
    let shown = [
        ("01-minimal", "CFG-120 CFG-140 CFG-144 CFG-145 CFG-148 CFG-150 CFG-151 CFG-160 CFG-161"),
        ("02-distribution", "CFG-026 CFG-089 CFG-093 CFG-110 CFG-251"),
        ("03-laravel-queue", "CFG-141 CFG-142 CFG-145 CFG-146 CFG-152 CFG-153 CFG-154 CFG-157"),
        ("04-horizon-scheduler", "CFG-086 CFG-091"),
        ("05-celery", "CFG-052 CFG-147"),
        ("06-gunicorn", "CFG-026 CFG-150 CFG-160 CFG-161"),
        ("07-uwsgi-fcgi", "CFG-057 CFG-210 CFG-211 CFG-212 CFG-213 CFG-214 CFG-216"),
        ("08-node", "CFG-146 CFG-148 CFG-149 CFG-180 CFG-182 CFG-183"),
        ("09-numprocs-ports", "CFG-059 CFG-141 CFG-142 CFG-143"),
        ("10-chinese", "CFG-007 CFG-026"),
        ("11-groups", "CFG-144 CFG-180 CFG-182 CFG-183 CFG-184 CFG-185 CFG-186 CFG-196"),
        ("12-eventlistener", "CFG-163 CFG-190 CFG-191 CFG-192 CFG-196"),
        ("13-environment", "CFG-058 CFG-059 CFG-060 CFG-061 CFG-220 CFG-221 CFG-222"),
        ("14-continuation", "CFG-027 CFG-028 CFG-029"),
        ("15-dialect", "CFG-012 CFG-020 CFG-022 CFG-023 CFG-025 CFG-030 CFG-031 CFG-041 CFG-044 CFG-088"),
        (
            "16-numbers",
            "CFG-040 CFG-042 CFG-043 CFG-046 CFG-080 CFG-081 CFG-084 CFG-086 CFG-087 CFG-142 CFG-147 CFG-148 CFG-151 CFG-155 CFG-160 CFG-162",
        ),
        ("17-signals", "CFG-045 CFG-046 CFG-149 CFG-150"),
        ("18-default-section", "CFG-032"),
        ("19-logs", "CFG-093 CFG-158 CFG-159 CFG-163 CFG-164 CFG-165 CFG-166"),
        ("20-servers", "CFG-050 CFG-056 CFG-110 CFG-111 CFG-112 CFG-114 CFG-115 CFG-117 CFG-119"),
        (
            "21-include-here",
            "CFG-010 CFG-055 CFG-064 CFG-065 CFG-066 CFG-067 CFG-068 CFG-069 CFG-070 CFG-071 CFG-074",
        ),
        ("22-rabbitmq-consumers", "CFG-042 CFG-090 CFG-161"),
        ("23-docker", "CFG-086 CFG-158 CFG-160"),
        ("24-quoted-commands", "CFG-140 CFG-153 CFG-234"),
        ("25-serverurl", "CFG-168"),
        ("26-crlf", "CFG-009"),
        ("27-go-services", "CFG-156 CFG-220"),
        ("28-expansion", "CFG-052 CFG-058 CFG-059 CFG-062 CFG-063 CFG-076"),
        ("29-user-and-paths", "CFG-047 CFG-048 CFG-049 CFG-083 CFG-085 CFG-089 CFG-154"),
        ("30-oddities", "CFG-020 CFG-021 CFG-051 CFG-170 CFG-185 CFG-190"),
        ("31-plugins", "CFG-251 CFG-255"),
        ("32-include-names", "CFG-060 CFG-063 CFG-064 CFG-070 CFG-071 CFG-072 CFG-074"),
        (
            "33-more-keys",
            "CFG-085 CFG-087 CFG-089 CFG-092 CFG-094 CFG-161 CFG-162 CFG-163 CFG-169 CFG-183 CFG-195 CFG-214",
        ),
    ];
    compare("good", &shown);
}

#[test]
fn bad_files_fail_with_the_same_words() {
    let shown = [
        ("autorestart", "CFG-014 CFG-146"),
        ("bad-lines", "CFG-023 CFG-034 CFG-035"),
        ("boolean", "CFG-041"),
        ("bytes", "CFG-042"),
        ("conversion", "CFG-076"),
        ("daemon-environment", "CFG-230"),
        ("directory", "CFG-047"),
        ("empty", "CFG-011"),
        ("environment-comment", "CFG-227"),
        ("environment-empty", "CFG-222"),
        ("environment-quote", "CFG-231"),
        ("environment", "CFG-230"),
        ("exitcodes-range", "CFG-046"),
        ("exitcodes", "CFG-046"),
        ("far-utf-8", "CFG-007"),
        ("fcgi-backlog", "CFG-014 CFG-216"),
        ("fcgi-format", "CFG-212"),
        ("fcgi-mode-tcp", "CFG-215"),
        ("fcgi-mode", "CFG-213"),
        ("fcgi-no-socket", "CFG-210"),
        ("fcgi-owner", "CFG-050 CFG-214"),
        ("fcgi-port", "CFG-212"),
        ("fcgi-relative", "CFG-211"),
        ("fcgi-user", "CFG-049"),
        ("group-ambiguous", "CFG-181"),
        ("group-comma", "CFG-180"),
        ("group-listener", "CFG-189"),
        ("group-name", "CFG-051"),
        ("group-priority", "CFG-014 CFG-182"),
        ("group-unknown-first", "CFG-180"),
        ("group-unknown", "CFG-180"),
        ("include-broken", "CFG-036"),
        ("include-error", "CFG-015"),
        ("include-headless", "CFG-036"),
        ("include-here", "CFG-074"),
        ("include-name", "CFG-053 CFG-064"),
        ("include-no-files", "CFG-073"),
        ("inet-here", "CFG-056"),
        ("inet-no-port", "CFG-116"),
        ("inet-password", "CFG-113"),
        ("inet-port-empty", "CFG-118"),
        ("inet-port-large", "CFG-118"),
        ("inet-port-text", "CFG-118"),
        ("inet-port-zero", "CFG-118"),
        ("inet-port", "CFG-118"),
        ("integer-empty", "CFG-040"),
        ("integer-in-program", "CFG-014 CFG-040"),
        ("integer", "CFG-014 CFG-144"),
        ("kill-without-stop", "CFG-153"),
        ("latin-1", "CFG-007"),
        ("level", "CFG-044 CFG-088"),
        ("listener-buffer", "CFG-191"),
        ("listener-name", "CFG-051"),
        ("listener-no-events", "CFG-190"),
        ("listener-redirect", "CFG-194"),
        ("listener-unknown-event", "CFG-190"),
        ("logfile-directory", "CFG-048"),
        ("malformed-key", "CFG-054"),
        ("malformed-percent-end", "CFG-054"),
        ("malformed-percent", "CFG-054"),
        ("names-fcgi", "CFG-057"),
        ("names-group", "CFG-057"),
        ("names-listener", "CFG-057"),
        ("names-once", "CFG-058"),
        ("no-command", "CFG-140"),
        ("no-supervisord", "CFG-011"),
        ("numprocs-name", "CFG-142"),
        ("octal", "CFG-043"),
        ("order-in-program", "CFG-013"),
        ("order-programs", "CFG-013"),
        ("order", "CFG-013"),
        ("own-environment", "CFG-059"),
        ("process-name", "CFG-051 CFG-141"),
        ("process-num-outside", "CFG-057"),
        ("program-logfile", "CFG-048"),
        ("program-name-colon", "CFG-051"),
        ("program-name", "CFG-051"),
        ("program-umask", "CFG-155"),
        ("program-user-id", "CFG-049"),
        ("program-user", "CFG-049 CFG-154"),
        ("rpcinterface", "CFG-250"),
        ("signal-number", "CFG-045"),
        ("signal", "CFG-045"),
        ("text-before-section", "CFG-033"),
        ("truncated-utf-8", "CFG-007"),
        ("umask-empty", "CFG-155"),
        ("unix-chmod", "CFG-111"),
        ("unix-chown", "CFG-112"),
        ("unix-here", "CFG-056"),
        ("unix-no-file", "CFG-110"),
        ("unknown-name-daemon", "CFG-055 CFG-060"),
        ("unknown-name-environment", "CFG-053"),
        ("unknown-name-process", "CFG-053"),
        ("unknown-name", "CFG-059"),
        ("upper-case-section", "CFG-011"),
        ("user", "CFG-049 CFG-083"),
    ];
    compare("bad", &shown);
}
