//! What is stored of a run: its record, its history and its resumable state, each with a version.
//!
//! Must never change the meaning of a stored field: fields are only added, with defaults.
//! Tests: beside each module; old forms are kept as fixtures in `tests/fixtures`.

pub mod entry;
pub mod keys;
pub mod record;
pub mod state;

/// Version byte in front of every stored value of this crate.
pub const VERSION: u8 = 1;

/// First byte of a stored value that is sealed: the rest opens to a value of [`VERSION`].
pub const SEALED: u8 = 0xc5;

/// Why a stored value cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("read stored {what}: {cause}")]
pub struct WireError {
    /// What was read.
    pub what: &'static str,
    /// What is wrong with it.
    pub cause: String,
}

/// Version byte and JSON.
///
/// # Errors
/// [`WireError`] where the value is not JSON.
pub fn encode<T: serde::Serialize>(what: &'static str, value: &T) -> Result<Vec<u8>, WireError> {
    let mut out = Vec::with_capacity(512);
    out.push(VERSION);
    serde_json::to_writer(&mut out, value).map_err(|e| WireError { what, cause: e.to_string() })?;
    Ok(out)
}

/// The reverse of [`encode`]; refuses other versions.
///
/// # Errors
/// [`WireError`].
pub fn decode<T: serde::de::DeserializeOwned>(what: &'static str, bytes: &[u8]) -> Result<T, WireError> {
    match bytes.split_first() {
        Some((&VERSION, rest)) => serde_json::from_slice(rest).map_err(|e| WireError { what, cause: e.to_string() }),
        Some((other, _)) => {
            Err(WireError { what, cause: format!("version {other}; this program reads version {VERSION}") })
        }
        None => Err(WireError { what, cause: "empty".into() }),
    }
}
