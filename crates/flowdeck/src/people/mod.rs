//! People: users with a role, their sessions and API tokens, the first set-up. No HTTP.
//!
//! Must never keep or show a password, the id of a session or a token: only hashes are stored.
//! Tests: beside each module, `tests/people.rs`.

mod error;
mod names;
mod password;
mod record;
mod sessions;
mod setup;
mod sign_in;
mod throttle;
mod tokens;
mod users;

use flowdeck_connections::{AuditKind, AuditRecord, SecretText};
use flowdeck_engine::ports::Delta;
use parking_lot::Mutex;

pub use self::error::PeopleError;
pub use self::names::{Area, PersonName, Role};
pub use self::password::PasswordCost;
pub use self::sessions::Signed;
pub use self::tokens::{MadeToken, NewToken, TOKEN_DAYS_MAX, TOKEN_PREFIX, TokenView, Tokened};
pub use self::users::User;

use self::password::Hasher;
use self::setup::OneTime;
use self::throttle::Throttle;
use crate::error::RuntimeError;
use crate::runtime::Runtime;

/// What an audit record says of the owner of this machine's account, who is no user.
pub(crate) const LOCAL: &str = "(local)";

/// The people of a runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct People {
    runtime: Runtime,
}

/// What is kept in memory only.
pub(crate) struct State {
    /// Changes come one after another: one process holds the data.
    write: tokio::sync::Mutex<()>,
    one_time: Mutex<Option<OneTime>>,
    throttle: Mutex<Throttle>,
    hasher: Hasher,
}

impl State {
    pub(crate) fn new(cost: PasswordCost) -> Self {
        Self {
            write: tokio::sync::Mutex::default(),
            one_time: Mutex::default(),
            throttle: Mutex::default(),
            hasher: Hasher::new(cost),
        }
    }
}

impl Runtime {
    /// Users, sessions and API tokens.
    #[must_use]
    pub fn people(&self) -> People {
        People { runtime: self.clone() }
    }
}

impl People {
    fn state(&self) -> &State {
        &self.runtime.inner.people
    }

    /// A commit with its audit record.
    fn delta(&self, kind: AuditKind, who: Option<&str>, detail: impl Into<String>) -> Delta {
        let mut delta = Delta::new(self.runtime.engine().store().epoch());
        let record = AuditRecord {
            at: self.runtime.now(),
            kind,
            connection: None,
            generation: 0,
            who: who.map(str::to_owned),
            card: None,
            run: None,
            detail: detail.into(),
        };
        delta.ops.push(record.op(random()));
        delta
    }

    async fn commit(&self, delta: Delta) -> Result<(), RuntimeError> {
        Ok(self.runtime.engine().store().commit(delta).await?)
    }
}

/// Bytes of the system's randomness.
fn random<const N: usize>() -> [u8; N] {
    use rand::TryRngCore as _;
    let mut bytes = [0; N];
    rand::rngs::OsRng.try_fill_bytes(&mut bytes).expect("the operating system has randomness on every platform");
    bytes
}

/// 256 random bits as text that may stand in a URL and a cookie.
fn fresh(prefix: &str) -> SecretText {
    use base64::Engine as _;
    SecretText::new(format!("{prefix}{}", base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random::<32>())))
}

/// What is stored of a secret that we made. It has 256 random bits, so a plain hash cannot be guessed back.
fn digest(secret: &SecretText) -> [u8; 32] {
    use sha2::Digest as _;
    sha2::Sha256::digest(secret.expose().as_bytes()).into()
}
