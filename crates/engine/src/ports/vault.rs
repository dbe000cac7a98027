//! The vault port: what must not lie readable in the store is sealed before it gets there.
//!
//! Must never write a key into the store.
//! Tests: `tests/driver/secrets.rs`; the real one in `crates/connections`.

use flowdeck_model::RunId;

/// Seals and opens values of runs.
pub trait Vault: Send + Sync {
    /// Seals `plain` so that it opens only as `what` of this run.
    fn seal(&self, run: RunId, what: &str, plain: &[u8]) -> Vec<u8>;

    /// Opens what [`Vault::seal`] sealed for the same run and name.
    ///
    /// # Errors
    /// Why it does not open, for a person: another key, or changed bytes.
    fn open(&self, run: RunId, what: &str, sealed: &[u8]) -> Result<Vec<u8>, String>;
}
