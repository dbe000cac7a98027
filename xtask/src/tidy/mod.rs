//! House rules as checks: arrows between crates, file sizes, module heads, words, licences, sources.
//!
//! Must never change a file.
//! Tests: below, each rule with a case it must refuse.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

use crate::shell;

/// Longest source file, tests included.
const FILE_LINES_MAX: usize = 500;

/// What each crate of ours may depend on. Dev-dependencies are free, but `playground` and `sim` serve only tests and
/// the command.
const ARROWS: &[(&str, &[&str])] = &[
    ("flowdeck-model", &[]),
    ("flowdeck-format", &["flowdeck-model"]),
    ("flowdeck-engine", &["flowdeck-model"]),
    ("flowdeck-store", &["flowdeck-engine", "flowdeck-model"]),
    ("flowdeck-egress", &[]),
    ("flowdeck-connections", &["flowdeck-model", "flowdeck-engine", "flowdeck-egress"]),
    ("flowdeck-functions", &["flowdeck-model", "flowdeck-engine"]),
    ("flowdeck-apps", &["flowdeck-model", "flowdeck-engine", "flowdeck-egress"]),
    (
        "flowdeck",
        &[
            "flowdeck-model",
            "flowdeck-format",
            "flowdeck-engine",
            "flowdeck-store",
            "flowdeck-egress",
            "flowdeck-connections",
            "flowdeck-functions",
            "flowdeck-apps",
        ],
    ),
    ("flowdeck-server", &["flowdeck", "flowdeck-model"]),
    ("flowdeck-cli", &["flowdeck", "flowdeck-model", "flowdeck-server", "flowdeck-playground"]),
    ("flowdeck-playground", &[]),
    ("flowdeck-sim", &["flowdeck-model", "flowdeck-engine"]),
    ("flowdeck-tests", &["flowdeck", "flowdeck-model"]),
    // A tool like the command, over the parts: it runs exports against stand-in apps.
    (
        "flowdeck-corpus",
        &["flowdeck", "flowdeck-model", "flowdeck-format", "flowdeck-engine", "flowdeck-apps", "flowdeck-sim"],
    ),
    // What fuzzing holds the readers to.
    ("flowdeck-fuzz", &["flowdeck-format", "flowdeck-functions", "flowdeck-model"]),
    ("xtask", &[]),
];

/// Words that have no place in the project.
const WORDS: &[&str] = &["TODO", "FIXME", "XXX", "dbg!("];

/// Folders that every machine has: a path below them may be an example.
const COMMON: &[&str] = &["etc", "home", "mnt", "opt", "root", "srv", "usr", "Users", "var"];

/// Runs every rule and fails where one is broken.
pub(crate) fn run() -> Result<()> {
    let mut broken = 0;
    for (name, ok) in checks()? {
        println!("{} {name}", if ok { "ok    " } else { "broken" });
        broken += usize::from(!ok);
    }
    if broken > 0 {
        bail!("{broken} house rules are broken");
    }
    Ok(())
}

/// Every rule with its verdict; what is wrong is printed.
pub(crate) fn checks() -> Result<Vec<(String, bool)>> {
    let metadata = MetadataCommand::new().current_dir(shell::root()).exec().context("read cargo metadata")?;
    let files = tracked()?;
    let rules: Vec<(&str, Vec<String>)> = vec![
        ("arrows between crates", arrows(&metadata)),
        ("licences of dependencies", licences(&metadata)?),
        ("sources of dependencies", sources(&metadata)),
        ("banned dependencies", bans(&metadata)?),
        ("file sizes", sizes(&files)),
        ("module heads", heads(&files)),
        ("words", words(&files)),
        ("test files in their program", unnamed_tests(&files)),
    ];
    Ok(rules
        .into_iter()
        .map(|(name, broken)| {
            for line in &broken {
                println!("tidy: {name}: {line}");
            }
            (format!("tidy: {name}"), broken.is_empty())
        })
        .collect())
}

fn arrows(metadata: &Metadata) -> Vec<String> {
    let edges = metadata.workspace_packages().into_iter().map(|package| {
        let ours = package
            .dependencies
            .iter()
            .filter(|d| d.kind == DependencyKind::Normal && d.path.is_some())
            .map(|d| d.name.clone())
            .collect();
        (package.name.to_string(), ours)
    });
    wrong_arrows(&edges.collect())
}

fn wrong_arrows(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let mut broken = Vec::new();
    for (from, targets) in edges {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == from) else {
            broken.push(format!("{from} has no line in the table of arrows"));
            continue;
        };
        for to in targets.iter().filter(|to| !allowed.contains(&to.as_str())) {
            broken.push(format!("{from} must not depend on {to}"));
        }
    }
    broken
}

fn deny() -> Result<toml::Table> {
    Ok(std::fs::read_to_string(shell::root().join("deny.toml"))?.parse()?)
}

fn licences(metadata: &Metadata) -> Result<Vec<String>> {
    let deny = deny()?;
    let allowed: Vec<&str> =
        deny["licenses"]["allow"].as_array().context("licenses.allow")?.iter().filter_map(|v| v.as_str()).collect();
    Ok(metadata
        .packages
        .iter()
        .filter(|p| p.source.is_some())
        .filter_map(|p| match &p.license {
            Some(expression) if licence_allowed(expression, &allowed) => None,
            other => Some(format!("{} {}: {}", p.name, p.version, other.as_deref().unwrap_or("no licence given"))),
        })
        .collect())
}

/// Whether some choice of the expression is allowed: `OR` and `/` choose, `AND` needs both sides.
fn licence_allowed(expression: &str, allowed: &[&str]) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" OR ").any(|choice| choice.split(" AND ").all(|part| allowed.contains(&part.trim())))
        || expression
            .replace(['(', ')'], " ")
            .split(" AND ")
            .all(|side| side.replace('/', " OR ").split(" OR ").any(|choice| allowed.contains(&choice.trim())))
}

fn sources(metadata: &Metadata) -> Vec<String> {
    metadata
        .packages
        .iter()
        .filter_map(|p| p.source.as_ref().map(|s| (p, s.repr.as_str())))
        .filter(|(_, source)| !source.contains("crates.io-index"))
        .map(|(p, source)| format!("{} comes from {source}", p.name))
        .collect()
}

fn bans(metadata: &Metadata) -> Result<Vec<String>> {
    let deny = deny()?;
    let banned: Vec<&str> = deny["bans"]["deny"]
        .as_array()
        .context("bans.deny")?
        .iter()
        .filter_map(|entry| entry.get("crate").and_then(|v| v.as_str()))
        .collect();
    let used: BTreeSet<&str> = metadata
        .resolve
        .iter()
        .flat_map(|r| &r.nodes)
        .filter_map(|node| metadata.packages.iter().find(|p| p.id == node.id))
        .map(|p| p.name.as_str())
        .collect();
    Ok(banned.into_iter().filter(|b| used.contains(b)).map(|b| format!("{b} is banned (deny.toml says why)")).collect())
}

/// Files that git knows or would know.
fn tracked() -> Result<Vec<PathBuf>> {
    let out = Command::new("git")
        .current_dir(shell::root())
        .args(["ls-files", "--cached", "--others", "--exclude-standard", "-z"])
        .output()
        .context("list files with git")?;
    Ok(out
        .stdout
        .split(|b| *b == 0)
        .filter(|p| !p.is_empty())
        .map(|p| shell::root().join(String::from_utf8_lossy(p).as_ref()))
        .filter(|p| p.is_file())
        .collect())
}

fn is_rust(path: &Path) -> bool {
    path.extension().is_some_and(|e| e == "rs")
}

fn shown(path: &Path) -> String {
    path.strip_prefix(shell::root()).unwrap_or(path).display().to_string()
}

fn sizes(files: &[PathBuf]) -> Vec<String> {
    let lines = |path: &PathBuf| std::fs::read_to_string(path).map_or(0, |t| t.lines().count());
    files
        .iter()
        .filter(|p| is_rust(p))
        .map(|p| (p, lines(p)))
        .filter(|(_, n)| *n > FILE_LINES_MAX)
        .map(|(p, n)| format!("{} has {n} lines, the limit is {FILE_LINES_MAX}", shown(p)))
        .collect()
}

fn heads(files: &[PathBuf]) -> Vec<String> {
    files
        .iter()
        .filter(|p| is_rust(p))
        .filter(|p| !std::fs::read_to_string(p).is_ok_and(|t| t.starts_with("//!")))
        .map(|p| format!("{} does not begin with what it is for", shown(p)))
        .collect()
}

/// Files of tests that the program beside them does not name: they would be neither built nor run, and nothing said.
fn unnamed_tests(files: &[PathBuf]) -> Vec<String> {
    let mains = files.iter().filter(|p| p.ends_with("tests/main.rs"));
    let mut broken = Vec::new();
    for main in mains {
        let Ok(text) = std::fs::read_to_string(main) else { continue };
        let beside = main.parent();
        let names =
            files.iter().filter(|p| is_rust(p) && p != &main).filter_map(|p| match p.file_name()?.to_str()? {
                "mod.rs" => (p.parent()?.parent() == beside).then(|| p.parent()?.file_name()?.to_str())?,
                name => (p.parent() == beside).then(|| name.trim_end_matches(".rs")),
            });
        broken.extend(not_named(&text, names).into_iter().map(|name| format!("{} lacks `mod {name};`", shown(main))));
    }
    broken
}

fn not_named<'a>(main: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let named: BTreeSet<&str> = main
        .lines()
        .filter_map(|l| l.trim_start_matches("pub(crate) ").strip_prefix("mod ")?.strip_suffix(';'))
        .collect();
    names.filter(|name| !named.contains(name)).collect()
}

fn words(files: &[PathBuf]) -> Vec<String> {
    let own = Path::new("xtask/src/tidy/mod.rs");
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
    fn an_arrow_that_is_not_drawn_is_refused() {
        let edge = |from: &str, to: &str| BTreeMap::from([(from.to_owned(), BTreeSet::from([to.to_owned()]))]);
        assert!(wrong_arrows(&edge("flowdeck-engine", "flowdeck-model")).is_empty());
        assert_eq!(wrong_arrows(&edge("flowdeck-model", "flowdeck-engine")).len(), 1);
        assert_eq!(wrong_arrows(&edge("flowdeck-new", "flowdeck-model")).len(), 1);
        assert_eq!(wrong_arrows(&edge("flowdeck-engine", "flowdeck-sim")).len(), 1);
    }

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

    #[test]
    fn a_test_file_that_no_program_names_is_refused() {
        let main = "//! mod heads;\nmod open;\nmod support;\n";
        assert_eq!(not_named(main, ["open", "support", "damage", "heads"].into_iter()), ["damage", "heads"]);
    }

    #[test]
    fn a_licence_must_have_an_allowed_choice() {
        let allowed = ["MIT", "Apache-2.0", "ISC"];
        for good in ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND ISC", "ISC AND (MIT OR X)"] {
            assert!(licence_allowed(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", ""] {
            assert!(!licence_allowed(bad, &allowed), "{bad}");
        }
    }
}
