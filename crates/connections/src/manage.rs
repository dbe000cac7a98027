//! What administrators do with connections: test, rename, switch off and on, remove.
//!
//! Must never move a slot to another connection when one is removed: its slots need a choice then.
//! Tests: `tests/connect.rs`.

use flowdeck_engine::ports::{Scan, Space};
use flowdeck_model::connect::{ConnectionView, PromptState};
use flowdeck_model::{ConnectionId, FlowName, Nickname, SlotName};

use crate::api::{AuditKind, Disconnected, PromptFilter, Revocation, Tested};
use crate::error::ConnectError;
use crate::lifecycle::Happening;
use crate::protocol::Probed;
use crate::record::{ConnectionRecord, grant_key, key, name_key};
use crate::registry::{Inner, LIST_MAX, Registry, method_of, oauth_of, plain};

impl Registry {
    /// Asks the app whether the credential works.
    ///
    /// # Errors
    /// [`ConnectError::UnknownConnection`], [`ConnectError::Store`].
    pub async fn test(&self, id: ConnectionId) -> Result<Tested, ConnectError> {
        let mut record = self.inner.known(id).await?;
        let mut probed = self.inner.probe(&record).await?;
        if record.renewable && matches!(probed, Some(Probed::Refused(_))) {
            // A token that only grew old is renewed first.
            self.refresh(id, record.generation, true).await?;
            record = self.inner.known(id).await?;
            probed = self.inner.probe(&record).await?;
        }
        let (works, message) = match probed {
            None => (None, "the app declares no test".to_owned()),
            Some(Probed::Works { account, .. }) => {
                self.inner.mark(id, record.generation, Happening::Worked, false, "").await?;
                (Some(true), format!("it works for {}", account.unwrap_or_else(|| "its account".into())))
            }
            Some(Probed::Refused(why)) => {
                self.inner.mark(id, record.generation, Happening::GrantDead, false, &why).await?;
                (Some(false), why)
            }
            Some(Probed::Unclear(why)) => (None, why),
        };
        Ok(Tested { connection: self.connection(id).await?, works, message })
    }

    /// Gives a connection another nickname; its id and its slots stay.
    ///
    /// # Errors
    /// [`ConnectError::NicknameTaken`], [`ConnectError::UnknownConnection`].
    pub async fn rename(&self, id: ConnectionId, nickname: Nickname) -> Result<ConnectionView, ConnectError> {
        let _write = self.inner.write.lock().await;
        let mut record = self.inner.known(id).await?;
        if self.inner.named(&record.app, &nickname).await?.is_some_and(|other| other.id != id) {
            return Err(ConnectError::NicknameTaken { app: record.app, nickname });
        }
        let mut change = self.inner.change();
        change.delta.delete(Space::Connections, name_key(&record.app, &record.nickname));
        record.nickname = nickname;
        self.inner.put_record(&mut change, &record);
        self.inner.audit(&mut change, AuditKind::Rename, &record, record.nickname.as_str());
        self.inner.touch(&mut change, &record);
        self.inner.settle_named(&mut change, &record).await?;
        self.inner.commit(change).await?;
        Ok(self.inner.counted(&record).await?)
    }

    /// Switches a connection off (cards that need it are denied) or on.
    ///
    /// # Errors
    /// [`ConnectError::UnknownConnection`].
    pub async fn switch(&self, id: ConnectionId, on: bool, reason: &str) -> Result<ConnectionView, ConnectError> {
        let record = self.inner.known(id).await?;
        let happening = if on { Happening::SwitchedOn } else { Happening::SwitchedOff };
        self.inner.mark(id, record.generation, happening, false, reason).await?;
        self.connection(id).await
    }

    /// Removes a connection here, and its grant at the provider (RFC 7009). Slots keep pointing at it until
    /// somebody chooses another one.
    ///
    /// # Errors
    /// [`ConnectError::UnknownConnection`], [`ConnectError::Store`].
    pub async fn disconnect(&self, id: ConnectionId) -> Result<Disconnected, ConnectError> {
        // A renewal under way would leave what it brings behind, here and at the provider.
        let flight = self.inner.flight(id.to_bytes());
        let _alone = flight.lock().await;
        let record = self.inner.known(id).await?;
        let revocation = self.inner.revoke(&record).await;
        let open =
            self.prompts(&PromptFilter { app: Some(record.app.clone()), state: Some(PromptState::Open) }).await?;
        let prompts: Vec<_> = open.iter().filter(|p| p.connection == Some(id)).map(|p| p.id).collect();
        let shown = self.inner.counted(&record).await?;
        let slots = self.inner.slots_of(&record).await?;
        let _write = self.inner.write.lock().await;
        let record = self.inner.known(id).await?;
        let mut change = self.inner.change();
        change.delta.delete(Space::Connections, key("c", &id.to_bytes()));
        change.delta.delete(Space::Connections, name_key(&record.app, &record.nickname));
        change.delta.delete(Space::Grants, key("i", &id.to_bytes())).delete(Space::Grants, key("r", &id.to_bytes()));
        for generation in [record.generation, record.generation.saturating_sub(1)] {
            change.delta.delete(Space::Grants, grant_key(id, generation));
        }
        for prompt in &prompts {
            let head = self.inner.head(*prompt).await?;
            self.inner.end_prompt(&mut change, &head, PromptState::Closed).await?;
        }
        self.inner.settle_removed(&mut change, &record.app, id).await?;
        self.inner.audit(&mut change, AuditKind::Disconnect, &record, &format!("{revocation:?}"));
        self.inner.touch(&mut change, &record);
        self.inner.commit(change).await?;
        Ok(Disconnected { connection: ConnectionView { state: record.state, ..shown }, revocation, slots, prompts })
    }
}

impl Inner {
    async fn slots_of(&self, record: &ConnectionRecord) -> Result<Vec<(FlowName, SlotName)>, ConnectError> {
        let mut slots = std::collections::BTreeSet::new();
        for kind in ["m", "b"] {
            let prefix = key(kind, format!("{}/", record.app).as_bytes());
            for (key, value) in self.parts.store.scan(Scan::prefix(Space::Bindings, prefix.clone(), LIST_MAX)).await? {
                let bound = serde_json::from_slice::<ConnectionId>(&value).is_ok_and(|id| id == record.id);
                let text = String::from_utf8_lossy(&key[prefix.len()..]).into_owned();
                if let Some((flow, slot)) = text.split_once('/').filter(|_| bound)
                    && let (Ok(flow), Ok(slot)) = (FlowName::new(flow), SlotName::new(slot))
                {
                    slots.insert((flow, slot));
                }
            }
        }
        Ok(slots.into_iter().collect())
    }

    async fn revoke(&self, record: &ConnectionRecord) -> Revocation {
        let tried: Result<Revocation, ConnectError> = async {
            let auth = self.auth(&record.app)?;
            let method = method_of(&auth, &record.method)?;
            let Some((oauth, template)) = oauth_of(method).and_then(|o| Some((o, o.revoke_url.as_deref()?))) else {
                return Ok(Revocation::NotOffered);
            };
            let fields = plain(&record.fields);
            let secrets = self.secrets(record).await?;
            let Some(token) = secrets.get("oauth.refresh").or_else(|| secrets.get("oauth.access")) else {
                return Ok(Revocation::NotOffered);
            };
            let url = self.filled(&auth, template, &fields)?;
            let client = self.client(&auth, oauth, &fields, &secrets)?;
            Ok(match client.post(&url, &[("token", token.expose())]).await {
                Ok(raw) if (200..300).contains(&raw.status) => Revocation::Done,
                Ok(raw) => Revocation::Failed { why: format!("the provider answered with status {}", raw.status) },
                Err(e) => Revocation::Failed { why: e.to_string() },
            })
        }
        .await;
        tried.unwrap_or_else(|e| Revocation::Failed { why: e.to_string() })
    }
}
