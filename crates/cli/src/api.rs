//! The calls of the HTTP API that commands make, by name.
//!
//! Must never repeat a call that is not safe to repeat.
//! Tests: every command's test goes through here.

mod hooks;
mod people;

use anyhow::Result;
use flowdeck::connections::{Attempt, Disconnected, SecretText, Tested};
use flowdeck::engine::{Entry, RunView, Status};
use flowdeck::model::connect::{ConnectionView, PromptView};
use flowdeck::model::table::{TableDecl, TableOp};
use flowdeck::model::{AppName, AttemptId, ConnectionId, Fields, FlowName, Nickname, PromptId, RunId, TableName};
use flowdeck_server::wire::{
    About, AskToken, Bind, Bound, ClientToken, Confirm, Connect, ConnectionList, Decide, EntryList, FlowFile, FlowList,
    Paste, Preflight, PromptList, PublishFlow, Rename, Retry, RunList, ServedFlow, Settle, Signal, StartFlow, StartRun,
    Switch, SwitchFlow, TableList, UseConnection,
};
use http::Method;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::screen::runs::status_key;
use crate::session::Session;

/// Most entries read at once.
pub(crate) const ENTRIES_PAGE: usize = 500;
/// Most runs read at once.
pub(crate) const RUNS_PAGE: usize = 200;

/// The runtime of a data folder, wherever it runs.
#[derive(Debug)]
pub(crate) struct Api {
    session: Session,
}

impl Api {
    pub(crate) fn new(session: Session) -> Self {
        Self { session }
    }

    pub(crate) fn session(&self) -> &Session {
        &self.session
    }

    pub(crate) fn into_session(self) -> Session {
        self.session
    }

    async fn call<B: Serialize + Sync, A: DeserializeOwned>(&self, method: Method, path: &str, body: &B) -> Result<A> {
        self.session.call(method, path, body).await
    }

    async fn get<A: DeserializeOwned>(&self, path: &str) -> Result<A> {
        self.call(Method::GET, path, &()).await
    }

    async fn post<B: Serialize + Sync, A: DeserializeOwned>(&self, path: &str, body: &B) -> Result<A> {
        self.call(Method::POST, path, body).await
    }

    pub(crate) async fn about(&self) -> Result<About> {
        self.get("/v1/about").await
    }

    pub(crate) async fn preflight(&self, file: &FlowFile) -> Result<Preflight> {
        self.post("/v1/preflight", file).await
    }

    /// Stores the prompts of a flow, so that one consent covers what all of its cards need.
    pub(crate) async fn raise(&self, file: &FlowFile) -> Result<Preflight> {
        self.post("/v1/prompts/raise", file).await
    }

    pub(crate) async fn start(&self, start: &StartRun) -> Result<RunView> {
        self.post("/v1/runs", start).await
    }

    pub(crate) async fn run(&self, run: RunId) -> Result<RunView> {
        self.get(&format!("/v1/runs/{run}")).await
    }

    pub(crate) async fn runs(
        &self,
        flow: Option<&FlowName>,
        status: Option<Status>,
        cursor: Option<RunId>,
        limit: usize,
    ) -> Result<RunList> {
        let mut path = format!("/v1/runs?limit={limit}");
        if let Some(flow) = flow {
            path.push_str(&format!("&flow={flow}"));
        }
        if let Some(status) = status {
            path.push_str(&format!("&status={}", status_key(status)));
        }
        if let Some(cursor) = cursor {
            path.push_str(&format!("&cursor={cursor}"));
        }
        self.get(&path).await
    }

    /// Entries after number `after`, one page.
    pub(crate) async fn entries(&self, run: RunId, after: u64) -> Result<Vec<Entry>> {
        let list: EntryList = self.get(&format!("/v1/runs/{run}/entries?after={after}&limit={ENTRIES_PAGE}")).await?;
        Ok(list.entries)
    }

    /// Tells a run something, which has no answer of its own; the run as it stands then.
    async fn tell<B: Serialize + Sync>(&self, run: RunId, what: &str, body: &B) -> Result<RunView> {
        let () = self.post(&format!("/v1/runs/{run}/{what}"), body).await?;
        self.run(run).await
    }

    pub(crate) async fn cancel(&self, run: RunId) -> Result<RunView> {
        self.tell(run, "cancel", &()).await
    }

    pub(crate) async fn resume(&self, run: RunId) -> Result<RunView> {
        self.tell(run, "resume", &()).await
    }

    pub(crate) async fn retry(&self, run: RunId, retry: &Retry) -> Result<RunView> {
        self.tell(run, "retry", retry).await
    }

    pub(crate) async fn signal(&self, run: RunId, signal: &Signal) -> Result<RunView> {
        self.tell(run, "signal", signal).await
    }

    pub(crate) async fn decide(&self, run: RunId, approve: bool, decide: &Decide) -> Result<RunView> {
        self.tell(run, if approve { "approve" } else { "reject" }, decide).await
    }

    pub(crate) async fn settle(&self, run: RunId, settle: &Settle) -> Result<RunView> {
        self.tell(run, "settle", settle).await
    }

    pub(crate) async fn prompts(&self, state: Option<&str>, app: Option<&AppName>) -> Result<Vec<PromptView>> {
        let mut path = "/v1/prompts?".to_owned();
        if let Some(state) = state {
            path.push_str(&format!("state={state}&"));
        }
        if let Some(app) = app {
            path.push_str(&format!("app={app}"));
        }
        let list: PromptList = self.get(path.trim_end_matches(['&', '?'])).await?;
        Ok(list.prompts)
    }

    pub(crate) async fn prompt(&self, prompt: PromptId) -> Result<PromptView> {
        self.get(&format!("/v1/prompts/{prompt}")).await
    }

    pub(crate) async fn use_connection(&self, prompt: PromptId, connection: ConnectionId) -> Result<PromptView> {
        self.post(&format!("/v1/prompts/{prompt}/use"), &UseConnection { connection }).await
    }

    pub(crate) async fn close_prompt(&self, prompt: PromptId) -> Result<PromptView> {
        self.post(&format!("/v1/prompts/{prompt}/close"), &()).await
    }

    pub(crate) async fn bind(&self, bind: &Bind) -> Result<Bound> {
        self.post("/v1/bindings", bind).await
    }

    pub(crate) async fn connect(&self, body: &Connect) -> Result<Attempt> {
        self.post("/v1/attempts", body).await
    }

    pub(crate) async fn attempt(&self, attempt: AttemptId) -> Result<Attempt> {
        self.get(&format!("/v1/attempts/{attempt}")).await
    }

    pub(crate) async fn poll(&self, attempt: AttemptId) -> Result<Attempt> {
        self.post(&format!("/v1/attempts/{attempt}/poll"), &()).await
    }

    pub(crate) async fn paste(&self, attempt: AttemptId, text: SecretText) -> Result<Attempt> {
        self.post(&format!("/v1/attempts/{attempt}/paste"), &Paste { text }).await
    }

    pub(crate) async fn confirm(&self, attempt: AttemptId, accept: bool) -> Result<Attempt> {
        self.post(&format!("/v1/attempts/{attempt}/confirm"), &Confirm { accept }).await
    }

    pub(crate) async fn connections(&self, app: Option<&AppName>) -> Result<Vec<ConnectionView>> {
        let path = app.map_or_else(|| "/v1/connections".to_owned(), |app| format!("/v1/connections?app={app}"));
        let list: ConnectionList = self.get(&path).await?;
        Ok(list.connections)
    }

    pub(crate) async fn test(&self, connection: ConnectionId) -> Result<Tested> {
        self.post(&format!("/v1/connections/{connection}/test"), &()).await
    }

    pub(crate) async fn rename(&self, connection: ConnectionId, nickname: Nickname) -> Result<ConnectionView> {
        self.post(&format!("/v1/connections/{connection}/rename"), &Rename { nickname }).await
    }

    pub(crate) async fn switch(&self, connection: ConnectionId, switch: &Switch) -> Result<ConnectionView> {
        self.post(&format!("/v1/connections/{connection}/switch"), switch).await
    }

    pub(crate) async fn tables(&self) -> Result<Vec<TableDecl>> {
        let list: TableList = self.get("/v1/tables").await?;
        Ok(list.tables)
    }

    pub(crate) async fn table(&self, name: &TableName) -> Result<TableDecl> {
        let name: String = url::form_urlencoded::byte_serialize(name.as_str().as_bytes()).collect();
        self.get(&format!("/v1/tables/{}", name.replace('+', "%20"))).await
    }

    pub(crate) async fn table_op(&self, op: &TableOp) -> Result<Fields> {
        self.post("/v1/tables/op", op).await
    }

    pub(crate) async fn flows(&self, cursor: Option<&FlowName>, limit: usize) -> Result<FlowList> {
        let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
        self.get(&format!("/v1/flows?limit={limit}{cursor}")).await
    }

    pub(crate) async fn flow(&self, name: &FlowName) -> Result<ServedFlow> {
        self.get(&format!("/v1/flows/{name}")).await
    }

    pub(crate) async fn publish(&self, publish: &PublishFlow) -> Result<ServedFlow> {
        self.post("/v1/flows", publish).await
    }

    pub(crate) async fn switch_flow(&self, name: &FlowName, on: bool) -> Result<ServedFlow> {
        self.post(&format!("/v1/flows/{name}/switch"), &SwitchFlow { on }).await
    }

    pub(crate) async fn start_flow(&self, name: &FlowName, start: &StartFlow) -> Result<RunView> {
        self.post(&format!("/v1/flows/{name}/start"), start).await
    }

    pub(crate) async fn client_token(&self, name: &FlowName, renew: bool) -> Result<ClientToken> {
        self.post(&format!("/v1/flows/{name}/token"), &AskToken { renew }).await
    }

    pub(crate) async fn disconnect(&self, connection: ConnectionId) -> Result<Disconnected> {
        self.call(Method::DELETE, &format!("/v1/connections/{connection}"), &()).await
    }
}
