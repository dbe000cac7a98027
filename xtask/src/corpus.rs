//! `cargo xtask corpus`: builds and runs the proof over real exports and scenarios (`tests/corpus`).
//!
//! Must never pass in the gate where the corpus is not there without saying so.
//! Tests: below, and the tool's own.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};

use crate::report::Report;
use crate::shell;

/// Our own scenarios, over the same exports: what flows do, and what their readmes promise.
const SCENARIOS: [&str; 2] = ["tests/corpus/scenarios", "tests/corpus/readmes"];
/// What the gate lets fall short, each with its reason; run by hand without it, the command ends with an error.
const KNOWN: &str = "tests/corpus/known.json";

/// Runs it with these arguments, in the folder of the caller.
pub(crate) fn run(args: &[String]) -> Result<()> {
    let mut command = shell::cargo();
    let manifest = shell::root().join("Cargo.toml");
    command.args(["run", "--quiet", "--package", "flowdeck-corpus", "--manifest-path"]).arg(manifest).arg("--");
    command.args(args).current_dir(std::env::current_dir()?);
    if !shell::stream(&mut command, |_| {})? {
        bail!("the corpus falls short");
    }
    Ok(())
}

/// The corpus beside the checkout, where it is there.
fn beside(root: &Path) -> Option<PathBuf> {
    let folder = root.parent()?.join("shared/corpus");
    folder.join("okta-templates").is_dir().then_some(folder)
}

/// The step of the gate: exports, their scenarios and ours. It runs what the build of the tests made: built alone, the
/// tool would have dependencies with other features, and those take minutes.
pub(crate) fn gate(report: &mut Report) -> Result<()> {
    let Some(folder) = beside(&shell::root()) else {
        report.missing("corpus (there is no folder `../shared/corpus` beside the checkout)".to_owned());
        return Ok(());
    };
    let text = |path: PathBuf| path.display().to_string();
    let mut args = vec![text(folder.clone()), "--exports".into(), text(folder.clone())];
    let own = SCENARIOS.map(|scenarios| shell::root().join(scenarios));
    for scenarios in std::iter::once(folder.join("scenarios")).chain(own) {
        args.extend(["--scenarios".into(), text(scenarios)]);
    }
    args.extend(["--known".into(), text(shell::root().join(KNOWN))]);
    let ran = shell::build_all()? && {
        let mut tool = Command::new(shell::target().join("debug/flowdeck-corpus"));
        shell::stream(tool.current_dir(shell::root()).args(args), |_| {})?
    };
    report.check("cargo xtask corpus", ran);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_that_is_not_there_is_not_found() {
        assert_eq!(beside(Path::new("/nowhere/checkout")), None);
    }
}
