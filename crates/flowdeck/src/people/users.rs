//! Users: added, listed, given a role, disabled, given a new password, removed.
//!
//! Must never leave the data without an administrator who can sign in.
//! Tests: `tests/people.rs`.

use flowdeck_connections::{AuditKind, SecretText};
use flowdeck_engine::ports::Delta;
use flowdeck_model::Millis;
use serde::{Deserialize, Serialize};

use super::error::PeopleError;
use super::names::{PersonName, Role};
use super::password::acceptable;
use super::record::{Kept as _, SPACE, TokenRecord, UserRecord, encode, key};
use super::{People, random};
use crate::error::RuntimeError;

/// A user, as people see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The name they sign in with.
    pub name: PersonName,
    /// What they may do.
    pub role: Role,
    /// They cannot sign in, and their tokens do not work.
    pub disabled: bool,
    /// Since when.
    pub created: Millis,
    /// When they signed in last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed_in: Option<Millis>,
}

impl From<&UserRecord> for User {
    fn from(of: &UserRecord) -> Self {
        Self {
            name: of.name.clone(),
            role: of.role,
            disabled: of.disabled,
            created: of.created,
            signed_in: of.signed_in,
        }
    }
}

impl UserRecord {
    pub(super) fn new(name: PersonName, role: Role, hash: String, created: Millis) -> Self {
        let id = u128::from_be_bytes(random()).to_string();
        Self { id, name, role, hash, epoch: 0, created, disabled: false, signed_in: None }
    }

    fn can_administrate(&self) -> bool {
        self.role == Role::Administrator && !self.disabled
    }
}

impl People {
    /// All users, by name.
    ///
    /// # Errors
    /// [`RuntimeError::Store`].
    pub async fn users(&self) -> Result<Vec<User>, RuntimeError> {
        Ok(self.all::<UserRecord>().await?.iter().map(|(_, user)| User::from(user)).collect())
    }

    /// Adds a user. `by`: who does it; `None` is the owner of this machine's account.
    ///
    /// # Errors
    /// [`PeopleError::NameTaken`], [`PeopleError::Password`], [`PeopleError::TooMany`].
    pub async fn add_user(
        &self,
        by: Option<&PersonName>,
        name: PersonName,
        role: Role,
        password: &SecretText,
    ) -> Result<User, RuntimeError> {
        acceptable(password, &name)?;
        let hash = self.state().hasher.hash(password).await?;
        let _write = self.state().write.lock().await;
        let all = self.all::<UserRecord>().await?;
        if all.iter().any(|(_, user)| user.name == name) {
            return Err(PeopleError::NameTaken(name).into());
        }
        if all.len() >= UserRecord::MAX {
            return Err(PeopleError::TooMany { what: "users", max: UserRecord::MAX }.into());
        }
        let user = UserRecord::new(name, role, hash, self.runtime.now());
        let delta = self.told(AuditKind::UserAdd, by, format!("{}: {role}", user.name));
        self.put_user(delta, &user).await?;
        // Whoever had the one-time link comes too late.
        self.state().one_time.lock().take();
        Ok(User::from(&user))
    }

    /// Gives a user another role; it counts from their next request on.
    ///
    /// # Errors
    /// [`PeopleError::UnknownUser`], [`PeopleError::LastAdministrator`].
    pub async fn set_role(&self, by: Option<&PersonName>, name: &PersonName, role: Role) -> Result<User, RuntimeError> {
        let _write = self.state().write.lock().await;
        let user = self.changeable(name, |user| UserRecord { role, ..user }).await?;
        let delta = self.told(AuditKind::RoleChange, by, format!("{name}: {role}"));
        self.put_user(delta, &user).await?;
        Ok(User::from(&user))
    }

    /// Shuts a user out, sessions and tokens too, or lets them in again.
    ///
    /// # Errors
    /// As [`People::set_role`].
    pub async fn set_disabled(
        &self,
        by: Option<&PersonName>,
        name: &PersonName,
        disabled: bool,
    ) -> Result<User, RuntimeError> {
        let _write = self.state().write.lock().await;
        let change = |user: UserRecord| UserRecord { disabled, epoch: user.epoch + 1, ..user };
        let user = self.changeable(name, change).await?;
        let kind = if disabled { AuditKind::UserDisable } else { AuditKind::UserEnable };
        let mut delta = self.told(kind, by, name.to_string());
        self.end_sessions(&mut delta, &user).await?;
        self.put_user(delta, &user).await?;
        Ok(User::from(&user))
    }

    /// Gives a user a new password. Their sessions and tokens end: somebody else may have had them.
    ///
    /// # Errors
    /// [`PeopleError::UnknownUser`], [`PeopleError::Password`].
    pub async fn reset_password(
        &self,
        by: Option<&PersonName>,
        name: &PersonName,
        password: &SecretText,
    ) -> Result<User, RuntimeError> {
        acceptable(password, name)?;
        let hash = self.state().hasher.hash(password).await?;
        let _write = self.state().write.lock().await;
        let user = self.user(name).await?.ok_or(PeopleError::UnknownUser)?;
        let user = UserRecord { hash, epoch: user.epoch + 1, ..user };
        let mut delta = self.told(AuditKind::PasswordSet, by, name.to_string());
        self.end_sessions(&mut delta, &user).await?;
        self.drop_tokens(&mut delta, &user).await?;
        self.put_user(delta, &user).await?;
        let tried = super::throttle::Try::new(name.as_str(), None);
        self.state().throttle.lock().forget(tried);
        Ok(User::from(&user))
    }

    /// Removes a user with their sessions and tokens.
    ///
    /// # Errors
    /// As [`People::set_role`].
    pub async fn remove_user(&self, by: Option<&PersonName>, name: &PersonName) -> Result<(), RuntimeError> {
        let _write = self.state().write.lock().await;
        let user = self.changeable(name, |user| UserRecord { disabled: true, ..user }).await?;
        let mut delta = self.told(AuditKind::UserRemove, by, name.to_string());
        self.end_sessions(&mut delta, &user).await?;
        self.drop_tokens(&mut delta, &user).await?;
        delta.delete(SPACE, key::<UserRecord>(name.as_str().as_bytes()));
        self.commit(delta).await
    }

    /// The user after a change that leaves an administrator.
    async fn changeable(
        &self,
        name: &PersonName,
        change: impl Fn(UserRecord) -> UserRecord,
    ) -> Result<UserRecord, RuntimeError> {
        let all = self.all::<UserRecord>().await?;
        let before = all.iter().find(|(_, user)| user.name == *name).map(|(_, user)| user.clone());
        let before = before.ok_or(PeopleError::UnknownUser)?;
        let after = change(before.clone());
        let others = all.iter().any(|(_, user)| user.name != *name && user.can_administrate());
        if before.can_administrate() && !after.can_administrate() && !others {
            return Err(PeopleError::LastAdministrator.into());
        }
        Ok(after)
    }

    async fn put_user(&self, mut delta: Delta, user: &UserRecord) -> Result<(), RuntimeError> {
        delta.put(SPACE, key::<UserRecord>(user.name.as_str().as_bytes()), encode(user)?);
        self.commit(delta).await
    }

    pub(super) fn told(&self, kind: AuditKind, by: Option<&PersonName>, detail: String) -> Delta {
        self.delta(kind, Some(by.map_or(super::LOCAL, PersonName::as_str)), detail)
    }

    async fn drop_tokens(&self, delta: &mut Delta, user: &UserRecord) -> Result<(), RuntimeError> {
        for (at, token) in self.all::<TokenRecord>().await? {
            if token.user == user.id {
                delta.delete(SPACE, at);
            }
        }
        Ok(())
    }
}
