//! Event hooks: which addresses are told about which events.
//!
//! Must never send anything itself (`delivery.rs` does) nor show a secret after its creation.
//! Tests: below, and `tests/walk/`.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use url::{Host, Url};

use super::{Directory, DirectoryRefusal, EventType, take};
use crate::limits;

/// Kept with its secret: a signature cannot be made from a digest. The state file is 0600.
#[derive(Serialize, Deserialize)]
pub(crate) struct Hook {
    pub(crate) id: String,
    pub(crate) url: String,
    pub(crate) events: BTreeSet<EventType>,
    pub(crate) secret: String,
    pub(crate) created: String,
    pub(crate) last_delivery: Option<LastDelivery>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct LastDelivery {
    pub(crate) event: String,
    /// The answer's status; `None`: no answer.
    pub(crate) status: Option<u16>,
    pub(crate) attempts: u32,
    pub(crate) at: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewHook {
    url: String,
    events: Vec<String>,
    secret: Option<String>,
}

impl Hook {
    /// As the API shows it: without the secret.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "url": self.url,
            "events": self.events,
            "created": self.created,
            "last_delivery": self.last_delivery,
        })
    }

    /// The signing key: the bytes behind `whsec_`.
    pub(crate) fn key(&self) -> Vec<u8> {
        secret_bytes(&self.secret).unwrap_or_default()
    }
}

fn secret_bytes(secret: &str) -> Option<Vec<u8>> {
    let bytes = STANDARD.decode(secret.strip_prefix("whsec_")?).ok()?;
    (16..=64).contains(&bytes.len()).then_some(bytes)
}

/// Reads an address that a hook may be sent to: http, on this machine, and nowhere else.
pub(crate) fn loopback_url(text: &str) -> Option<Url> {
    let url = Url::parse(text).ok().filter(|_| text.len() <= limits::URL_CHARS_MAX)?;
    let is_here = match url.host()? {
        Host::Ipv4(ip) => ip.is_loopback(),
        Host::Ipv6(ip) => ip.is_loopback(),
        Host::Domain(name) => name == "localhost",
    };
    (is_here && url.scheme() == "http" && url.username().is_empty() && url.password().is_none()).then_some(url)
}

impl Directory {
    pub(crate) fn hooks(&self) -> &[Hook] {
        &self.hooks
    }

    /// Adds a hook; the answer is the only one that holds the secret.
    pub(crate) fn add_hook(&mut self, new: NewHook, now_ms: i64) -> Result<Value, DirectoryRefusal> {
        if self.hooks.len() >= limits::HOOKS_MAX {
            return Err(DirectoryRefusal::Full { what: "hooks", max: limits::HOOKS_MAX });
        }
        let url = loopback_url(&new.url).ok_or_else(|| {
            DirectoryRefusal::invalid("url", "must be an http address on 127.0.0.1, [::1] or localhost")
        })?;
        let events: Option<BTreeSet<EventType>> = new.events.iter().map(|name| EventType::parse(name)).collect();
        let events = events.filter(|events| !events.is_empty()).ok_or_else(|| {
            DirectoryRefusal::invalid("events", "must list event types, like [\"person.joined\", \"person.left\"]")
        })?;
        let secret = new.secret.unwrap_or_else(|| format!("whsec_{}", STANDARD.encode(rand::random::<[u8; 24]>())));
        if secret_bytes(&secret).is_none() {
            let problem = "must be \"whsec_\" and the base64 of 16 to 64 bytes; leave it out to have one made";
            return Err(DirectoryRefusal::invalid("secret", problem));
        }
        let hook = Hook {
            id: format!("hook_{:04}", take(&mut self.next_id.hook)),
            url: url.to_string(),
            events,
            secret,
            created: super::log::timestamp(now_ms),
            last_delivery: None,
        };
        let mut shown = hook.shown();
        shown["secret"] = json!(hook.secret);
        self.hooks.push(hook);
        Ok(shown)
    }

    pub(crate) fn remove_hook(&mut self, id: &str) -> Result<(), DirectoryRefusal> {
        let before = self.hooks.len();
        self.hooks.retain(|hook| hook.id != id);
        if self.hooks.len() == before { Err(DirectoryRefusal::not_found("hook", id)) } else { Ok(()) }
    }

    pub(crate) fn note_delivery(&mut self, hook: &str, delivery: LastDelivery) {
        if let Some(hook) = self.hooks.iter_mut().find(|other| other.id == hook) {
            hook.last_delivery = Some(delivery);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hooks_go_to_this_machine_only() {
        for (text, allowed) in [
            ("http://127.0.0.1:9000/in", true),
            ("http://localhost:9000/in", true),
            ("http://[::1]:9000/in", true),
            ("https://127.0.0.1:9000/in", false),
            ("http://127.0.0.1.example.com/in", false),
            ("http://10.0.0.1/in", false),
            ("http://169.254.169.254/latest", false),
            ("http://user@127.0.0.1/in", false),
            ("file:///etc/passwd", false),
        ] {
            assert_eq!(loopback_url(text).is_some(), allowed, "{text}");
        }
    }
}
