//! `flowdeck fmt`: flow files in their stable order, comments kept.
//!
//! Must never write a file that it could not read whole, nor leave one half written.
//! Tests: `crates/cli/tests/check.rs`.

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::build::save;
use crate::end::{End, of_error, usage};
use crate::{files, out};

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck fmt flow.yaml            print the tidy form
  flowdeck fmt --write flows/*.yaml change the files
  flowdeck fmt --check flows/*.yaml exit 65 where a file is not tidy")]
pub(crate) struct Fmt {
    /// Flow files; `-` for standard input.
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Change the files instead of printing.
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Only say which files are not tidy.
    #[arg(long)]
    check: bool,
}

pub(crate) fn run(fmt: &Fmt) -> Result<End> {
    if fmt.write && fmt.files.iter().any(|p| p == Path::new("-")) {
        return Err(usage("standard input cannot be written back; leave --write out"));
    }
    let mut end = End::Fine;
    for path in &fmt.files {
        let source = match files::source(path) {
            Ok(source) => source,
            // The others are read all the same.
            Err(error) => {
                end = End::WrongFile;
                out::error(&of_error(&error).1);
                continue;
            }
        };
        let tidy = match flowdeck::format_text(&source) {
            Ok(tidy) => tidy,
            Err(diagnostics) => {
                diagnostics.iter().for_each(|d| out::error(&format!("{}\n", d.render(&source, false))));
                end = End::WrongFile;
                continue;
            }
        };
        let changed = tidy != *source.text;
        if fmt.check && changed {
            out::text(&format!("{}\n", source.name));
            end = End::WrongFile;
        } else if fmt.write && changed {
            save::replace(path, &source.text, &tidy)?;
            out::text(&format!("{}\n", source.name));
        } else if !fmt.write && !fmt.check {
            out::text(&tidy);
        }
    }
    Ok(end)
}
