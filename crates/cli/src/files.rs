//! Reads flow files and the catalogue they are checked against.
//!
//! Must never read a file without a limit.
//! Tests: `crates/cli/tests/check.rs`.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use flowdeck::{Apps, Cards, Source};

/// Largest flow file, in bytes; the format's own limit.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// A flow file, or standard input for `-`.
pub(crate) fn source(path: &Path) -> Result<Source> {
    let name = if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() };
    let mut bytes = Vec::new();
    if path == Path::new("-") {
        std::io::stdin().lock().take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).context("read standard input")?;
    } else {
        let file = std::fs::File::open(path).with_context(|| format!("open {name}"))?;
        file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes).with_context(|| format!("read {name}"))?;
    }
    if bytes.len() as u64 > FILE_BYTES_MAX {
        bail!("{name} is larger than {FILE_BYTES_MAX} bytes");
    }
    let text = String::from_utf8(bytes).with_context(|| format!("{name} is not UTF-8 text"))?;
    Ok(Source::new(&name, &text))
}

/// The catalogue with the built-in apps.
pub(crate) fn cards() -> Result<Cards> {
    Ok(Cards::new(Arc::new(Apps::built_in(&indexmap::IndexMap::new())?)))
}
