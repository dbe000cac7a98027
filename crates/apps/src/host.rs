//! Performs actions: one request each, through egress, with the credential as an opaque handle.
//!
//! Must never send a writing request twice, nor follow a redirect of one.
//! Tests: `tests/requests.rs` against a server on loopback.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flowdeck_egress::{Egress, EgressError};
use flowdeck_engine::ports::{CardCall, CardOutcome, LookUp};
use flowdeck_model::{CardName, EffectClass, Fault, FaultCode, Fields, Mapping, Value};
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::answer::{self, Verdict};
use crate::builtin::Apps;
use crate::compile::App;
use crate::file::action::NextPage;
use crate::outputs;
use crate::ready::{ReadyAction, ReadyRequest};
use crate::render::{Rendered, render};
use crate::scope::Names;
use crate::send::Sending;
use crate::tables;
use crate::unanswered::unanswered;

/// Longest time of one attempt unless the card says otherwise, in milliseconds.
const TIMEOUT_MS: u64 = 60_000;
/// Most pages, and about the most items, of a list that is taken whole.
const WHOLE_PAGES_MAX: usize = 1_000;
const WHOLE_ITEMS_MAX: usize = 100_000;
/// Most requests of one step that repeats.
const REPEAT_MAX: usize = 200;
/// Names in the token of a page whose items are counted.
const PAGE: &str = "page";
const SEEN: &str = "seen";

/// A request as it would be sent, without the credential.
#[derive(Debug, Clone, PartialEq)]
pub struct Preview {
    /// The method.
    pub method: http::Method,
    /// The whole address.
    pub url: url::Url,
    /// The headers of the card.
    pub headers: http::HeaderMap,
    /// The body.
    pub body: Bytes,
}

/// Runs the actions of all apps.
#[derive(Debug, Clone)]
pub struct AppHost {
    apps: Arc<Apps>,
    pub(crate) egress: Option<Egress>,
}

impl AppHost {
    /// A host for these apps.
    #[must_use]
    pub fn new(apps: Arc<Apps>, egress: Egress) -> Self {
        Self { apps, egress: Some(egress) }
    }

    /// A host that can show requests and send none: every action that would send one fails.
    #[must_use]
    pub fn offline(apps: Arc<Apps>) -> Self {
        Self { apps, egress: None }
    }

    /// The apps.
    #[must_use]
    pub fn apps(&self) -> &Arc<Apps> {
        &self.apps
    }

    pub(crate) fn action(&self, card: &CardName) -> Result<(&Arc<App>, &ReadyAction), Fault> {
        self.apps
            .app(card.family())
            .and_then(|app| Some((app, app.action(card.operation())?)))
            .ok_or_else(|| Fault::new(FaultCode::UnknownCard, format!("there is no card {card}")))
    }

    pub(crate) fn names(&self, call: &CardCall) -> Names {
        let none = BTreeMap::new();
        let fields = call.authorized.as_ref().map_or(&none, |a| &a.fields);
        let mut names = Names::new(call.inputs.clone(), fields, self.apps.variables());
        names.set("now_s", Arc::new(Value::from(call.ambient.now.0.div_euclid(1000))));
        if let Some(page) = &call.page {
            names.set("page", Arc::new(page.clone()));
        }
        let Ok((app, ready)) = self.action(&call.card) else { return names };
        names.set("app", app.variables(self.apps.variables()));
        if ready.action.more_inputs {
            let declared = |key: &str| ready.action.inputs.iter().any(|f| f.key == key);
            let more = call.inputs.iter().filter(|(key, _)| !declared(key));
            let more = more.map(|(key, value)| (key.to_owned(), (**value).clone())).collect();
            names.set("more", Arc::new(Value::Object(more)));
        }
        names
    }

    pub(crate) fn rendered(
        &self,
        call: &CardCall,
        request: &ReadyRequest,
        names: &mut Names,
    ) -> Result<Rendered, Fault> {
        let (app, ready) = self.action(&call.card)?;
        let mut rendered = render(app, request, names)?;
        if let (Some(page), Some(pagination)) = (&call.page, &ready.action.pagination) {
            turn_page(&mut rendered, &pagination.next, page)?;
        }
        if let Some(header) = &ready.action.idempotency_header {
            let (name, value) =
                (http::HeaderName::from_bytes(header.as_bytes()), http::HeaderValue::from_str(&key_hash(call)));
            if let (Ok(name), Ok(value)) = (name, value) {
                rendered.headers.insert(name, value);
            }
        }
        Ok(rendered)
    }

    /// The request as far as it is known before anything is asked: what earlier reads would bring is empty, and of
    /// requests that repeat it is the first. `None` for cards without a request, and where a read decides on it.
    ///
    /// # Errors
    /// Where the inputs cannot make a request.
    pub fn preview(&self, call: &CardCall) -> Result<Option<Preview>, Fault> {
        if call.card.family() == tables::FAMILY {
            return Ok(None);
        }
        let (_, ready) = self.action(&call.card)?;
        let Some(request) = &ready.request else { return Ok(None) };
        let mut names = self.names(call);
        if let Some(list) = &ready.repeat
            && let Value::Array(items) = &*list.evaluate(&names)?
            && let Some(first) = items.first()
        {
            names.set("each", Arc::new(first.clone()));
        }
        match self.rendered(call, request, &mut names) {
            Ok(r) => Ok(Some(Preview { method: r.method, url: r.url, headers: r.headers, body: r.body })),
            Err(_) if !ready.before.is_empty() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// SHA-256 over the request that [`Self::perform`] would send; over the inputs where other answers decide on it.
    ///
    /// # Errors
    /// Where the inputs cannot make a request.
    pub fn request_hash(&self, call: &CardCall) -> Result<String, Fault> {
        if call.card.family() == tables::FAMILY {
            return Ok(String::new());
        }
        let (_, ready) = self.action(&call.card)?;
        let mut hash = Sha256::new();
        match &ready.request {
            Some(request) if ready.before.is_empty() && ready.repeat.is_none() => {
                let rendered = self.rendered(call, request, &mut self.names(call))?;
                hash.update(rendered.method.as_str());
                hash.update([0]);
                hash.update(rendered.url.as_str());
                hash.update([0]);
                hash.update(&rendered.body);
            }
            _ => hash.update(call.inputs.to_value().to_string()),
        }
        Ok(hex::encode(hash.finalize()))
    }

    /// Performs an action once; a list that comes in pages is asked for to its end where the call wants it whole.
    pub async fn perform(&self, mut call: CardCall) -> CardOutcome {
        let list = match self.action(&call.card) {
            Ok((_, ready)) if call.all_pages => ready.action.pagination.as_ref().map(|p| p.output.clone()),
            _ => None,
        };
        let Some(list) = list else { return self.perform_once(&call).await };
        let mut so_far = Vec::new();
        for _ in 0..WHOLE_PAGES_MAX {
            let (mut outputs, next_page) = match self.perform_once(&call).await {
                CardOutcome::Done { outputs, next_page } => (outputs, next_page),
                other => return other,
            };
            if let Value::Array(items) = outputs.take(&list) {
                so_far.extend(items);
            }
            if next_page.is_none() {
                outputs.set(list, so_far);
                return CardOutcome::Done { outputs, next_page: None };
            }
            if so_far.len() > WHOLE_ITEMS_MAX {
                break;
            }
            call.page = next_page;
        }
        definite(
            Fault::new(FaultCode::LimitReached, format!("`{list}` is too long to be taken whole"))
                .remedy("work through it page by page: `for_each: { pages: { card: … } }`"),
        )
    }

    async fn perform_once(&self, call: &CardCall) -> CardOutcome {
        if call.card.family() == tables::FAMILY {
            return match tables::operation(&call.card, &call.inputs) {
                Ok(operation) => CardOutcome::Table(operation),
                Err(fault) => definite(fault),
            };
        }
        let (app, ready) = match self.action(&call.card) {
            Ok(found) => found,
            Err(fault) => return definite(fault),
        };
        let mut names = self.names(call);
        if let Err(outcome) = self.before(app, ready, call, &mut names).await {
            return outcome;
        }
        match &ready.request {
            None => {
                let none = Arc::new(Value::Null);
                let outputs = outputs::outputs(ready, &mut names, &none, &Bytes::new());
                outputs.map_or_else(definite, |outputs| CardOutcome::Done { outputs, next_page: None })
            }
            Some(request) if ready.repeat.is_some() => self.repeat(app, ready, request, call, names).await,
            Some(request) => {
                let (answer, asked) = match self.exchange(app, ready, request, call, &mut names).await {
                    Ok(exchanged) => exchanged,
                    Err(outcome) => return outcome,
                };
                done(ready, call, names, &asked, &answer)
            }
        }
    }

    /// The reads that come first; their answers are `before.NAME`.
    pub(crate) async fn before(
        &self,
        app: &Arc<App>,
        ready: &ReadyAction,
        call: &CardCall,
        names: &mut Names,
    ) -> Result<(), CardOutcome> {
        let mut answers = serde_json::Map::new();
        for (name, before) in &ready.before {
            let wanted = before.when.as_ref().map(|when| when.evaluate(names)).transpose().map_err(definite)?;
            if wanted.is_some_and(|wanted| !Mapping::is_true(&wanted)) {
                continue;
            }
            let rendered = render(app, &before.request, names).map_err(definite)?;
            let how = Sending { timeout_ms: None, reads: true, credential: before.credential };
            let sent = self.send(app, rendered, call, how).await;
            let response = sent.map_err(|error| unanswered(app, &error, true))?;
            let answer = answer::as_value(&response);
            verdict(answer::judge(app, ready, &answer, call.ambient.now, false))?;
            names.set("response", Arc::new(answer.clone()));
            if let Some(must) = &before.must
                && !Mapping::is_true(&*must.evaluate(names).map_err(definite)?)
            {
                let said = if before.or_say.is_empty() { "what it needs was not found" } else { &before.or_say };
                return Err(definite(Fault::new(FaultCode::NotFound, format!("{}: {said}", app.file.title))));
            }
            answers.insert(name.clone(), answer);
            names.set("before", Arc::new(Value::Object(answers.clone())));
        }
        Ok(())
    }

    /// One request and its answer, judged.
    async fn exchange(
        &self,
        app: &Arc<App>,
        ready: &ReadyAction,
        request: &ReadyRequest,
        call: &CardCall,
        names: &mut Names,
    ) -> Result<(Answered, url::Url), CardOutcome> {
        let rendered = self.rendered(call, request, names).map_err(definite)?;
        let asked = rendered.url.clone();
        let writes = !matches!(ready.action.effect, EffectClass::Observe | EffectClass::Pure);
        // A raw request says by its method whether it looks or changes.
        let looks = !matches!(request.method, Mapping::Literal(_)) && rendered.method.is_safe();
        let reads = !writes || looks;
        let credential = request.own_credential.is_none();
        let how = Sending { timeout_ms: ready.action.timeout_ms, reads, credential };
        let response = self.send(app, rendered, call, how).await.map_err(|error| unanswered(app, &error, reads))?;
        let answer = Arc::new(answer::as_value(&response));
        verdict(answer::judge(app, ready, &answer, call.ambient.now, !reads))?;
        Ok((Answered { answer, raw: response.body }, asked))
    }

    /// The same request for each item of a list; it does no harm to make one again.
    async fn repeat(
        &self,
        app: &Arc<App>,
        ready: &ReadyAction,
        request: &ReadyRequest,
        call: &CardCall,
        mut names: Names,
    ) -> CardOutcome {
        let list = match ready.repeat.as_ref().map(|r| r.evaluate(&names)) {
            Some(Ok(list)) => list,
            Some(Err(fault)) => return definite(fault),
            None => Arc::new(Value::Null),
        };
        let items = match &*list {
            Value::Array(items) => items.clone(),
            Value::Null => Vec::new(),
            one => vec![one.clone()],
        };
        if items.len() > REPEAT_MAX {
            return definite(Fault::new(FaultCode::LimitReached, format!("at most {REPEAT_MAX} in one step")));
        }
        let mut answers = Vec::new();
        let mut last = Answered { answer: Arc::new(Value::Null), raw: Bytes::new() };
        for item in items {
            names.set("each", Arc::new(item.clone()));
            match self.exchange(app, ready, request, call, &mut names).await {
                Ok((answered, _)) => last = answered,
                Err(outcome) => return outcome,
            }
            answers.push(json!({ "each": item, "status": last.answer["status"], "body": last.answer["body"] }));
        }
        names.set("answers", Arc::new(Value::Array(answers)));
        let outputs = outputs::outputs(ready, &mut names, &last.answer, &last.raw);
        outputs.map_or_else(definite, |outputs| CardOutcome::Done { outputs, next_page: None })
    }

    async fn send(
        &self,
        app: &App,
        rendered: Rendered,
        call: &CardCall,
        how: Sending,
    ) -> Result<flowdeck_egress::Response, EgressError> {
        let left_ms = call.deadline.since(call.ambient.now);
        let within = Duration::from_millis(how.timeout_ms.unwrap_or(TIMEOUT_MS).min(left_ms.max(1)));
        self.request(app, rendered, call.authorized.as_ref(), how, within).await
    }

    /// Looks a write in doubt up by the app's rule.
    pub async fn look_up(&self, call: CardCall) -> LookUp {
        let Ok((app, ready)) = self.action(&call.card) else { return LookUp::CannotTell };
        let Some(rule) = &ready.look_up else { return LookUp::CannotTell };
        let mut names = self.names(&call);
        let Ok(rendered) = render(app, &rule.request, &mut names) else { return LookUp::CannotTell };
        let how = Sending { timeout_ms: None, reads: true, credential: true };
        let Ok(response) = self.send(app, rendered, &call, how).await else {
            return LookUp::CannotTell;
        };
        let answer = Arc::new(answer::as_value(&response));
        if let Verdict::Refused(loss) = answer::judge(app, ready, &answer, call.ambient.now, false) {
            return LookUp::Refused(loss);
        }
        names.set("response", answer);
        let holds = |condition: &Mapping| condition.evaluate(&names).is_ok_and(|v| Mapping::is_true(&v));
        if holds(&rule.happened) {
            let outputs =
                rule.outputs.iter().map(|(k, m)| Ok((k.clone(), m.evaluate(&names)?))).collect::<Result<_, Fault>>();
            return outputs.map_or(LookUp::CannotTell, LookUp::Happened);
        }
        if rule.did_not.as_ref().is_some_and(holds) { LookUp::DidNot } else { LookUp::CannotTell }
    }
}

/// A good answer, and its body as it came.
struct Answered {
    answer: Arc<Value>,
    raw: Bytes,
}

fn verdict(verdict: Verdict) -> Result<(), CardOutcome> {
    Err(match verdict {
        Verdict::Fine => return Ok(()),
        Verdict::Refused(loss) => CardOutcome::Refused(loss),
        Verdict::Unclear(fault) => CardOutcome::Unknown(fault),
        Verdict::Failed { fault, retry_after_ms, transient } => {
            CardOutcome::Failed { fault, retry_after_ms, transient }
        }
    })
}

fn done(ready: &ReadyAction, call: &CardCall, mut names: Names, asked: &url::Url, answered: &Answered) -> CardOutcome {
    let result = outputs::outputs(ready, &mut names, &answered.answer, &answered.raw).and_then(|mut outputs| {
        let page = call.page.clone().unwrap_or(Value::Null);
        let mut next_page = answer::next_page(ready, &names, asked, page_of(&page), &outputs, &answered.answer)?;
        if let (Some(most), Some(pages)) = (&ready.items_max, &ready.action.pagination) {
            let most = most.evaluate(&names)?.as_f64().filter(|n| *n >= 1.0).map(|n| n as u64);
            let before = page.get(SEEN).and_then(Value::as_u64).unwrap_or(0);
            next_page = limited(&mut outputs, &pages.output, next_page, before, most);
        }
        Ok(CardOutcome::Done { outputs, next_page })
    });
    result.unwrap_or_else(definite)
}

/// Where the page begins, without the count that travels with it.
fn page_of(page: &Value) -> &Value {
    page.get(PAGE).unwrap_or(page)
}

/// Cuts the list off where enough was seen, and tells the next page how many there were.
fn limited(outputs: &mut Fields, list: &str, next: Option<Value>, before: u64, most: Option<u64>) -> Option<Value> {
    let Some(most) = most else { return next };
    let Value::Array(mut items) = outputs.take(list) else { return next };
    items.truncate(usize::try_from(most.saturating_sub(before)).unwrap_or(usize::MAX));
    let seen = before + items.len() as u64;
    outputs.set(list, items);
    next.filter(|_| seen < most).map(|next| json!({ (PAGE): next, (SEEN): seen }))
}

pub(crate) fn definite(fault: Fault) -> CardOutcome {
    CardOutcome::Failed { fault, retry_after_ms: None, transient: false }
}

/// The key in a header: hashed, because step paths may hold more than a header can carry.
fn key_hash(call: &CardCall) -> String {
    hex::encode(&Sha256::digest(call.idempotency_key.as_bytes())[..16])
}

fn turn_page(rendered: &mut Rendered, next: &NextPage, page: &Value) -> Result<(), Fault> {
    let text = match page_of(page) {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    };
    match next {
        NextPage::LinkHeader | NextPage::Url { .. } => {
            let url =
                url::Url::parse(&text).map_err(|_| Fault::new(FaultCode::BadAnswer, "the next page is not a URL"))?;
            if url.origin() != rendered.url.origin() {
                return Err(Fault::new(FaultCode::BadAnswer, "the next page is on another host"));
            }
            rendered.url = url;
        }
        NextPage::Cursor { parameter, .. }
        | NextPage::Number { parameter, .. }
        | NextPage::Offset { parameter, .. } => {
            let kept: Vec<(String, String)> =
                rendered.url.query_pairs().filter(|(k, _)| k != parameter).map(|(k, v)| (k.into(), v.into())).collect();
            rendered.url.query_pairs_mut().clear().extend_pairs(kept).append_pair(parameter, &text);
        }
    }
    Ok(())
}
