//! `flowdeck completions`: what a shell needs to complete commands and options.
//!
//! Must never name a command or option that there is not: it is made from the command line itself.
//! Tests: `crates/cli/tests/arguments.rs`.

use anyhow::Result;
use clap::{Args, Command};
use clap_complete::{Shell, generate};

use crate::end::End;
use crate::out;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck completions bash > ~/.local/share/bash-completion/completions/flowdeck
  flowdeck completions zsh > ~/.zfunc/_flowdeck
  flowdeck completions fish > ~/.config/fish/completions/flowdeck.fish")]
pub(crate) struct Completions {
    /// The shell.
    #[arg(value_enum)]
    shell: Shell,
}

pub(crate) fn run(completions: &Completions, mut command: Command) -> Result<End> {
    let mut script = Vec::new();
    generate(completions.shell, &mut command, "flowdeck", &mut script);
    out::text(String::from_utf8(script)?.trim_end());
    Ok(End::Fine)
}
