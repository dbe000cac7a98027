//! Hashes of passwords: argon2id, version 19, one PHC string each.
//!
//! Must never take more memory than for a few passwords at once, nor less time for a name that nobody has.
//! Tests: below.

use std::sync::Arc;

use argon2::password_hash::{PasswordHash, PasswordHasher as _, PasswordVerifier as _, SaltString};
use argon2::{Algorithm, Argon2, Params, Version};
use flowdeck_connections::SecretText;
use tokio::sync::Semaphore;

use super::error::PeopleError;
use super::names::PersonName;
use super::random;

/// Shortest password, in characters.
pub(super) const PASSWORD_CHARS_MIN: usize = 12;
/// Longest password, in bytes.
pub(super) const PASSWORD_BYTES_MAX: usize = 256;
/// Passwords that are hashed at once, each with its memory.
const AT_ONCE: usize = 2;
/// Passwords that wait for that.
const WAITING_MAX: usize = 16;

/// What one check of a password costs whoever guesses. Kept with each hash; a hash of another cost is made anew when
/// its person signs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PasswordCost {
    /// 64 MiB, 3 passes, 4 lanes: the second recommendation of RFC 9106, section 4.
    #[default]
    Rfc9106,
    /// 19 MiB, 2 passes, 1 lane: the least that OWASP recommends, for small machines.
    Small,
}

impl PasswordCost {
    fn params(self) -> (u32, u32, u32) {
        match self {
            Self::Rfc9106 => (64 << 10, 3, 4),
            Self::Small => (19 << 10, 2, 1),
        }
    }

    fn argon2(self) -> Result<Argon2<'static>, PeopleError> {
        let (memory, passes, lanes) = self.params();
        let params = Params::new(memory, passes, lanes, None).map_err(|_| PeopleError::Hash)?;
        Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
    }
}

/// Hashes and checks, a few at once.
#[derive(Debug)]
pub(super) struct Hasher {
    cost: PasswordCost,
    at_once: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
}

impl Hasher {
    pub(super) fn new(cost: PasswordCost) -> Self {
        let (at_once, waiting) = (Semaphore::new(AT_ONCE), Semaphore::new(WAITING_MAX));
        Self { cost, at_once: Arc::new(at_once), waiting: Arc::new(waiting) }
    }

    /// The hash to store.
    pub(super) async fn hash(&self, password: &SecretText) -> Result<String, PeopleError> {
        let (cost, password) = (self.cost, password.clone());
        self.alone(move || hashed(cost, &password)).await
    }

    /// Whether it is the password of this hash; where nobody has one, the same work is done.
    pub(super) async fn verify(&self, password: &SecretText, hash: Option<String>) -> Result<bool, PeopleError> {
        let (cost, password) = (self.cost, password.clone());
        self.alone(move || match hash {
            Some(hash) => {
                let known = PasswordHash::new(&hash).map_err(|_| PeopleError::Hash)?;
                Ok(Argon2::default().verify_password(password.expose().as_bytes(), &known).is_ok())
            }
            None => hashed(cost, &password).map(|_| false),
        })
        .await
    }

    /// Whether a hash was made with another cost than the present one.
    pub(super) fn is_dated(&self, hash: &str) -> bool {
        let (memory, passes, lanes) = self.cost.params();
        let now = |known: PasswordHash<'_>| {
            let params = Params::try_from(&known).ok()?;
            Some((params.m_cost(), params.t_cost(), params.p_cost()))
        };
        PasswordHash::new(hash).ok().and_then(now) != Some((memory, passes, lanes))
    }

    async fn alone<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PeopleError> + Send + 'static,
    ) -> Result<T, PeopleError> {
        let _waits = self.waiting.try_acquire().map_err(|_| PeopleError::Busy)?;
        let place = self.at_once.clone().acquire_owned().await.map_err(|_| PeopleError::Busy)?;
        // The place goes along: work that nobody waits for any more still has its memory.
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            drop(place);
            done
        });
        done.await.map_err(|_| PeopleError::Hash)?
    }
}

fn hashed(cost: PasswordCost, password: &SecretText) -> Result<String, PeopleError> {
    let salt = SaltString::encode_b64(&random::<16>()).map_err(|_| PeopleError::Hash)?;
    let made = cost.argon2()?.hash_password(password.expose().as_bytes(), &salt).map_err(|_| PeopleError::Hash)?;
    Ok(made.to_string())
}

/// Refuses a password that is easily guessed.
pub(super) fn acceptable(password: &SecretText, name: &PersonName) -> Result<(), PeopleError> {
    let text = password.expose();
    let mut chars = text.chars();
    let first = chars.next();
    let one_only = chars.all(|c| Some(c) == first);
    let parts: String = text.to_lowercase().replace(name.as_str(), "");
    let is_long = text.chars().count() >= PASSWORD_CHARS_MIN && text.len() <= PASSWORD_BYTES_MAX;
    if is_long && !one_only && !parts.is_empty() { Ok(()) } else { Err(PeopleError::Password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> SecretText {
        SecretText::new(text)
    }

    #[tokio::test]
    async fn a_hash_says_how_it_was_made_and_fits_its_password_only() {
        let hasher = Hasher::new(PasswordCost::Small);
        let hash = hasher.hash(&secret("correct horse battery")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert_ne!(hash, hasher.hash(&secret("correct horse battery")).await.unwrap(), "each has its own salt");
        assert!(hasher.verify(&secret("correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(&secret("Correct horse battery"), Some(hash.clone())).await.unwrap());
        assert!(!hasher.verify(&secret("correct horse battery"), None).await.unwrap());
        assert!(!hasher.is_dated(&hash));
        let strong = Hasher::new(PasswordCost::default());
        assert!(strong.is_dated(&hash) && strong.is_dated("nonsense"));
        let hash = strong.hash(&secret("correct horse battery")).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=65536,t=3,p=4$"), "{hash}");
        assert!(hasher.verify(&secret("correct horse battery"), Some(hash)).await.unwrap(), "its own cost counts");
    }

    #[tokio::test]
    async fn more_than_a_few_at_once_are_turned_away() {
        let hasher = Hasher::new(PasswordCost::Small);
        let _all = hasher.waiting.clone().try_acquire_many_owned(u32::try_from(WAITING_MAX).unwrap()).unwrap();
        assert_eq!(hasher.hash(&secret("correct horse battery")).await.unwrap_err(), PeopleError::Busy);
        assert_eq!(hasher.verify(&secret("x"), None).await.unwrap_err(), PeopleError::Busy);
    }

    #[test]
    fn what_is_easily_guessed_is_refused() {
        let name: PersonName = "ada.lovelace".parse().unwrap();
        acceptable(&secret("twelve chars"), &name).unwrap();
        acceptable(&secret("ééééééééééé!"), &name).unwrap();
        for bad in
            ["", "eleven char", "aaaaaaaaaaaaaaaa", "ada.lovelace", "ADA.LOVELACEada.lovelace", &"ab".repeat(129)]
        {
            assert!(acceptable(&secret(bad), &name).is_err(), "{bad}");
        }
    }
}
