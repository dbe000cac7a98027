//! Commands that only look: they start nothing, and they work in a folder that cannot be written.
//!
//! Must never pass because the person may write everywhere: as root the binary runs as somebody else.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use flowdeck::engine::{RunView, Start, Status};
use flowdeck::model::{Fields, RunId};
use flowdeck::{Runtime, RuntimeBuilder, Source};
use support::Home;

const FLOW: &str =
    "flow: counts\ncards:\n  - id: t\n    times: 3\n    as: i\n    cards:\n      - id: j\n        card: date/now\n";
const NOBODY: u32 = 65_534;

fn builder(home: &Home) -> RuntimeBuilder {
    Runtime::builder().data(home.path("data")).key_file(home.path(".config/flowdeck/key"))
}

/// A run that was accepted, and whose process ended before it did anything.
fn accepted(home: &Home) -> RunId {
    let executor = tokio::runtime::Runtime::new().unwrap();
    executor.block_on(async {
        let runtime = builder(home).open().await.unwrap();
        let flow = runtime.flow(&Source::new("counts.flow.yaml", FLOW), None).unwrap();
        let run = runtime.start_run(Start::new(flow, Fields::new())).await.unwrap();
        runtime.stop().await.unwrap();
        run
    })
}

fn look(home: &Home, run: RunId) -> RunView {
    let executor = tokio::runtime::Runtime::new().unwrap();
    executor.block_on(async { builder(home).look().await.unwrap().run_view(run).await.unwrap() })
}

#[test]
fn the_doctor_drives_nothing() {
    let home = Home::new();
    let run = accepted(&home);
    let said = home.say(&["doctor"]).check(0, &[]);
    assert!(said.out.contains("no command works in it now"), "{}", said.out);
    let after = look(&home, run);
    assert_eq!((after.status, after.counts.steps), (Status::Running, 0), "the doctor ran it");
    assert!(!home.path("data/playground").exists());
    home.say(&["runs", "resume", &run.to_string()]).check(0, &[]);
    assert_eq!(look(&home, run).status, Status::Finished);
}

#[test]
fn who_reads_starts_nothing_and_keeps_nobody_out() {
    let home = Home::new();
    let run = accepted(&home);
    let id = run.to_string();
    let listed = home.say(&["runs", "list"]).check(0, &[]);
    assert!(listed.out.contains("No command works here now"), "{}", listed.out);
    let table: [&[&str]; 5] = [
        &["runs", "show", &id],
        &["connections", "list"],
        &["prompts", "list"],
        &["tables", "list"],
        &["runs", "list", "--json"],
    ];
    for arguments in table {
        home.say(arguments).check(0, &[]);
    }
    let after = look(&home, run);
    assert_eq!((after.status, after.counts.steps), (Status::Running, 0), "a reader ran it");
    assert!(!home.path("data/playground").exists());
}

#[test]
fn who_reads_slowly_keeps_nobody_out() {
    let home = Home::new();
    let rows = "a row of a table that is long enough to fill a pipe\n".repeat(5_000);
    let file = home.file("rows.csv", format!("text\n{rows}"));
    home.say(&["tables", "create", "words", "text:text"]).check(0, &[]);
    home.say(&["tables", "import", "words", &file]).check(0, &[]);
    let (mut reader, writer) = std::io::pipe().unwrap();
    let mut slow = home.command(&["tables", "export", "words"]).stdout(writer).spawn().unwrap();
    // It has begun to write far more than a pipe holds, and stands there now.
    std::io::Read::read_exact(&mut reader, &mut [0; 4]).unwrap();
    home.say(&["tables", "set", "words", "text=new"]).check(0, &[]);
    assert!(slow.try_wait().unwrap().is_none(), "it had written everything: nothing was tried");
    drop(reader);
    assert!(slow.wait().unwrap().success());
}

#[test]
fn who_reads_where_nothing_is_makes_nothing() {
    let home = Home::new();
    for arguments in [&["runs", "list"], &["prompts", "list"], &["connections", "list"], &["tables", "list"]] {
        let said = home.say(arguments).check(0, &["There is nothing in", "data yet"]);
        assert!(said.out.starts_with("No"), "{arguments:?}: {}", said.out);
    }
    assert!(!home.path("data").exists() && !home.path(".config").exists());
    // The key of a folder that was used is not made anew.
    accepted(&home);
    std::fs::remove_dir_all(home.path(".config")).unwrap();
    let flow = home.file("counts.flow.yaml", FLOW);
    for arguments in [&["runs", "list"][..], &["run", &flow]] {
        home.say(arguments).check(1, &["there is no key file", "--key-file"]);
    }
    let doctor = home.say(&["doctor"]).check(1, &[]);
    assert!(doctor.out.contains("is missing, and the data"), "{}", doctor.out);
    assert!(!home.path(".config").exists(), "a key that fits nothing was made");
}

/// The binary where whoever runs the tests could write everywhere, run by somebody who cannot.
fn as_nobody(home: &Home, arguments: &[&str]) -> Command {
    let mut command = home.command(arguments);
    if rustix::process::getuid().is_root() {
        let binary = home.path("the-binary");
        if !binary.exists() {
            std::fs::copy(env!("CARGO_BIN_EXE_flowdeck"), &binary).unwrap();
        }
        let mut other = Command::new(binary);
        other.args(arguments).current_dir(command.get_current_dir().unwrap()).env_clear();
        other.envs(command.get_envs().filter_map(|(key, value)| Some((key, value?))));
        other.uid(NOBODY).gid(NOBODY);
        command = other;
    }
    command
}

fn everything(folder: &Path, visit: &mut impl FnMut(&Path)) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path: PathBuf = entry.unwrap().path();
        visit(&path);
        if path.is_dir() {
            everything(&path, visit);
        }
    }
}

#[test]
fn a_folder_that_cannot_be_written_can_be_read() {
    let home = Home::new();
    let run = accepted(&home).to_string();
    if rustix::process::getuid().is_root() {
        chown(home.path("."), Some(NOBODY), Some(NOBODY)).unwrap();
        everything(&home.path("."), &mut |path| chown(path, Some(NOBODY), Some(NOBODY)).unwrap());
    }
    let forbid = |mode_folder: u32, mode_file: u32| {
        let set = |path: &Path| {
            let mode = if path.is_dir() { mode_folder } else { mode_file };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        };
        set(&home.path("data"));
        everything(&home.path("data"), &mut |path| set(path));
    };
    forbid(0o500, 0o400);
    let table: [&[&str]; 7] = [
        &["runs", "list"],
        &["runs", "show", &run],
        &["connections", "list"],
        &["prompts", "list"],
        &["tables", "list"],
        &["doctor"],
        &["apps", "list"],
    ];
    for arguments in table {
        let said = as_nobody(&home, arguments).output().unwrap();
        let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        assert_eq!(said.status.code(), Some(0), "{arguments:?}: {out}{err}");
        if arguments[0] == "runs" {
            assert!(out.contains("counts"), "{arguments:?}: {out}");
        }
        if arguments == ["doctor"] {
            assert!(out.contains("cannot be written") && out.contains("chmod -R"), "{out}");
        }
    }
    let refused = as_nobody(&home, &["runs", "resume", &run]).output().unwrap();
    assert!(String::from_utf8_lossy(&refused.stderr).contains("can only be looked at"));
    assert_ne!(refused.status.code(), Some(0));
    forbid(0o700, 0o600);
    let done = as_nobody(&home, &["runs", "resume", &run]).output().unwrap();
    assert_eq!(done.status.code(), Some(0), "{}", String::from_utf8_lossy(&done.stderr));
}
