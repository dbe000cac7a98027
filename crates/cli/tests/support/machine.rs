//! A person's machine: a home, a runtime folder, a project with some of the sample flows, a browser.
//!
//! Must never see the person's own folders, keys or browser.
//! Tests: `first_minute.rs`, `builder_terminal.rs` and `serving_manual.rs` use it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use portable_pty::CommandBuilder;

use super::Said;
use super::browser::Browser;
use super::terminal::Terminal;

pub(crate) struct Machine {
    folder: tempfile::TempDir,
    pub(crate) browser: Browser,
}

impl Machine {
    /// `samples` are paths of flows in the repository; the project has them in the same place.
    pub(crate) fn new(samples: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "runtime", "project/flows"] {
            fs::create_dir_all(folder.path().join(name)).unwrap();
        }
        for flow in samples {
            let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(flow);
            fs::copy(sample, folder.path().join("project").join(flow)).unwrap();
        }
        let browser = Browser::new(folder.path());
        Self { folder, browser }
    }

    /// A place in the project.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("project").join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// The real binary, in the project.
    pub(crate) fn command(&self, arguments: &[&str]) -> CommandBuilder {
        let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.args(arguments);
        command.env_clear();
        command.cwd(self.folder.path().join("project"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        command.env("HOME", self.folder.path().join("home"));
        command.env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"));
        command.env("BROWSER", self.browser.command());
        command.env("TERM", "xterm-256color");
        command
    }

    pub(crate) fn start(&self, arguments: &[&str]) -> Terminal {
        Terminal::start(self.command(arguments), 80)
    }

    /// As [`Machine::start`], from a shell, which then does `rest`.
    pub(crate) fn start_and(&self, arguments: &[&str], rest: &str) -> Terminal {
        let mut command = self.command(arguments);
        let script = format!("trap : INT; \"$@\"; {rest}");
        let shell = ["sh".into(), "-c".into(), script.into(), "sh".into()];
        command.get_argv_mut().splice(0..0, shell);
        Terminal::start(command, 80)
    }

    /// The same machine with nobody at its terminal.
    pub(crate) fn unattended(&self, arguments: &[&str]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_flowdeck"));
        command.args(arguments).env_clear().current_dir(self.path(".")).stdin(Stdio::null());
        command.env("HOME", self.folder.path().join("home"));
        command.env("XDG_RUNTIME_DIR", self.folder.path().join("runtime"));
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        let Output { status, stdout, stderr } = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Said { code: status.code().unwrap(), out: text(stdout), err: text(stderr) }
    }

    /// Connects an account of the playground under this name.
    pub(crate) fn connected(&self, nickname: &str) {
        let mut terminal = self.start(&["connect", "playground", "--as", nickname, "--browser"]);
        terminal.wait_for("Waiting for your consent.");
        self.browser.allow();
        let (code, screen) = terminal.end();
        assert_eq!(code, 0, "{screen}");
    }
}
