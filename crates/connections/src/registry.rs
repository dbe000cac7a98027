//! The registry itself: opening, reading and writing records, versions and wake-ups, views.
//!
//! Must never write a record outside the one write lock, and never show a secret in a view.
//! Tests: `tests/connect.rs`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flowdeck_engine::ports::{Delta, Op, Scan, Space, StoreError, WaitKey};
use flowdeck_model::app::{AppAuth, AuthKind, AuthMethod, OAuth2};
use flowdeck_model::connect::ConnectionView;
use flowdeck_model::{AppName, ConnectionId, FlowName, Millis, Nickname, SlotName};
use parking_lot::Mutex;
use serde::de::DeserializeOwned;
use tokio::sync::Notify;

use crate::api::{AuditKind, AuditRecord, RegistryParts};
use crate::credential::Bearer;
use crate::errands::Errands;
use crate::error::ConnectError;
use crate::fields::fill;
use crate::flights::Flights;
use crate::hosts::HostRules;
use crate::prompts::Drafts;
use crate::protocol::Client;
use crate::random;
use crate::record::{ConnectionRecord, SealedTexts, encode, grant_key, key, name_key};
use crate::seal::{Label, SealError};
use crate::secret::SecretText;
use crate::waits::{StoredWaits, Waits};

pub(crate) const LIST_MAX: usize = 10_000;
pub(crate) type Secrets = BTreeMap<String, SecretText>;

/// The connection registry. Cheap to clone; one for a data folder.
#[derive(Clone)]
pub struct Registry {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) parts: RegistryParts,
    pub(crate) write: tokio::sync::Mutex<()>,
    pub(crate) flights: Flights,
    pub(crate) drafts: Mutex<Drafts>,
    pub(crate) waits: Mutex<Arc<dyn Waits>>,
    pub(crate) proved: Mutex<HashMap<ConnectionId, (u64, Millis)>>,
    pub(crate) errands: Errands,
    sequence: AtomicU64,
    pending: Mutex<BTreeSet<WaitKey>>,
    notify: Notify,
}

impl std::fmt::Debug for Registry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registry").field("options", &self.inner.parts.options).finish_non_exhaustive()
    }
}

/// One commit of ours and the wait keys it touches.
pub(crate) struct Change {
    pub(crate) delta: Delta,
    pub(crate) touched: BTreeSet<WaitKey>,
}

impl Registry {
    /// Opens the registry over a store.
    ///
    /// # Errors
    /// [`ConnectError::Sealed`] when the key file is not the one this data was sealed with; [`ConnectError::Store`].
    pub async fn open(parts: RegistryParts) -> Result<Self, ConnectError> {
        let sequence = read_u64(parts.store.get(Space::Connections, b"q").await?);
        let label = Label { kind: "check", owner: [0; 16], generation: 0, field: "key" };
        match parts.store.get(Space::Connections, b"key").await? {
            Some(sealed) => drop(parts.key.open(label, &sealed)?),
            None => {
                let mut delta = Delta::new(parts.store.epoch());
                delta.put(Space::Connections, *b"key", parts.key.seal(&*parts.random, label, "flowdeck"));
                parts.store.commit(delta).await?;
            }
        }
        let waits: Arc<dyn Waits> = Arc::new(StoredWaits(parts.store.clone()));
        let opened = Self {
            inner: Arc::new(Inner {
                parts,
                waits: Mutex::new(waits),
                write: tokio::sync::Mutex::new(()),
                flights: Flights::default(),
                drafts: Mutex::default(),
                proved: Mutex::default(),
                errands: Errands::default(),
                sequence: AtomicU64::new(sequence),
                pending: Mutex::default(),
                notify: Notify::new(),
            }),
        };
        opened.inner.sweep_prompts().await?;
        Ok(opened)
    }

    /// Connections, of one app or of all, by id.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn connections(&self, app: Option<&AppName>) -> Result<Vec<ConnectionView>, ConnectError> {
        let mut views = Vec::new();
        for record in self.inner.records(app).await? {
            views.push(self.inner.counted(&record).await?);
        }
        Ok(views)
    }

    /// Counts waiting runs in another way than by the engine's own index of waits.
    pub fn count_waits_with(&self, waits: Arc<dyn Waits>) {
        *self.inner.waits.lock() = waits;
    }

    /// One connection.
    ///
    /// # Errors
    /// [`ConnectError::UnknownConnection`], [`ConnectError::Store`].
    pub async fn connection(&self, id: ConnectionId) -> Result<ConnectionView, ConnectError> {
        Ok(self.inner.counted(&self.inner.known(id).await?).await?)
    }

    /// The connection with a nickname.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn find(&self, app: &AppName, nickname: &Nickname) -> Result<Option<ConnectionView>, ConnectError> {
        match self.inner.named(app, nickname).await? {
            Some(record) => Ok(Some(self.inner.counted(&record).await?)),
            None => Ok(None),
        }
    }

    /// The redirect URI to register for an app, in the form in which it is compared: exactly.
    #[must_use]
    pub fn redirect_uri(&self, app: &AppName) -> String {
        self.inner.redirect_uri(app)
    }

    /// Audit records, newest first, older than `before`.
    ///
    /// # Errors
    /// [`ConnectError::Store`].
    pub async fn audit(&self, limit: usize, before: Option<Millis>) -> Result<Vec<AuditRecord>, ConnectError> {
        let after = before.map(|at| at.0.to_be_bytes().to_vec());
        let scan = Scan { space: Space::Audit, prefix: vec![], after, limit, reverse: true, keys_only: false };
        let found = self.inner.parts.store.scan(scan).await?;
        Ok(found.iter().filter_map(|(_, value)| serde_json::from_slice(value).ok()).collect())
    }
}

impl Inner {
    /// How many runs wait on any of these.
    pub(crate) async fn waiting(&self, keys: Vec<WaitKey>) -> Result<u64, StoreError> {
        let waits = self.waits.lock().clone();
        let mut sum = 0;
        for on in keys {
            sum += waits.count(&on).await?;
        }
        Ok(sum)
    }

    /// A connection as people see it, with how many runs wait for it.
    pub(crate) async fn counted(&self, record: &ConnectionRecord) -> Result<ConnectionView, StoreError> {
        Ok(ConnectionView { waiting: self.waiting(vec![con_key(record.id)]).await?, ..view(record) })
    }

    pub(crate) fn now(&self) -> Millis {
        self.parts.clock.now()
    }

    pub(crate) fn random_id(&self) -> u128 {
        u128::from_be_bytes(random::bytes(&*self.parts.random))
    }

    pub(crate) fn redirect_uri(&self, app: &AppName) -> String {
        let options = &self.parts.options;
        let base = options.redirect_base.as_deref().map(|b| b.trim_end_matches('/').to_owned());
        let base = base.unwrap_or_else(|| format!("http://127.0.0.1:{}", options.redirect_port));
        format!("{base}/oauth/callback/{app}")
    }

    pub(crate) fn auth(&self, app: &AppName) -> Result<Arc<AppAuth>, ConnectError> {
        self.parts.apps.auth(app).ok_or_else(|| ConnectError::UnknownApp(app.clone()))
    }

    pub(crate) fn change(&self) -> Change {
        Change { delta: Delta::new(self.parts.store.epoch()), touched: BTreeSet::new() }
    }

    /// Commits under the write lock that the caller holds, and wakes who waits on what was touched.
    pub(crate) async fn commit(&self, mut change: Change) -> Result<(), StoreError> {
        let sequence = self.sequence.load(Ordering::Acquire) + 1;
        if !change.touched.is_empty() {
            change.delta.put(Space::Connections, *b"q", sequence.to_be_bytes());
            for on in &change.touched {
                change.delta.put(Space::Connections, version_key(on), sequence.to_be_bytes());
            }
        }
        self.parts.store.commit(change.delta).await?;
        if !change.touched.is_empty() {
            self.sequence.store(sequence, Ordering::Release);
            self.pending.lock().extend(change.touched);
            self.notify.notify_one();
        }
        Ok(())
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.sequence.load(Ordering::Acquire)
    }

    pub(crate) async fn changed(&self, on: &WaitKey, seen: u64) -> Result<bool, StoreError> {
        let mut keys = vec![on.clone()];
        // A new connection of the app can answer a slot that its maker did not know of.
        if let Some(app) = on.0.strip_prefix("slot:").and_then(|rest| rest.split(':').next()) {
            keys.push(WaitKey(format!("app:{app}")));
        }
        for on in keys {
            if read_u64(self.parts.store.get(Space::Connections, &version_key(&on)).await?) > seen {
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(crate) async fn next_changes(&self) -> Vec<WaitKey> {
        loop {
            let waiting = self.notify.notified();
            let keys = std::mem::take(&mut *self.pending.lock());
            if !keys.is_empty() {
                return keys.into_iter().collect();
            }
            waiting.await;
        }
    }

    pub(crate) async fn read<T: DeserializeOwned>(&self, space: Space, key: &[u8]) -> Result<Option<T>, StoreError> {
        let Some(bytes) = self.parts.store.get(space, key).await? else { return Ok(None) };
        let read = serde_json::from_slice(&bytes);
        if let Err(cause) = &read {
            tracing::warn!(?space, %cause, "a record of the connection registry cannot be read; it is left as it is");
        }
        Ok(read.ok())
    }

    pub(crate) async fn record(&self, id: ConnectionId) -> Result<Option<ConnectionRecord>, StoreError> {
        self.read(Space::Connections, &key("c", &id.to_bytes())).await
    }

    pub(crate) async fn known(&self, id: ConnectionId) -> Result<ConnectionRecord, ConnectError> {
        self.record(id).await?.ok_or_else(|| ConnectError::UnknownConnection(id.to_string()))
    }

    pub(crate) async fn named(
        &self,
        app: &AppName,
        nickname: &Nickname,
    ) -> Result<Option<ConnectionRecord>, StoreError> {
        match self.read::<ConnectionId>(Space::Connections, &name_key(app, nickname)).await? {
            Some(id) => self.record(id).await,
            None => Ok(None),
        }
    }

    /// Records that can be read; one that cannot does not harm the others.
    pub(crate) async fn records(&self, app: Option<&AppName>) -> Result<Vec<ConnectionRecord>, StoreError> {
        let found = self.parts.store.scan(Scan::prefix(Space::Connections, *b"c/", LIST_MAX)).await?;
        let read = found.iter().filter_map(|(_, value)| serde_json::from_slice::<ConnectionRecord>(value).ok());
        Ok(read.filter(|r| app.is_none_or(|app| *app == r.app)).collect())
    }

    pub(crate) fn put_record(&self, change: &mut Change, record: &ConnectionRecord) {
        change.delta.put(Space::Connections, key("c", &record.id.to_bytes()), encode(record));
        change.delta.put(Space::Connections, name_key(&record.app, &record.nickname), encode(&record.id));
    }

    pub(crate) fn touch(&self, change: &mut Change, record: &ConnectionRecord) {
        change.touched.insert(con_key(record.id));
        change.touched.insert(WaitKey(format!("app:{}", record.app)));
    }

    pub(crate) fn seal(&self, kind: &str, owner: [u8; 16], generation: u64, secrets: &Secrets) -> SealedTexts {
        let sealed = |(field, text): (&String, &SecretText)| {
            let label = Label { kind, owner, generation, field };
            (field.clone(), hex::encode(self.parts.key.seal(&*self.parts.random, label, text.expose())))
        };
        secrets.iter().map(sealed).collect()
    }

    pub(crate) fn unseal(
        &self,
        kind: &str,
        owner: [u8; 16],
        generation: u64,
        sealed: &SealedTexts,
    ) -> Result<Secrets, SealError> {
        let open = |(field, text): (&String, &String)| {
            let bytes = hex::decode(text).map_err(|_| SealError::Broken)?;
            let label = Label { kind, owner, generation, field };
            Ok((field.clone(), self.parts.key.open(label, &bytes)?))
        };
        sealed.iter().map(open).collect()
    }

    pub(crate) async fn secrets(&self, record: &ConnectionRecord) -> Result<Secrets, ConnectError> {
        let stored: Option<SealedTexts> = self.read(Space::Grants, &grant_key(record.id, record.generation)).await?;
        let stored = stored.ok_or(SealError::Broken)?;
        Ok(self.unseal("grant", record.id.to_bytes(), record.generation, &stored)?)
    }

    pub(crate) fn put_secrets(&self, change: &mut Change, id: ConnectionId, generation: u64, secrets: &Secrets) {
        let sealed = self.seal("grant", id.to_bytes(), generation, secrets);
        change.delta.put(Space::Grants, grant_key(id, generation), encode(&sealed));
    }

    pub(crate) fn bearer(
        &self,
        auth: &AppAuth,
        method: &AuthMethod,
        id: ConnectionId,
        fields: &BTreeMap<String, String>,
        secrets: &Secrets,
    ) -> Result<Bearer, ConnectError> {
        let wrong = |why| ConnectError::Declaration { app: auth.app.clone(), why };
        let hosts = HostRules::new(auth, fields, &self.parts.options.allow_http_hosts).map_err(wrong)?;
        Bearer::new(id.to_string(), hosts, method, fields, secrets, &self.parts.clock).map_err(wrong)
    }

    pub(crate) fn client<'a>(
        &'a self,
        auth: &AppAuth,
        oauth: &'a OAuth2,
        fields: &BTreeMap<String, String>,
        secrets: &Secrets,
    ) -> Result<Client<'a>, ConnectError> {
        let wrong = |why| ConnectError::Declaration { app: auth.app.clone(), why };
        let id = oauth.client_id.clone().or_else(|| fields.get("client_id").cloned());
        let filled = |(name, template): (&String, &String)| {
            fill(template, fields)
                .map(|value| (name.clone(), value))
                .map_err(|field| wrong(format!("no field `{field}`")))
        };
        Ok(Client {
            egress: &self.parts.egress,
            oauth,
            extra: oauth.token_params.iter().map(filled).collect::<Result<_, _>>()?,
            id: id.ok_or_else(|| wrong("no field `client_id`".into()))?,
            secret: secrets.get("client_secret").filter(|s| !s.is_empty()).cloned(),
            hosts: HostRules::new(auth, fields, &self.parts.options.allow_http_hosts).map_err(wrong)?,
            timeout_ms: self.parts.options.call_timeout_ms,
            now: self.now(),
        })
    }

    pub(crate) fn filled(
        &self,
        auth: &AppAuth,
        template: &str,
        fields: &BTreeMap<String, String>,
    ) -> Result<String, ConnectError> {
        fill(template, fields)
            .map_err(|field| ConnectError::Declaration { app: auth.app.clone(), why: format!("no field `{field}`") })
    }

    pub(crate) fn audit_op(&self, record: AuditRecord) -> Op {
        record.op(random::bytes(&*self.parts.random))
    }

    pub(crate) fn audit(&self, change: &mut Change, kind: AuditKind, record: &ConnectionRecord, detail: &str) {
        change.delta.ops.push(self.audit_op(AuditRecord {
            at: self.now(),
            kind,
            connection: Some(record.id),
            generation: record.generation,
            who: None,
            card: None,
            run: None,
            detail: detail.to_owned(),
        }));
    }

    /// The lock of one connection or attempt.
    pub(crate) fn flight(&self, id: [u8; 16]) -> Arc<tokio::sync::Mutex<()>> {
        self.flights.of(id)
    }
}

pub(crate) fn method_of<'a>(auth: &'a AppAuth, key: &str) -> Result<&'a AuthMethod, ConnectError> {
    auth.methods.iter().find(|m| m.key == key).ok_or_else(|| ConnectError::UnknownMethod {
        app: auth.app.clone(),
        method: key.to_owned(),
        offered: auth.methods.iter().map(|m| m.key.as_str()).collect::<Vec<_>>().join(", "),
    })
}

pub(crate) fn oauth_of(method: &AuthMethod) -> Option<&OAuth2> {
    match &method.kind {
        AuthKind::OAuth2(oauth) => Some(oauth),
        _ => None,
    }
}

pub(crate) fn plain(fields: &indexmap::IndexMap<String, String>) -> BTreeMap<String, String> {
    fields.iter().map(|(k, v)| (k.clone(), v.clone())).collect()
}

pub(crate) fn con_key(id: ConnectionId) -> WaitKey {
    WaitKey(format!("con:{id}"))
}

pub(crate) fn slot_key(app: &AppName, flow: &FlowName, slot: &SlotName) -> WaitKey {
    WaitKey(format!("slot:{app}:{flow}:{slot}"))
}

fn version_key(on: &WaitKey) -> Vec<u8> {
    key("v", on.0.as_bytes())
}

fn read_u64(bytes: Option<Vec<u8>>) -> u64 {
    bytes.and_then(|b| b.try_into().ok()).map_or(0, u64::from_be_bytes)
}

pub(crate) fn view(r: &ConnectionRecord) -> ConnectionView {
    ConnectionView {
        id: r.id,
        app: r.app.clone(),
        nickname: r.nickname.clone(),
        method: r.method.clone(),
        state: r.state,
        state_reason: r.why_wanted(),
        account: r.account.clone(),
        subject: r.subject.clone(),
        fields: r.fields.clone(),
        requested: r.requested.clone(),
        granted: r.granted.clone(),
        generation: r.generation,
        proved_at: r.proved_at,
        expires_at: r.expires_at,
        created_at: r.created_at,
        waiting: 0,
    }
}
