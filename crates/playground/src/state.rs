//! What the state file holds, and reading and writing it.
//!
//! Must never leave a half-written file: written beside, synced, renamed, folder synced.
//! Tests: `tests/walk/`.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::directory::Directory;
use crate::grants::Grants;
use crate::limits;
use crate::options::Seed;

const FORMAT: u32 = 1;
pub(crate) const STATE_FILE: &str = "playground.json";

#[derive(Serialize, Deserialize)]
pub(crate) struct State {
    format: u32,
    pub(crate) port: u16,
    /// Known to this folder only: a playground proves with it that it serves this folder.
    pub(crate) instance: String,
    pub(crate) directory: Directory,
    pub(crate) grants: Grants,
}

/// Why the state file could not be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error("it cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl State {
    pub(crate) fn new(seed: Seed, now_ms: i64) -> State {
        let directory = match seed {
            Seed::Staff => Directory::staff(now_ms),
            Seed::Empty => Directory::empty(),
        };
        let instance = hex::encode(rand::random::<[u8; 32]>());
        State { format: FORMAT, port: 0, instance, directory, grants: Grants::new() }
    }

    /// `None`: there is no file yet.
    pub(crate) fn read(path: &Path) -> Result<Option<State>, ReadError> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(ReadError::Unreadable(error)),
        };
        let mut bytes = Vec::new();
        file.take(limits::STATE_FILE_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(ReadError::Unreadable)?;
        if bytes.len() as u64 > limits::STATE_FILE_BYTES_MAX {
            return Err(ReadError::Damaged(format!("larger than {} bytes", limits::STATE_FILE_BYTES_MAX)));
        }
        // Only the place is told: the text of a parse error could quote a hook's secret.
        let place = |error: serde_json::Error| {
            ReadError::Damaged(format!("not understood at line {}, column {}", error.line(), error.column()))
        };
        let state: State = serde_json::from_slice(&bytes).map_err(place)?;
        if state.format != FORMAT {
            return Err(ReadError::Damaged(format!("format {}, and this program knows format {FORMAT}", state.format)));
        }
        Ok(Some(state))
    }

    pub(crate) fn to_bytes(&self) -> Result<Vec<u8>, io::Error> {
        Ok(serde_json::to_vec(self)?)
    }
}

/// After `Ok` the file holds these bytes, also after a power loss; after `Err` it holds the old ones or these.
pub(crate) fn write(folder: &Path, bytes: &[u8]) -> Result<(), io::Error> {
    let beside = folder.join("playground.json.new");
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, folder.join(STATE_FILE))?;
    File::open(folder)?.sync_all()
}
