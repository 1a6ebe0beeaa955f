//! Where a configuration file is looked for (CFG-001).

use std::path::PathBuf;

use crate::environment::Environment;
use crate::python::path::{dirname, join};

/// The first existing file of the search path of `program`; relative places are named relatively.
///
/// # Errors
/// Every place of Supervisor's that was looked at, in order.
pub fn find_config(program: &str, env: &Environment) -> Result<PathBuf, Vec<PathBuf>> {
    let places = places(program, env);
    match places.iter().chain(&own_places(&places)).find(|place| env.cwd.join(place).exists()) {
        Some(place) => Ok(place.clone()),
        None => Err(places),
    }
}

/// What is looked for in the same directories when there is nothing in any of Supervisor's places, so that who has a
/// `supervisord.conf` never gets something else.
pub(crate) const OWN_FILES: [&str; 8] = [
    "upkeep.yaml",
    "upkeep.yml",
    "upkeep.toml",
    "upkeep.json",
    "supervisord.yaml",
    "supervisord.yml",
    "supervisord.toml",
    "supervisord.json",
];

fn own_places(places: &[PathBuf]) -> Vec<PathBuf> {
    let directories = places.iter().map(|place| dirname(&place.to_string_lossy()).to_owned());
    let directories: Vec<String> = directories.chain(["/etc/upkeep".to_owned()]).collect();
    let files = |directory: &String| OWN_FILES.map(|file| PathBuf::from(join(directory, file)));
    directories.iter().flat_map(files).collect()
}

/// The path of a program that was called by `program`: found through PATH if that is a bare name, as the system found
/// it. Supervisor's own messages and search path have it so.
#[must_use]
pub fn program_path(program: &str, env: &Environment) -> String {
    if program.contains('/') {
        return program.to_owned();
    }
    let directories =
        env.var("PATH").unwrap_or_default().split(':').filter(|directory| !directory.is_empty());
    directories
        .map(|directory| join(directory, program))
        .find(|path| env.cwd.join(path).is_file())
        .unwrap_or_else(|| program.to_owned())
}

fn places(program: &str, env: &Environment) -> Vec<PathBuf> {
    let path = program_path(program, env);
    let root = dirname(dirname(&path));
    vec![
        PathBuf::from(join(root, "etc/supervisord.conf")),
        PathBuf::from(join(root, "supervisord.conf")),
        PathBuf::from("supervisord.conf"),
        PathBuf::from("etc/supervisord.conf"),
        PathBuf::from("/etc/supervisord.conf"),
        PathBuf::from("/etc/supervisor/supervisord.conf"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_beside_the_program_then_here_then_in_etc_cfg_001() {
        let home = tempfile::tempdir().unwrap();
        let env = Environment { cwd: home.path().to_owned(), ..Environment::default() };
        let program = home.path().join("bin/supervisord").to_string_lossy().into_owned();
        let places = find_config(&program, &env).unwrap_err();
        assert_eq!(places[0], home.path().join("etc/supervisord.conf"));
        assert_eq!(places[1], home.path().join("supervisord.conf"));
        assert_eq!(places[5], PathBuf::from("/etc/supervisor/supervisord.conf"));
        std::fs::write(home.path().join("supervisord.conf"), "").unwrap();
        assert_eq!(find_config(&program, &env), Ok(home.path().join("supervisord.conf")));
        assert_eq!(find_config("supervisord", &env), Ok(PathBuf::from("supervisord.conf")));
    }

    #[test]
    fn other_dialects_are_found_where_supervisor_finds_nothing() {
        let home = tempfile::tempdir().unwrap();
        let env = Environment { cwd: home.path().to_owned(), ..Environment::default() };
        let found = || find_config("/nowhere/bin/supervisord", &env).unwrap();
        std::fs::create_dir(home.path().join("etc")).unwrap();
        for (file, expected) in [
            ("etc/supervisord.json", "etc/supervisord.json"),
            ("etc/upkeep.toml", "etc/upkeep.toml"),
            ("supervisord.yml", "supervisord.yml"),
            ("supervisord.yaml", "supervisord.yaml"),
            ("etc/upkeep.yaml", "supervisord.yaml"),
            ("upkeep.json", "upkeep.json"),
            ("upkeep.yaml", "upkeep.yaml"),
            ("etc/supervisord.conf", "etc/supervisord.conf"),
            ("supervisord.conf", "supervisord.conf"),
        ] {
            std::fs::write(home.path().join(file), "").unwrap();
            assert_eq!(found(), PathBuf::from(expected), "{file}");
        }
    }
}
