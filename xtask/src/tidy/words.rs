//! Words and paths that have no place in the project.
//!
//! Must never name a word anywhere but here.
//! Tests: below.

use std::path::{Path, PathBuf};

use super::shown;
use crate::shell;

/// Words that have no place in the project.
const WORDS: &[&str] = &["TODO", "FIXME", "XXX", "dbg!("];

/// Folders that every machine has: a path below them may be an example.
const COMMON: &[&str] = &["etc", "home", "mnt", "opt", "root", "srv", "usr", "Users", "var"];

/// Where one of them stands.
pub(super) fn check(files: &[PathBuf]) -> Vec<String> {
    let own = Path::new("xtask/src/tidy/words.rs");
    let places = machine_paths(&shell::root(), &std::env::temp_dir());
    let mut broken = Vec::new();
    for path in files {
        let Ok(text) = std::fs::read_to_string(path) else { continue };
        // This file alone has to name the words.
        let words: &[&str] = if path.ends_with(own) { &[] } else { WORDS };
        for (number, line) in text.lines().enumerate() {
            for word in wrong_words(line, words, &places) {
                broken.push(format!("{}:{} has `{word}`", shown(path), number + 1));
            }
        }
    }
    broken
}

fn wrong_words<'a>(line: &str, words: &[&'a str], places: &'a [String]) -> Vec<&'a str> {
    words.iter().copied().chain(places.iter().map(String::as_str)).filter(|word| line.contains(word)).collect()
}

/// Beginnings of paths that only this machine has: where the checkout lies, and what lies in the temporary folder.
/// Each ends with a slash, so that a word that only begins alike passes.
fn machine_paths(checkout: &Path, temporary: &Path) -> Vec<String> {
    let names: Vec<String> = checkout.iter().skip(1).map(|name| name.to_string_lossy().into_owned()).collect();
    // The uppermost folder that is this machine's own: everything below it is, too.
    let own = names.iter().take_while(|name| COMMON.contains(&name.as_str())).count() + 1;
    let own = names.iter().take(own).fold(String::new(), |path, name| format!("{path}/{name}"));
    let temporary = temporary.to_string_lossy().trim_end_matches('/').to_owned();
    [own, temporary].into_iter().filter(|path| !path.is_empty()).map(|path| path + "/").collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_this_machine_are_refused_wherever_it_keeps_them() {
        // Put together here, so that the check of this very file has nothing to say.
        let slash = |names: &[&str]| names.iter().map(|name| format!("/{name}")).collect::<String>();
        let temporary = slash(&["tmp"]);
        for (checkout, line, refused) in [
            (&["work", "main"][..], &["work", "elsewhere", "notes"][..], true),
            (&["work", "main"], &["workshop", "notes"], false),
            (&["work", "main"], &["tmp", "jobs"], true),
            (&["home", "ada", "deck"], &["home", "ada", "notes"], true),
            (&["home", "ada", "deck"], &["home", "grace", "project"], false),
            (&["home", "ada", "deck"], &["etc", "rota"], false),
        ] {
            let places = machine_paths(Path::new(&slash(checkout)), Path::new(&temporary));
            let line = format!("see {}", slash(line));
            assert_eq!(!wrong_words(&line, WORDS, &places).is_empty(), refused, "{line} with {places:?}");
        }
        assert_eq!(wrong_words("a TODO", WORDS, &[]), ["TODO"]);
    }
}
