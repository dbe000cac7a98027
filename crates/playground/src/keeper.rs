//! Holds the state: changes it in memory, and answers only when the change is on disk.
//!
//! Must never hold the state's lock across an await.
//! Tests: `tests/walk/`.

use std::io;
use std::path::PathBuf;

use parking_lot::Mutex;

use crate::state::{self, State};

pub(crate) struct Keeper {
    folder: PathBuf,
    held: Mutex<Held>,
    /// The version on disk. Whoever holds it writes for all who wait.
    saved: tokio::sync::Mutex<u64>,
}

struct Held {
    state: State,
    version: u64,
}

/// The change is in memory, but not on disk.
#[derive(Debug, thiserror::Error)]
#[error("the playground could not save its state: {0}")]
pub(crate) struct SaveError(#[from] io::Error);

impl Keeper {
    pub(crate) fn new(folder: PathBuf, state: State) -> Keeper {
        Keeper { folder, held: Mutex::new(Held { state, version: 1 }), saved: tokio::sync::Mutex::new(1) }
    }

    pub(crate) fn read<R>(&self, look: impl FnOnce(&State) -> R) -> R {
        look(&self.held.lock().state)
    }

    /// After `Ok` the change is on disk. Changes that wait together share one write.
    pub(crate) async fn change<R>(&self, change: impl FnOnce(&mut State) -> R) -> Result<R, SaveError> {
        let (result, version) = {
            let mut held = self.held.lock();
            held.version += 1;
            (change(&mut held.state), held.version)
        };
        let mut saved = self.saved.lock().await;
        if *saved < version {
            let (bytes, version) = {
                let held = self.held.lock();
                (held.state.to_bytes()?, held.version)
            };
            let folder = self.folder.clone();
            let write = tokio::task::spawn_blocking(move || state::write(&folder, &bytes));
            write.await.map_err(io::Error::other)??;
            *saved = version;
        }
        Ok(result)
    }
}
