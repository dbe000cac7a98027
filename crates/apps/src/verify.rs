//! Checks that a delivery comes from the app: signatures and shared secrets, as the app file declares them.
//!
//! Must never parse a body, compare in variable time, or take a delivery whose time is far from ours.
//! Tests: below.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flowdeck_model::{Millis, Value};
use hmac::digest::KeyInit;
use hmac::{Hmac, Mac};
use serde_json::json;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::file::Verification;
use crate::file::event::Encoding;

/// How far the time of a signed delivery may be from ours, in seconds, either way.
pub const TOLERANCE_S: i64 = 300;
/// Longest challenge that is answered.
const CHALLENGE_BYTES_MAX: usize = 1_024;
/// Most signatures of one delivery that are looked at; a key that is being changed has two.
const SIGNATURES_MAX: usize = 8;
const STANDARD_PREFIX: &str = "whsec_";

/// A delivery as it came.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Headers by name in small letters; one that came several times has its values with commas.
    pub headers: &'a BTreeMap<String, String>,
    /// The body, byte by byte.
    pub body: &'a [u8],
    /// The time here.
    pub now: Millis,
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// A header is not there.
    #[error("the header {0} is missing")]
    Missing(String),
    /// A header cannot be read.
    #[error("the header {0} cannot be read")]
    Unreadable(String),
    /// The secret, or what was signed, is another.
    #[error("the signature or secret is wrong")]
    Wrong,
    /// It was signed too long ago, or in the future: somebody may be repeating it.
    #[error("it was signed at another time: more than {TOLERANCE_S} seconds from now")]
    OtherTime,
}

impl Verification {
    /// Whether the body is needed to check a delivery. Where it is not, nothing of it is read before.
    #[must_use]
    pub fn signs_body(&self) -> bool {
        !matches!(self, Self::SharedHeader { .. })
    }

    /// Whether the app makes the secret, and shows it to who registers the address there.
    #[must_use]
    pub fn app_makes_secret(&self) -> bool {
        matches!(self, Self::StandardWebhooks | Self::Slack | Self::Stripe)
    }

    /// What the secret is for, in words.
    #[must_use]
    pub fn words(&self) -> String {
        match self {
            Self::SharedHeader { header, .. } => format!("a secret in the header {header}"),
            Self::Hmac { header, algorithm, .. } => format!("HMAC-{algorithm} in the header {header}"),
            Self::StandardWebhooks => "Standard Webhooks signature".into(),
            Self::Slack => "Slack's signature".into(),
            Self::Stripe => "Stripe's signature".into(),
        }
    }

    /// Headers that hold the secret or speak for it: no flow gets them.
    #[must_use]
    pub fn headers(&self) -> Vec<String> {
        match self {
            Self::SharedHeader { header, .. } => vec![header.to_ascii_lowercase()],
            Self::Hmac { header, .. } => vec![header.to_ascii_lowercase()],
            Self::StandardWebhooks => vec!["webhook-signature".into()],
            Self::Slack => vec!["x-slack-signature".into()],
            Self::Stripe => vec!["stripe-signature".into()],
        }
    }

    /// Whether a text can be a secret of this kind.
    #[must_use]
    pub fn takes(&self, secret: &str) -> bool {
        match self {
            Self::StandardWebhooks => standard_key(secret).is_some_and(|key| key.len() >= 16),
            _ => secret.len() >= 8 && secret.bytes().all(|b| b.is_ascii_graphic() || b == b' '),
        }
    }

    /// Checks a delivery against secrets that are valid now: the last one, and for a while the one before.
    ///
    /// # Errors
    /// [`Unverified`].
    pub fn verify(&self, secrets: &[&str], incoming: &Incoming<'_>) -> Result<(), Unverified> {
        match self {
            Self::SharedHeader { header, .. } => shared(header, secrets, incoming),
            Self::Hmac { header, algorithm, prefix, encoding, timestamp_header } => {
                let sent = incoming.header(header)?;
                let text = sent.strip_prefix(prefix.as_str()).ok_or_else(|| unreadable(header))?;
                let signature = match encoding {
                    Encoding::Hex => hex::decode(text).ok(),
                    Encoding::Base64 => STANDARD.decode(text).ok(),
                };
                let signature = signature.ok_or_else(|| unreadable(header))?;
                let mut before = String::new();
                if let Some(name) = timestamp_header {
                    before = format!("{}.", incoming.time(name)?);
                }
                let signs = |key: &[u8]| match algorithm.as_str() {
                    "sha1" => is_signed::<Hmac<Sha1>>(key, &[before.as_bytes(), incoming.body], &signature),
                    "sha256" => is_signed::<Hmac<Sha256>>(key, &[before.as_bytes(), incoming.body], &signature),
                    _ => false,
                };
                any(secrets, |secret| signs(secret.as_bytes()))
            }
            Self::StandardWebhooks => standard(secrets, incoming),
            Self::Slack => {
                let signature = incoming.header("x-slack-signature")?.strip_prefix("v0=").map(hex::decode);
                let Some(Ok(signature)) = signature else { return Err(unreadable("x-slack-signature")) };
                let before = format!("v0:{}:", incoming.time("x-slack-request-timestamp")?);
                let parts = [before.as_bytes(), incoming.body];
                any(secrets, |secret| is_signed::<Hmac<Sha256>>(secret.as_bytes(), &parts, &signature))
            }
            Self::Stripe => stripe(secrets, incoming),
        }
    }

    /// The answer to the question whether somebody listens at an address, asked with GET. It proves nothing of who
    /// asks, and tells nothing that they did not say.
    #[must_use]
    pub fn challenge(&self, headers: &BTreeMap<String, String>) -> Option<Value> {
        let Self::SharedHeader { challenge_header: Some(header), answer, .. } = self else { return None };
        let asked = headers.get(&header.to_ascii_lowercase()).filter(|text| text.len() <= CHALLENGE_BYTES_MAX)?;
        Some(json!({ (answer.as_deref().unwrap_or("verification")): asked }))
    }

    /// As [`Self::challenge`], asked with a verified delivery that holds no event.
    #[must_use]
    pub fn answer(&self, body: &Value) -> Option<Value> {
        let asked = matches!(self, Self::Slack) && body["type"] == "url_verification";
        let challenge = body["challenge"].as_str().filter(|text| asked && text.len() <= CHALLENGE_BYTES_MAX)?;
        Some(json!({ "challenge": challenge }))
    }
}

impl Incoming<'_> {
    fn header(&self, name: &str) -> Result<&str, Unverified> {
        let found = self.headers.get(&name.to_ascii_lowercase()).filter(|text| !text.is_empty());
        found.map(String::as_str).ok_or_else(|| Unverified::Missing(name.to_owned()))
    }

    /// The text of a header with a Unix time in seconds that is near enough to now.
    fn time(&self, name: &str) -> Result<&str, Unverified> {
        let text = self.header(name)?;
        self.near(text).map_err(|error| error.unwrap_or_else(|| unreadable(name)))?;
        Ok(text)
    }

    fn near(&self, text: &str) -> Result<(), Option<Unverified>> {
        let at: i64 = text.parse().map_err(|_| None)?;
        let apart = self.now.0.div_euclid(1_000).saturating_sub(at);
        if apart.saturating_abs() > TOLERANCE_S { Err(Some(Unverified::OtherTime)) } else { Ok(()) }
    }
}

fn unreadable(header: &str) -> Unverified {
    Unverified::Unreadable(header.to_owned())
}

/// Every secret is tried, so that the time tells nothing of which one it was.
fn any(secrets: &[&str], fits: impl Fn(&str) -> bool) -> Result<(), Unverified> {
    let found = secrets.iter().fold(false, |found, secret| fits(secret) | found);
    if found { Ok(()) } else { Err(Unverified::Wrong) }
}

fn shared(header: &str, secrets: &[&str], incoming: &Incoming<'_>) -> Result<(), Unverified> {
    // Digests have one length: comparing them tells nothing of how long the secret is.
    let sent = Sha256::digest(incoming.header(header)?);
    any(secrets, |secret| Sha256::digest(secret).ct_eq(&sent).into())
}

/// Compares in constant time.
fn is_signed<M: Mac + KeyInit>(key: &[u8], parts: &[&[u8]], signature: &[u8]) -> bool {
    let Ok(mut mac) = <M as KeyInit>::new_from_slice(key) else { return false };
    parts.iter().for_each(|part| mac.update(part));
    mac.verify_slice(signature).is_ok()
}

fn standard_key(secret: &str) -> Option<Vec<u8>> {
    STANDARD.decode(secret.strip_prefix(STANDARD_PREFIX).unwrap_or(secret)).ok()
}

/// <https://www.standardwebhooks.com>: `v1,` and base64, several with spaces between them.
fn standard(secrets: &[&str], incoming: &Incoming<'_>) -> Result<(), Unverified> {
    let id = incoming.header("webhook-id")?;
    let before = format!("{id}.{}.", incoming.time("webhook-timestamp")?);
    let sent = incoming.header("webhook-signature")?.split(' ').take(SIGNATURES_MAX);
    let signatures: Vec<Vec<u8>> = sent.filter_map(|one| STANDARD.decode(one.strip_prefix("v1,")?).ok()).collect();
    if signatures.is_empty() {
        return Err(unreadable("webhook-signature"));
    }
    let parts = [before.as_bytes(), incoming.body];
    any(secrets, |secret| {
        let key = standard_key(secret).unwrap_or_default();
        !key.is_empty() && signatures.iter().any(|signature| is_signed::<Hmac<Sha256>>(&key, &parts, signature))
    })
}

/// `t=` and `v1=` members with commas between them.
fn stripe(secrets: &[&str], incoming: &Incoming<'_>) -> Result<(), Unverified> {
    let name = "stripe-signature";
    let sent = incoming.header(name)?;
    let member = |key: &'static str| sent.split(',').filter_map(move |part| part.trim().strip_prefix(key));
    let time = member("t=").next().ok_or_else(|| unreadable(name))?;
    incoming.near(time).map_err(|error| error.unwrap_or_else(|| unreadable(name)))?;
    let signatures: Vec<Vec<u8>> = member("v1=").take(SIGNATURES_MAX).filter_map(|one| hex::decode(one).ok()).collect();
    let before = format!("{time}.");
    let parts = [before.as_bytes(), incoming.body];
    any(secrets, |secret| {
        signatures.iter().any(|signature| is_signed::<Hmac<Sha256>>(secret.as_bytes(), &parts, signature))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_614_265_330;
    const BODY: &str = r#"{"test": 2432232314}"#;

    fn scheme(text: &str) -> Verification {
        serde_saphyr::from_str(text).unwrap()
    }

    /// Checks a delivery that was sent `later` seconds ago.
    fn check(
        scheme: &Verification,
        secrets: &[&str],
        headers: &[(&str, &str)],
        body: &str,
        later: i64,
    ) -> Result<(), Unverified> {
        let headers = headers.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let now = Millis((NOW_S + later) * 1_000);
        scheme.verify(secrets, &Incoming { headers: &headers, body: body.as_bytes(), now })
    }

    fn hmac(key: &[u8], text: &str) -> Vec<u8> {
        let mac = <Hmac<Sha256> as KeyInit>::new_from_slice(key).unwrap();
        mac.chain_update(text).finalize().into_bytes().to_vec()
    }

    struct Case {
        scheme: Verification,
        secret: String,
        headers: Vec<(&'static str, String)>,
        body: String,
        /// Which header holds the signature.
        signature: &'static str,
        timed: bool,
    }

    fn cases() -> Vec<Case> {
        let standard = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let now = NOW_S.to_string();
        let hex_of = |key: &str, text: String| hex::encode(hmac(key.as_bytes(), &text));
        vec![
            Case {
                scheme: Verification::StandardWebhooks,
                secret: standard.into(),
                headers: vec![
                    ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek".into()),
                    ("webhook-timestamp", now.clone()),
                    // The example of the specification.
                    ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=".into()),
                ],
                body: BODY.into(),
                signature: "webhook-signature",
                timed: true,
            },
            Case {
                scheme: scheme("hmac: { header: X-Hub-Signature-256, algorithm: sha256, prefix: 'sha256=' }"),
                secret: "It's a Secret to Everybody".into(),
                headers: vec![(
                    "x-hub-signature-256",
                    // The example of GitHub's documentation.
                    "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17".into(),
                )],
                body: "Hello, World!".into(),
                signature: "x-hub-signature-256",
                timed: false,
            },
            Case {
                scheme: Verification::Slack,
                secret: "8f742231b10e8888abcd99yyyzzz85a5".into(),
                headers: vec![
                    ("x-slack-request-timestamp", now.clone()),
                    (
                        "x-slack-signature",
                        format!("v0={}", hex_of("8f742231b10e8888abcd99yyyzzz85a5", format!("v0:{now}:{BODY}"))),
                    ),
                ],
                body: BODY.into(),
                signature: "x-slack-signature",
                timed: true,
            },
            Case {
                scheme: Verification::Stripe,
                secret: "whsec_abcdefgh".into(),
                headers: vec![(
                    "stripe-signature",
                    format!("t={now},v1=00,v1={}", hex_of("whsec_abcdefgh", format!("{now}.{BODY}"))),
                )],
                body: BODY.into(),
                signature: "stripe-signature",
                timed: true,
            },
            Case {
                scheme: scheme(
                    "hmac: { header: x-sign, algorithm: sha256, encoding: base64, timestamp_header: x-time }",
                ),
                secret: "0123456789".into(),
                headers: vec![
                    ("x-time", now.clone()),
                    ("x-sign", STANDARD.encode(hmac(b"0123456789", &format!("{now}.{BODY}")))),
                ],
                body: BODY.into(),
                signature: "x-sign",
                timed: true,
            },
            Case {
                scheme: scheme("shared_header: { header: Authorization, challenge_header: X-Challenge }"),
                secret: "0123456789".into(),
                headers: vec![("authorization", "0123456789".into())],
                body: BODY.into(),
                signature: "authorization",
                timed: false,
            },
        ]
    }

    #[test]
    fn each_scheme_takes_what_was_signed_with_a_secret_that_is_valid_and_nothing_else() {
        for case in cases() {
            let Case { scheme, secret, headers, body, signature, timed } = case;
            assert!(scheme.takes(&secret), "{scheme:?}");
            let sent: Vec<_> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
            let check = |secrets: &[&str], body: &str, later| check(&scheme, secrets, &sent, body, later);
            assert_eq!(check(&[&secret], &body, 0), Ok(()), "{scheme:?}");
            assert_eq!(check(&["whsec_bmV3IHNlY3JldCBrZXk=", &secret], &body, 0), Ok(()), "the one before: {scheme:?}");
            assert_eq!(check(&["whsec_bmV3IHNlY3JldCBrZXk="], &body, 0), Err(Unverified::Wrong), "{scheme:?}");
            assert_eq!(check(&[], &body, 0), Err(Unverified::Wrong), "{scheme:?}");
            if scheme.signs_body() {
                assert_eq!(check(&[&secret], &format!("{body} "), 0), Err(Unverified::Wrong), "{scheme:?}");
            }
            for (later, expected) in [(TOLERANCE_S, Ok(())), (-TOLERANCE_S, Ok(()))] {
                assert_eq!(check(&[&secret], &body, later), expected, "{scheme:?}");
            }
            for later in [TOLERANCE_S + 1, -TOLERANCE_S - 1, i64::MAX / 10_000, i64::MIN / 10_000] {
                let expected = if timed { Err(Unverified::OtherTime) } else { Ok(()) };
                assert_eq!(check(&[&secret], &body, later), expected, "{scheme:?} {later}");
            }
            let wrong =
                ["", "v1,", "v1", "v0=", "v0=zz", "sha256=", "sha256=7571", "t=1", "t=,v1=", ",", "=", "é", "0"];
            for text in wrong {
                let mut sent = sent.clone();
                sent.retain(|(name, _)| *name != signature);
                sent.push((signature, text));
                assert!(self::check(&scheme, &[&secret], &sent, &body, 0).is_err(), "{scheme:?} takes `{text}`");
            }
            for (missing, _) in &headers {
                let sent: Vec<_> = sent.iter().copied().filter(|(name, _)| name != missing).collect();
                let refused = self::check(&scheme, &[&secret], &sent, &body, 0).unwrap_err();
                assert!(matches!(refused, Unverified::Missing(_)), "{scheme:?}: {refused}");
            }
            assert!(scheme.headers().contains(&signature.to_owned()));
        }
    }

    #[test]
    fn times_that_are_none_are_refused() {
        for text in ["", "now", "1e9", "99999999999999999999", "-1", "0"] {
            let sent = [("webhook-id", "a"), ("webhook-timestamp", text), ("webhook-signature", "v1,AAAA")];
            assert!(check(&Verification::StandardWebhooks, &["whsec_bmV3IHNlY3JldCBrZXk="], &sent, BODY, 0).is_err());
        }
    }

    #[test]
    fn a_secret_that_can_be_none_is_not_taken() {
        for wrong in ["", "whsec_", "whsec_AAAA", "whsec_%%%"] {
            assert!(!Verification::StandardWebhooks.takes(wrong), "{wrong}");
        }
        assert!(!Verification::Slack.takes("short") && !Verification::Slack.takes("line\nbreak-in-it"));
    }

    #[test]
    fn challenges_are_answered_with_what_was_sent() {
        let okta = scheme(
            "shared_header: { header: authorization, challenge_header: X-Okta-Verification-Challenge, answer: verification }",
        );
        let asked = |text: &str| BTreeMap::from([("x-okta-verification-challenge".to_owned(), text.to_owned())]);
        assert_eq!(okta.challenge(&asked("abc")), Some(json!({ "verification": "abc" })));
        assert_eq!(okta.challenge(&asked(&"a".repeat(2_000))), None);
        assert_eq!(okta.challenge(&BTreeMap::new()), None);
        assert_eq!(Verification::Slack.challenge(&asked("abc")), None);
        let slack = json!({ "type": "url_verification", "challenge": "3eZ" });
        assert_eq!(Verification::Slack.answer(&slack), Some(json!({ "challenge": "3eZ" })));
        assert_eq!(Verification::Slack.answer(&json!({ "type": "event_callback", "challenge": "3eZ" })), None);
        assert_eq!(okta.answer(&slack), None);
    }
}
