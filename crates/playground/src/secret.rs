//! Secrets as they are handed out, and the digests that are kept of them.
//!
//! A secret must never be printed or kept: only its SHA-256 is.
//! Tests: `tests/walk/` (the state file holds no token).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A token on its way to its owner. No `Debug`, no `Serialize`.
pub(crate) struct Secret(String);

impl Secret {
    /// 256 random bits behind a prefix that tells secret scanners and people what it is.
    pub(crate) fn random(prefix: &str) -> Secret {
        Secret(format!("{prefix}{}", URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())))
    }

    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    pub(crate) fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

/// The SHA-256 of a secret, in hex: what is kept, and the key it is found by. Finding by digest
/// needs no constant-time compare: an attacker cannot steer the bytes of a hash prefix by prefix.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Digest(String);

impl Digest {
    pub(crate) fn of(secret: &str) -> Digest {
        Digest(hex::encode(Sha256::digest(secret.as_bytes())))
    }
}

/// The PKCE `S256` transformation (RFC 7636 section 4.2).
pub(crate) fn pkce_challenge(verifier: &str) -> String {
    URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_challenge_is_that_of_rfc_7636_appendix_b() {
        let challenge = pkce_challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
        assert_eq!(challenge, "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    }
}
