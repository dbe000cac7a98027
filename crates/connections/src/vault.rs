//! The engine's vault: values of runs sealed with the same keys as connections, each bound to its run and name.
//!
//! Must never open a value of one run as one of another.
//! Tests: below.

use std::sync::Arc;

use flowdeck_engine::ports::Vault;
use flowdeck_model::RunId;

use crate::random::{Random, token};
use crate::seal::{Label, MasterKey, SealError};
use crate::secret::SecretText;

/// Seals values of runs.
pub struct KeyVault {
    key: MasterKey,
    random: Arc<dyn Random>,
}

impl std::fmt::Debug for KeyVault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyVault").field("key", &self.key).finish_non_exhaustive()
    }
}

impl KeyVault {
    /// A vault over these keys.
    #[must_use]
    pub fn new(key: MasterKey, random: Arc<dyn Random>) -> Self {
        Self { key, random }
    }
}

/// Secrets that belong to something with a name: the client tokens of flows.
impl KeyVault {
    /// 256 random bits as text that may stand in a URL.
    #[must_use]
    pub fn fresh_token(&self) -> SecretText {
        SecretText::new(token(&*self.random))
    }

    /// Seals a secret so that it opens only for the same name.
    #[must_use]
    pub fn seal_for(&self, name: &str, secret: &SecretText) -> Vec<u8> {
        self.key.seal(&*self.random, named(name), secret.expose())
    }

    /// Opens what [`Self::seal_for`] sealed for the same name.
    ///
    /// # Errors
    /// [`SealError`]: another key, or changed bytes.
    pub fn open_for(&self, name: &str, sealed: &[u8]) -> Result<SecretText, SealError> {
        self.key.open(named(name), sealed)
    }
}

fn named(name: &str) -> Label<'_> {
    Label { kind: "flow", owner: [0; 16], generation: 0, field: name }
}

fn label(run: RunId, what: &str) -> Label<'_> {
    Label { kind: "run", owner: run.to_bytes(), generation: 0, field: what }
}

impl Vault for KeyVault {
    fn seal(&self, run: RunId, what: &str, plain: &[u8]) -> Vec<u8> {
        self.key.seal_bytes(&*self.random, label(run, what), plain)
    }

    fn open(&self, run: RunId, what: &str, sealed: &[u8]) -> Result<Vec<u8>, String> {
        self.key.open_bytes(label(run, what), sealed).map_err(|error| match error {
            SealError::WrongKey { wanted, held } => format!(
                "it was sealed with key {wanted}, but the key file holds {held}; point to the key file of this data folder with --key-file"
            ),
            _ => "it is sealed, and was changed or moved".to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_model::Millis;

    use super::*;
    use crate::random::OsRandom;

    #[test]
    fn a_value_opens_only_as_what_it_was_sealed_for() {
        let vault = |byte| KeyVault::new(MasterKey::from_bytes([byte; 32]), Arc::new(OsRandom));
        let (run, other) = (RunId::new(Millis(1), 1), RunId::new(Millis(1), 2));
        let sealed = vault(1).seal(run, "state", b"\x00canary\xff");
        assert!(!sealed.windows(6).any(|w| w == b"canary"));
        assert_eq!(vault(1).open(run, "state", &sealed).unwrap(), b"\x00canary\xff");
        assert!(vault(1).open(other, "state", &sealed).unwrap_err().contains("moved"));
        assert!(vault(1).open(run, "record", &sealed).unwrap_err().contains("moved"));
        assert!(vault(2).open(run, "state", &sealed).unwrap_err().contains("point to the key file"));
    }

    #[test]
    fn a_token_opens_only_for_the_name_that_it_was_sealed_for() {
        let vault = KeyVault::new(MasterKey::from_bytes([1; 32]), Arc::new(OsRandom));
        let token = vault.fresh_token();
        assert!(token.expose().len() >= 43 && token != vault.fresh_token());
        let sealed = vault.seal_for("hook", &token);
        assert!(!sealed.windows(8).any(|w| w == &token.expose().as_bytes()[..8]));
        assert_eq!(vault.open_for("hook", &sealed).unwrap(), token);
        assert!(vault.open_for("other", &sealed).is_err());
    }
}
