//! What every source file keeps: its size, its head, its place in a program, no socket of its own.
//!
//! Must never change a file.
//! Tests: below, each rule with a case it must refuse.

use std::collections::BTreeSet;

/// Longest source file, tests included.
const FILE_LINES_MAX: usize = 500;

/// Ways to reach another machine.
const SOCKETS: &[&str] = &["TcpStream::connect", "TcpSocket::", "UdpSocket", "client::conn", "client::legacy"];

/// Who may, beside the egress crate, and why.
const MAY_CONNECT: &[(&str, &str)] = &[
    ("crates/playground/src/loopback.rs", "loopback addresses only, checked before"),
    ("crates/server/src/client.rs", "the data folder's Unix socket, no network"),
];

/// A Rust file, by its path below the root.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) text: String,
}

/// Every rule with what breaks it.
pub(super) fn checks(files: &[Source]) -> Vec<(&'static str, Vec<String>)> {
    vec![
        ("file sizes", sizes(files)),
        ("module heads", heads(files)),
        ("test files in their program", unnamed_tests(files)),
        ("sockets", sockets(files)),
    ]
}

fn sizes(files: &[Source]) -> Vec<String> {
    let lines = files.iter().map(|f| (f, f.text.lines().count())).filter(|(_, n)| *n > FILE_LINES_MAX);
    lines.map(|(f, n)| format!("{} has {n} lines, the limit is {FILE_LINES_MAX}", f.path)).collect()
}

fn heads(files: &[Source]) -> Vec<String> {
    let bare = files.iter().filter(|f| !f.text.starts_with("//!"));
    bare.map(|f| format!("{} does not begin with what it is for", f.path)).collect()
}

/// Files of tests that the program beside them does not name: they would be neither built nor run, and nothing said.
fn unnamed_tests(files: &[Source]) -> Vec<String> {
    let mut broken = Vec::new();
    for main in files {
        let Some(folder) = main.path.strip_suffix("main.rs").filter(|folder| folder.ends_with("/tests/")) else {
            continue;
        };
        let beside = files.iter().filter_map(|f| f.path.strip_prefix(folder)).filter(|path| *path != "main.rs");
        let names = beside.filter_map(|path| match path.split_once('/') {
            Some((name, "mod.rs")) => Some(name),
            Some(_) => None,
            None => path.strip_suffix(".rs"),
        });
        broken.extend(not_named(&main.text, names).map(|name| format!("{} lacks `mod {name};`", main.path)));
    }
    broken
}

fn not_named<'a>(main: &str, names: impl Iterator<Item = &'a str>) -> impl Iterator<Item = &'a str> {
    let named: BTreeSet<&str> = main.lines().filter_map(|line| line.strip_prefix("mod ")?.strip_suffix(';')).collect();
    names.filter(move |name| !named.contains(name))
}

/// Code that ships and reaches out beside the egress crate, whose guard it would pass by.
fn sockets(files: &[Source]) -> Vec<String> {
    let ships = |path: &str| {
        let rest = path.strip_prefix("crates/").and_then(|rest| rest.split_once('/'));
        rest.is_some_and(|(name, rest)| name != "egress" && rest.starts_with("src/"))
    };
    let mut broken = Vec::new();
    for file in files.iter().filter(|f| ships(&f.path) && !MAY_CONNECT.iter().any(|(path, _)| *path == f.path)) {
        let code = file.text.split("#[cfg(test)]").next().unwrap_or_default();
        let found = SOCKETS.iter().filter(|word| code.contains(*word));
        broken.extend(found.map(|word| format!("{} uses {word}: requests go through the egress crate", file.path)));
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> Source {
        Source { path: path.into(), text: text.into() }
    }

    #[test]
    fn a_long_file_and_one_without_a_head_are_refused() {
        let long = "//! Head.\n".repeat(FILE_LINES_MAX);
        assert!(sizes(&[file("a.rs", &long)]).is_empty());
        assert_eq!(sizes(&[file("a.rs", &(long + "\n"))]), ["a.rs has 501 lines, the limit is 500"]);
        assert!(heads(&[file("a.rs", "//! Head.\n")]).is_empty());
        assert_eq!(heads(&[file("a.rs", "use std::fs;\n")]), ["a.rs does not begin with what it is for"]);
    }

    #[test]
    fn a_test_file_that_no_program_names_is_refused() {
        let beside = ["tests/open.rs", "tests/kills/mod.rs", "tests/kills/load.rs", "tests/heads.rs", "src/open.rs"];
        let mut files: Vec<Source> = beside.iter().map(|path| file(&format!("crates/a/{path}"), "")).collect();
        files.push(file("crates/a/tests/main.rs", "//! mod heads;\nmod open;\n"));
        let lacks = |name: &str| format!("crates/a/tests/main.rs lacks `mod {name};`");
        assert_eq!(unnamed_tests(&files), [lacks("kills"), lacks("heads")]);
    }

    #[test]
    fn a_socket_beside_egress_is_refused() {
        let opens = "TcpStream::connect(address)";
        for (path, text, refused) in [
            ("crates/apps/src/host.rs", opens, true),
            ("crates/cli/src/main.rs", "UdpSocket::bind", true),
            ("crates/server/src/edge.rs", "hyper::client::conn::http1", true),
            ("crates/egress/src/dial.rs", opens, false),
            ("crates/apps/tests/host.rs", opens, false),
            ("crates/apps/src/host.rs", "#[cfg(test)]\nTcpStream::connect", false),
            ("crates/playground/src/loopback.rs", opens, false),
        ] {
            assert_eq!(!sockets(&[file(path, text)]).is_empty(), refused, "{path}: {text}");
        }
    }
}
