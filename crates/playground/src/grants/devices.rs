//! The device flow (RFC 8628): a short code that a person types, a long one that the device polls with.
//!
//! Must never let a device poll faster than it was told.
//! Tests: `tests/walk/`.

use rand::Rng as _;
use serde::{Deserialize, Serialize};

use super::{Grants, Issued, TokenRefusal};
use crate::accounts::{Account, Subject};
use crate::options::Lifetimes;
use crate::scopes::Scopes;
use crate::secret::{Digest, Secret};

/// No vowels and nothing that looks like something else (RFC 8628 section 6.1).
const USER_CODE_LETTERS: &[u8] = b"BCDFGHJKLMNPQRSTVWXZ";
/// RFC 8628 section 3.5: each `slow_down` adds five seconds, for good.
const SLOW_DOWN_S: u32 = 5;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Device {
    pub(crate) client_id: String,
    pub(crate) user_code: String,
    pub(crate) scopes: Scopes,
    pub(crate) expires_ms: i64,
    interval_s: u32,
    polled_ms: Option<i64>,
    answer: DeviceAnswer,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum DeviceAnswer {
    Waiting,
    Allowed { account: Account, scopes: Scopes },
    Denied,
    Fetched,
}

/// What a device is told at the start.
pub(crate) struct DeviceStart {
    pub(crate) device_code: Secret,
    pub(crate) user_code: String,
}

/// A typed code as it is kept: letters only, upper case, a dash in the middle.
fn tidy_user_code(typed: &str) -> String {
    let letters: String =
        typed.chars().filter(char::is_ascii_alphabetic).take(8).map(|letter| letter.to_ascii_uppercase()).collect();
    let (left, right) = letters.split_at(letters.len().min(4));
    format!("{left}-{right}")
}

impl Grants {
    pub(crate) fn start_device(
        &mut self,
        client_id: &str,
        scopes: Scopes,
        lives: &Lifetimes,
        now_ms: i64,
    ) -> DeviceStart {
        let device_code = Secret::random("fdd_");
        let mut rng = rand::rng();
        let letters: String =
            (0..8).map(|_| char::from(USER_CODE_LETTERS[rng.random_range(0..USER_CODE_LETTERS.len())])).collect();
        let user_code = tidy_user_code(&letters);
        let device = Device {
            client_id: client_id.to_owned(),
            user_code: user_code.clone(),
            scopes,
            expires_ms: now_ms + i64::from(lives.device_s) * 1000,
            interval_s: lives.device_interval_s,
            polled_ms: None,
            answer: DeviceAnswer::Waiting,
        };
        self.devices.insert(device_code.digest(), device);
        DeviceStart { device_code, user_code }
    }

    /// The device that waits for this typed code.
    pub(crate) fn waiting_device(&self, typed: &str, now_ms: i64) -> Option<&Device> {
        let code = tidy_user_code(typed);
        self.devices.values().find(|device| {
            device.user_code == code && device.expires_ms > now_ms && device.answer == DeviceAnswer::Waiting
        })
    }

    /// The person decided. `false`: nobody waits for that code any more.
    pub(crate) fn answer_device(&mut self, typed: &str, answer: DeviceAnswer, now_ms: i64) -> bool {
        let code = tidy_user_code(typed);
        let waiting = self.devices.values_mut().find(|device| {
            device.user_code == code && device.expires_ms > now_ms && device.answer == DeviceAnswer::Waiting
        });
        match waiting {
            Some(device) => {
                device.answer = answer;
                true
            }
            None => false,
        }
    }

    pub(crate) fn redeem_device(
        &mut self,
        device_code: &str,
        client_id: &str,
        lives: &Lifetimes,
        now_ms: i64,
    ) -> Result<Issued, TokenRefusal> {
        let unknown = TokenRefusal::InvalidGrant("the device code is unknown or already used");
        let device = self.devices.get_mut(&Digest::of(device_code)).ok_or(unknown)?;
        if device.client_id != client_id {
            return Err(unknown);
        }
        if device.expires_ms <= now_ms {
            return Err(TokenRefusal::ExpiredToken);
        }
        let is_early = device.polled_ms.is_some_and(|at_ms| now_ms - at_ms < i64::from(device.interval_s) * 1000);
        device.polled_ms = Some(now_ms);
        if is_early {
            device.interval_s += SLOW_DOWN_S;
            return Err(TokenRefusal::SlowDown);
        }
        match std::mem::replace(&mut device.answer, DeviceAnswer::Fetched) {
            DeviceAnswer::Allowed { account, scopes } => {
                let grant = self.start_grant(client_id, Subject::Account(account), scopes);
                Ok(self.issue_with_refresh(grant, lives, now_ms))
            }
            DeviceAnswer::Waiting => {
                device.answer = DeviceAnswer::Waiting;
                Err(TokenRefusal::AuthorizationPending)
            }
            DeviceAnswer::Denied => {
                device.answer = DeviceAnswer::Denied;
                Err(TokenRefusal::AccessDenied)
            }
            DeviceAnswer::Fetched => Err(unknown),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_code_may_be_typed_in_any_way() {
        for typed in ["bcdf-ghjk", "BCDFGHJK", " bcdf ghjk ", "B-C-D-F-G-H-J-K"] {
            assert_eq!(tidy_user_code(typed), "BCDF-GHJK");
        }
        assert_eq!(tidy_user_code("é"), "-");
    }
}
