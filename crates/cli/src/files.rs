//! Reads flow files, event files and the catalogue they are checked against.
//!
//! Must never read a file without a limit.
//! Tests: `crates/cli/tests/check.rs`, `crates/cli/tests/arguments.rs`.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use flowdeck::model::Value;
use flowdeck::{Cards, Checked, DataFolder, Source};
use indexmap::IndexMap;

use crate::end::{WrongFile, usage};
use crate::terminal::style_of;

/// Largest file that is read whole, in bytes; the flow format's own limit.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// Whether a file's name says that it holds tests of flows.
pub(crate) fn is_test(path: &Path) -> bool {
    let name = path.file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    [".test.yaml", ".test.yml", ".test.json"].iter().any(|end| name.ends_with(end))
}

/// The text of a file, or of standard input for `-`.
///
/// # Errors
/// A [`WrongFile`]: what cannot be read is as wrong as what cannot be used.
pub(crate) fn text(path: &Path) -> Result<(String, String)> {
    source(path).map(|source| (source.name, source.text.to_string()))
}

/// A flow file, or standard input for `-`.
///
/// # Errors
/// As [`text`].
pub(crate) fn source(path: &Path) -> Result<Source> {
    let (name, bytes) = bytes(path).map_err(|error| WrongFile::new(format!("{error:#}")))?;
    Source::from_bytes(&name, bytes).map_err(|wrong| {
        let shown = wrong.diagnostic.render(&wrong.source, style_of(std::io::stderr()).colour);
        let text = format!("{name} cannot be read\n\n{}", shown.trim_end());
        WrongFile { text, diagnostics: vec![wrong.diagnostic.to_json()] }.into()
    })
}

fn bytes(path: &Path) -> Result<(String, Vec<u8>)> {
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
    Ok((name, bytes))
}

/// Reads beside everything else: standard input may keep a command waiting, and Ctrl-C ends it all the same.
pub(crate) async fn apart<T: Send + 'static>(read: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(read).await.context("read what was given")?
}

/// A flow file and the helpers in files of their own that it leads to, by their paths.
pub(crate) fn read(source: &Source, cards: &Cards) -> (Checked, BTreeMap<String, String>) {
    let linked = RefCell::new(BTreeMap::new());
    let checked = flowdeck::read_with(source, Some(cards), &|path| {
        let (name, text) = text(Path::new(path)).map_err(|error| format!("{:#}", error.root_cause()))?;
        linked.borrow_mut().insert(name.clone(), text.clone());
        Ok(Source::new(&name, &text))
    });
    (checked, linked.into_inner())
}

/// The catalogue with the built-in apps and those of a data folder.
pub(crate) fn cards(data: Option<&Path>) -> Result<Cards> {
    cards_with(data, &IndexMap::new())
}

/// As [`cards`], with the addresses that app files name: `playground_url`.
pub(crate) fn cards_with(data: Option<&Path>, variables: &IndexMap<String, String>) -> Result<Cards> {
    let own = data.map(|folder| DataFolder::new(folder).app_files()).transpose()?.unwrap_or_default();
    Ok(Cards::with_files(variables, &own)?)
}

/// What a file tells of an event: JSON.
///
/// # Errors
/// [`WrongFile`] where it is none.
pub(crate) fn event(path: &Path) -> Result<(String, Value)> {
    let (name, text) = text(path)?;
    let value = serde_json::from_str(&text).map_err(|error| WrongFile::new(format!("{name} is not JSON: {error}")))?;
    Ok((name, value))
}

/// `key=value` pairs: values are JSON where they can be read as such and are no plain text, else text.
pub(crate) fn pair(text: &str) -> Result<(String, Value)> {
    let (key, value) = text.split_once('=').ok_or_else(|| usage(format!("`{text}` should be KEY=VALUE")))?;
    let structured = value.starts_with(['{', '[']) || matches!(value, "true" | "false" | "null");
    let value = match serde_json::from_str(value) {
        Ok(value) if structured => value,
        _ => Value::String(value.to_owned()),
    };
    Ok((key.to_owned(), value))
}
