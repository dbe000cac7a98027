//! Sessions of people who signed in: opened, checked, ended.
//!
//! Must never outlive their time, a change of the password, or their user's being disabled.
//! Tests: `tests/people.rs`.

use flowdeck_connections::{AuditKind, SecretText};
use flowdeck_engine::ports::{Delta, StoreError};
use flowdeck_model::Millis;

use super::names::{PersonName, Role};
use super::record::{Kept as _, SPACE, SessionRecord, UserRecord, encode, key};
use super::{People, digest, fresh};
use crate::error::RuntimeError;

/// A session ends when it was not used for this long (12 hours).
const IDLE_MS: u64 = 12 * 3_600_000;
/// A session ends this long after it began (7 days).
const LIFE_MS: u64 = 7 * 24 * 3_600_000;
/// Its use is written down at most this often.
const SEEN_EVERY_MS: u64 = 5 * 60_000;
/// How far a clock may be turned back before its sessions end.
const BACK_MS: u64 = 5 * 60_000;
/// Most sessions of one user; the oldest gives way.
const OF_ONE_MAX: usize = 20;
/// Longest text that is looked up.
const TEXT_BYTES_MAX: usize = 100;

/// Who a session is of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The user.
    pub name: PersonName,
    /// What they may do now.
    pub role: Role,
}

impl SessionRecord {
    fn is_over(&self, now: Millis) -> bool {
        now.since(self.seen) >= IDLE_MS || now.since(self.created) >= LIFE_MS || self.created.since(now) > BACK_MS
    }

    fn is_of(&self, user: &UserRecord) -> bool {
        self.user == user.id && self.epoch == user.epoch && !user.disabled
    }
}

impl People {
    /// Whose session it is; `None` where it is over or never was.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn session(&self, id: &SecretText) -> Result<Option<Signed>, RuntimeError> {
        let now = self.runtime.now();
        let Some((session, bytes, user)) = self.alive(id).await? else { return Ok(None) };
        if now.since(session.seen) >= SEEN_EVERY_MS {
            let at = key::<SessionRecord>(&digest(id));
            let mut delta = Delta::new(self.runtime.engine().store().epoch());
            delta.expect_equals(SPACE, at.clone(), bytes);
            delta.put(SPACE, at, encode(&SessionRecord { seen: now, ..session })?);
            match self.runtime.engine().store().commit(delta).await {
                // Ended, or seen by another request, meanwhile.
                Ok(()) | Err(StoreError::Conflict) => {}
                // Who only looks can do so on a full disk.
                Err(error @ StoreError::Full { .. }) => tracing::debug!(%error, "the use of a session is not kept"),
                Err(error) => return Err(error.into()),
            }
        }
        Ok(Some(Signed { name: user.name, role: user.role }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn sign_out(&self, id: &SecretText) -> Result<(), RuntimeError> {
        let Some((_, _, user)) = self.alive(id).await? else { return Ok(()) };
        let mut delta = self.delta(AuditKind::SignOut, Some(user.name.as_str()), "");
        delta.delete(SPACE, key::<SessionRecord>(&digest(id)));
        self.commit(delta).await
    }

    async fn alive(&self, id: &SecretText) -> Result<Option<(SessionRecord, Vec<u8>, UserRecord)>, RuntimeError> {
        if id.expose().len() > TEXT_BYTES_MAX {
            return Ok(None);
        }
        let Some((session, bytes)) = self.read::<SessionRecord>(&digest(id)).await? else { return Ok(None) };
        let Some(user) = self.user(&session.name).await? else { return Ok(None) };
        let alive = !session.is_over(self.runtime.now()) && session.is_of(&user);
        Ok(alive.then_some((session, bytes, user)))
    }

    /// Adds a new session to a commit, and takes out those that are over and those that are too many.
    pub(super) async fn open_session(&self, delta: &mut Delta, user: &UserRecord) -> Result<SecretText, RuntimeError> {
        let (now, id) = (self.runtime.now(), fresh(""));
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (at, session) in self.all::<SessionRecord>().await? {
            let is_own = session.user == user.id;
            if session.is_over(now) || is_own && !session.is_of(user) {
                delta.delete(SPACE, at);
            } else if is_own {
                own.push((session.seen, at));
            } else {
                others.push((session.seen, at));
            }
        }
        for (sessions, max) in [(own, OF_ONE_MAX), (others, SessionRecord::MAX - OF_ONE_MAX)] {
            let mut sessions = sessions;
            sessions.sort_unstable();
            let too_many = (sessions.len() + 1).saturating_sub(max);
            for (_, at) in sessions.into_iter().take(too_many) {
                delta.delete(SPACE, at);
            }
        }
        let session = SessionRecord {
            user: user.id.clone(),
            name: user.name.clone(),
            epoch: user.epoch,
            created: now,
            seen: now,
        };
        delta.put(SPACE, key::<SessionRecord>(&digest(&id)), encode(&session)?);
        Ok(id)
    }

    /// Takes a user's sessions out. They are over already when the user's epoch is raised.
    pub(super) async fn end_sessions(&self, delta: &mut Delta, user: &UserRecord) -> Result<(), RuntimeError> {
        for (at, session) in self.all::<SessionRecord>().await? {
            if session.user == user.id {
                delta.delete(SPACE, at);
            }
        }
        Ok(())
    }
}
