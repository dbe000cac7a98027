//! The first administrator: a token that works once, for an hour, and only while there is no user.
//!
//! Must never be stored: a restart makes a new one.
//! Tests: `tests/people.rs`.

use flowdeck_connections::{AuditKind, SecretText};
use subtle::ConstantTimeEq as _;

use super::error::PeopleError;
use super::names::{PersonName, Role};
use super::password::acceptable;
use super::record::{SPACE, UserRecord, encode, key};
use super::users::User;
use super::{People, digest, fresh};
use crate::error::RuntimeError;

/// How long it can be used, in milliseconds of monotonic time.
const LIFE_MS: u64 = 3_600_000;

/// What is remembered of the token.
pub(super) struct OneTime {
    hash: [u8; 32],
    made: u64,
}

impl People {
    /// Whether there is a user.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn is_set_up(&self) -> Result<bool, RuntimeError> {
        Ok(!self.all::<UserRecord>().await?.is_empty())
    }

    /// A new one-time token for the first administrator, in the place of the one before; `None` where there is a user.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn set_up_token(&self) -> Result<Option<SecretText>, RuntimeError> {
        if self.is_set_up().await? {
            return Ok(None);
        }
        let token = fresh("");
        let made = self.monotonic_ms();
        *self.state().one_time.lock() = Some(OneTime { hash: digest(&token), made });
        Ok(Some(token))
    }

    /// Whether a one-time token would be taken now.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn can_set_up(&self, token: &SecretText) -> Result<bool, RuntimeError> {
        Ok(self.fits(token) && !self.is_set_up().await?)
    }

    /// Makes the first administrator, and a session of theirs.
    ///
    /// # Errors
    /// [`PeopleError::Setup`]; [`PeopleError::Password`] and [`PeopleError::Name`], after which the token still works.
    pub async fn set_up(
        &self,
        token: &SecretText,
        name: &str,
        password: &SecretText,
    ) -> Result<(User, SecretText), RuntimeError> {
        let _write = self.state().write.lock().await;
        if !self.can_set_up(token).await? {
            return Err(PeopleError::Setup.into());
        }
        let name: PersonName = name.parse()?;
        acceptable(password, &name)?;
        let user =
            UserRecord::new(name, Role::Administrator, self.state().hasher.hash(password).await?, self.runtime.now());
        let mut delta = self.delta(AuditKind::SetUp, Some(user.name.as_str()), "");
        let session = self.open_session(&mut delta, &user).await?;
        delta.put(SPACE, key::<UserRecord>(user.name.as_str().as_bytes()), encode(&user)?);
        self.commit(delta).await?;
        self.state().one_time.lock().take();
        Ok((User::from(&user), session))
    }

    fn fits(&self, token: &SecretText) -> bool {
        let now = self.monotonic_ms();
        let known = self.state().one_time.lock();
        known.as_ref().is_some_and(|known| {
            bool::from(known.hash.ct_eq(&digest(token))) && now.saturating_sub(known.made) < LIFE_MS
        })
    }

    pub(super) fn monotonic_ms(&self) -> u64 {
        use flowdeck_engine::ports::Clock as _;
        self.runtime.inner.wired.clock.monotonic_ms()
    }
}
