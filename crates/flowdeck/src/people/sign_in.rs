//! Signing in with name and password.
//!
//! Must never answer sooner, or otherwise, where nobody has the name; nor write down what was typed as a name.
//! Tests: `tests/people.rs`.

use std::net::IpAddr;

use flowdeck_connections::{AuditKind, SecretText};

use super::People;
use super::error::PeopleError;
use super::names::PersonName;
use super::password::PASSWORD_BYTES_MAX;
use super::record::{SPACE, UserRecord, encode, key};
use super::throttle::Try;
use super::users::User;
use crate::error::RuntimeError;

impl People {
    /// Checks name and password; answers the user and a new session.
    ///
    /// # Errors
    /// [`PeopleError::SignIn`] whatever is wrong; [`PeopleError::Throttled`]; [`PeopleError::Busy`].
    pub async fn sign_in(
        &self,
        name: &str,
        password: &SecretText,
        from: Option<IpAddr>,
    ) -> Result<(User, SecretText), RuntimeError> {
        // Other letters are the same name; of a long text its beginning counts.
        let typed: String = name.trim().to_ascii_lowercase().chars().take(200).collect();
        let user = self.tried(&typed, password, from).await?;
        let _write = self.state().write.lock().await;
        // What it was when the password was checked may be over.
        let now_is =
            self.user(&user.name).await?.filter(|now| now.id == user.id && now.epoch == user.epoch && !now.disabled);
        let Some(mut now_is) = now_is else { return Err(PeopleError::SignIn.into()) };
        if self.state().hasher.is_dated(&now_is.hash) {
            now_is.hash = self.state().hasher.hash(password).await?;
        }
        now_is.signed_in = Some(self.runtime.now());
        let mut delta = self.delta(AuditKind::SignIn, Some(now_is.name.as_str()), from_words("", from));
        let session = self.open_session(&mut delta, &now_is).await?;
        delta.put(SPACE, key::<UserRecord>(now_is.name.as_str().as_bytes()), encode(&now_is)?);
        self.commit(delta).await?;
        Ok((User::from(&now_is), session))
    }

    /// The user whose password it is.
    async fn tried(
        &self,
        typed: &str,
        password: &SecretText,
        from: Option<IpAddr>,
    ) -> Result<UserRecord, RuntimeError> {
        let (tried, now) = (Try::new(typed, from), self.monotonic_ms());
        self.state().throttle.lock().begin(tried, now).map_err(|after_ms| PeopleError::Throttled { after_ms })?;
        let proved = self.proved(typed, password).await;
        match &proved {
            Ok(Ok(_)) => self.state().throttle.lock().forget(tried),
            Ok(Err(_)) => {}
            // Nothing was found out.
            Err(_) => self.state().throttle.lock().take_back(tried),
        }
        let known = match proved? {
            Ok(user) => return Ok(user),
            Err(known) => known,
        };
        let is_told = self.state().throttle.lock().tells(now);
        if is_told {
            let detail = if known.is_some() { "" } else { "nobody has the name" };
            let who = known.as_ref().map(PersonName::as_str);
            self.commit(self.delta(AuditKind::SignInRefused, who, from_words(detail, from))).await?;
        }
        Err(PeopleError::SignIn.into())
    }

    /// The user whose password it is; else the name, where somebody has it.
    async fn proved(
        &self,
        typed: &str,
        password: &SecretText,
    ) -> Result<Result<UserRecord, Option<PersonName>>, RuntimeError> {
        let user = match typed.parse::<PersonName>() {
            Ok(name) => self.user(&name).await?,
            Err(_) => None,
        };
        let fits = password.expose().len() <= PASSWORD_BYTES_MAX;
        // Nothing is hashed that cannot be anybody's, whoever's name it is.
        let is_right =
            fits && self.state().hasher.verify(password, user.as_ref().map(|user| user.hash.clone())).await?;
        Ok(match user {
            Some(user) if is_right && !user.disabled => Ok(user),
            other => Err(other.map(|user| user.name)),
        })
    }

    /// A person sets another password. Their sessions end; a new one is answered.
    ///
    /// # Errors
    /// [`PeopleError::SignIn`] where the present password is wrong; [`PeopleError::Password`];
    /// [`PeopleError::Throttled`].
    pub async fn change_password(
        &self,
        name: &PersonName,
        present: &SecretText,
        new: &SecretText,
        from: Option<IpAddr>,
    ) -> Result<SecretText, RuntimeError> {
        super::password::acceptable(new, name)?;
        let user = self.tried(name.as_str(), present, from).await?;
        let hash = self.state().hasher.hash(new).await?;
        let _write = self.state().write.lock().await;
        let still = self.user(name).await?.filter(|now| now.id == user.id && now.epoch == user.epoch && !now.disabled);
        let Some(user) = still else { return Err(PeopleError::SignIn.into()) };
        let mut delta = self.delta(AuditKind::PasswordSet, Some(name.as_str()), "");
        self.end_sessions(&mut delta, &user).await?;
        let user = UserRecord { hash, epoch: user.epoch + 1, ..user };
        let session = self.open_session(&mut delta, &user).await?;
        delta.put(SPACE, key::<UserRecord>(name.as_str().as_bytes()), encode(&user)?);
        self.commit(delta).await?;
        Ok(session)
    }
}

fn from_words(detail: &str, from: Option<IpAddr>) -> String {
    match (detail, from) {
        ("", Some(from)) => format!("from {from}"),
        (detail, Some(from)) => format!("{detail}; from {from}"),
        (detail, None) => detail.to_owned(),
    }
}
