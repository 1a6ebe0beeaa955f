//! Files of variables.

use upkeep_config::{CommandLine, Environment, Lenient, Sources, load};

/// Whatever a file says: what is wrong is told with a line of the file, what is taken in has bounds, and values come back
/// if they are written plainly.
pub(crate) fn env_file(bytes: &[u8]) {
    let folder = std::env::temp_dir().join(format!("upkeep-env-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a folder");
    judge(&folder, bytes);
    std::fs::remove_dir_all(&folder).expect("removed");
}

fn judge(folder: &std::path::Path, bytes: &[u8]) {
    let Some(variables) = variables(folder, bytes) else { return };
    assert!(variables.iter().map(|(_, value)| value.len()).sum::<usize>() <= 2 << 20);
    let plain = |value: &str| !value.contains(['\'', '\\', '\r']);
    let kept: Vec<(String, String)> = variables.into_iter().filter(|(_, value)| plain(value)).collect();
    let text: String = kept.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect();
    assert_eq!(self::variables(folder, text.as_bytes()).as_ref(), Some(&kept), "{text:?}");
}

/// `None` if the file is refused.
fn variables(folder: &std::path::Path, bytes: &[u8]) -> Option<Vec<(String, String)>> {
    let (path, file) = (folder.join("x.conf"), folder.join(".env"));
    std::fs::write(&path, "[supervisord]\n[program:x]\ncommand=x\nenv_files=.env\n").expect("written");
    std::fs::write(&file, bytes).expect("written");
    let configuration = Some(path.to_string_lossy().into_owned());
    let cli = CommandLine { configuration, ..CommandLine::default() };
    let sources = Sources::read(&cli, Environment::default()).expect("sources");
    match load(&sources, &cli, &Lenient) {
        Ok(config) => Some(config.groups[0].processes[0].environment.clone().into_iter().collect()),
        Err(error) => {
            let lines = bytes.iter().filter(|&&byte| byte == b'\n').count() + 1;
            for problem in error.diagnostics {
                assert_eq!(problem.file.as_deref(), file.to_str(), "{problem:?}");
                assert!(problem.line.is_some_and(|line| (1..=lines).contains(&line)), "{problem:?}");
            }
            None
        }
    }
}
