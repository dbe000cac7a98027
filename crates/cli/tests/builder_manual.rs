//! The commands of `docs/building-flows.md`, one after the other in an empty folder, and what they print.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;
use crate::support::manual;

use std::path::Path;
use std::process::Command;

use regex::Regex;
use support::Home;

/// What a command line prints, both streams as a person sees them.
fn printed(home: &Home, line: &str) -> String {
    let folder = Path::new(env!("CARGO_BIN_EXE_flowdeck")).parent().unwrap().to_owned();
    let path =
        std::env::join_paths([folder].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let mut command = Command::new("sh");
    command.args(["-c", &format!("{line} 2>&1")]).current_dir(home.path(".")).env_clear().env("PATH", path.unwrap());
    command.env("HOME", home.path(".")).env("XDG_RUNTIME_DIR", home.path(".")).env("FLOWDECK_DATA", home.path("data"));
    let out = command.stdin(std::process::Stdio::null()).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let ids = Regex::new(r"\bprm_[0-9a-z]{26}\b").unwrap();
    ids.replace_all(&text, "prm_…").lines().map(|line| line.trim_end().to_owned() + "\n").collect()
}

#[test]
fn the_commands_of_the_manual_print_what_it_shows() {
    let home = Home::new();
    let page = std::fs::read_to_string(manual::page()).unwrap();
    let mut parts = page.split("```console\n");
    let mut again = parts.next().unwrap().to_owned();
    let mut count = 0;
    for part in parts {
        let (block, rest) = part.split_once("```").unwrap();
        again.push_str("```console\n");
        for line in block.lines().filter_map(|line| line.strip_prefix("$ ")) {
            again.push_str(&format!("$ {line}\n{}", printed(&home, line)));
            count += 1;
        }
        again.push_str(&format!("```{rest}"));
    }
    assert!(count >= 7, "{count} commands");
    if manual::is_update() {
        std::fs::write(manual::page(), again).unwrap();
        return;
    }
    assert_eq!(page, again, "docs/building-flows.md shows other output; FLOWDECK_UPDATE=1 records it again");
}
