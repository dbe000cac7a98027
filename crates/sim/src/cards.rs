//! Cards that follow a script, and remember what was done.
//!
//! Must never do I/O.
//! Tests: `crates/engine/tests`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck_engine::ports::{CardCall, CardHost, CardOutcome, LookUp};
use flowdeck_model::{
    Ambient, AppName, CardDecl, CardName, CardRole, Catalogue, EffectClass, Fault, FaultCode, FieldDecl, FieldType,
    Fields, InDoubt, Value,
};
use parking_lot::Mutex;
use serde_json::json;

/// One call of an action.
#[derive(Debug, Clone, PartialEq)]
pub struct Performed {
    /// The card.
    pub card: String,
    /// The step.
    pub path: String,
    /// Its idempotency key.
    pub key: String,
    /// Its inputs.
    pub inputs: Value,
    /// Generation of the credential.
    pub generation: u64,
    /// Where its page begins.
    pub page: Option<Value>,
    /// Whether it took effect.
    pub happened: bool,
}

/// The card host of tests. Functions: `t/echo` (outputs its inputs), `t/sign` (the same, with the secret input `key`),
/// `t/add`, `t/fail`, `t/panic`. Actions of the app
/// `acme`: `acme/read`, `acme/write`, `acme/check`, `acme/put` (idempotent), `acme/pages`, `acme/hang`, `acme/issue` (its output `token` is secret); `free/write`
/// needs no connection; `t/table` hands over the table operation in its input `op`.
#[derive(Debug, Default)]
pub struct FakeCards {
    script: Mutex<BTreeMap<String, VecDeque<CardOutcome>>>,
    looked_up: Mutex<VecDeque<LookUp>>,
    hanging: Mutex<BTreeSet<String>>,
    breaking: Mutex<BTreeSet<String>>,
    /// Calls under way, and the most there ever were at once.
    at_work: Mutex<(usize, usize)>,
    /// Every call, in order.
    pub performed: Mutex<Vec<Performed>>,
}

impl FakeCards {
    /// The next call of `card` ends so; without a script it is done and outputs its inputs.
    pub fn next(&self, card: &str, outcome: CardOutcome) {
        self.script.lock().entry(card.to_owned()).or_default().push_back(outcome);
    }

    /// The next look-up says so; else it cannot tell.
    pub fn next_look_up(&self, answer: LookUp) {
        self.looked_up.lock().push_back(answer);
    }

    /// Calls of `card` never end; with `look up ` before its name, its look-ups never do.
    pub fn hang(&self, card: &str) {
        self.hanging.lock().insert(card.to_owned());
    }

    /// Calls of `card` panic.
    pub fn break_at(&self, card: &str) {
        self.breaking.lock().insert(card.to_owned());
    }

    /// Calls of a card that took effect.
    #[must_use]
    pub fn happened(&self, card: &str) -> Vec<Performed> {
        self.performed.lock().iter().filter(|p| p.card == card && p.happened).cloned().collect()
    }

    /// The most calls that were ever under way at once.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.at_work.lock().1
    }

    /// Calls of a card.
    #[must_use]
    pub fn calls(&self, card: &str) -> usize {
        self.performed.lock().iter().filter(|p| p.card == card).count()
    }
}

fn name(text: &str) -> CardName {
    CardName::new(text).expect("a card name written here")
}

fn secret(key: &str) -> FieldDecl {
    FieldDecl { secret: true, ..FieldDecl::new(key, FieldType::Text) }
}

fn decl(text: &str) -> Option<CardDecl> {
    let mut decl = CardDecl::function(name(text), text, "A card of tests.");
    decl.more_inputs = Some(FieldType::Any);
    let (family, _) = text.split_once('/')?;
    if family == "acme" {
        decl.app = AppName::new("acme").ok();
        decl.scopes = vec![format!("{text}.scope")];
    }
    match text {
        "t/echo" | "t/fail" | "t/panic" | "t/ambient" => return Some(decl),
        "t/sign" => {
            decl.inputs.push(secret("key"));
            return Some(decl);
        }
        "t/add" => {
            for key in ["a", "b"] {
                let mut field = FieldDecl::new(key, FieldType::Number);
                field.required = true;
                decl.inputs.push(field);
            }
            return Some(decl);
        }
        "acme/event" => decl.role = CardRole::Event,
        "acme/read" | "acme/hang" => decl.effect = EffectClass::Observe,
        "acme/pages" => {
            decl.effect = EffectClass::Observe;
            decl.pages = Some("items".into());
        }
        "acme/write" | "free/write" => decl.effect = EffectClass::Write,
        "acme/issue" => {
            decl.effect = EffectClass::Observe;
            decl.outputs.push(secret("token"));
        }
        "acme/check" => {
            decl.effect = EffectClass::Write;
            decl.in_doubt = InDoubt::Check;
        }
        "acme/put" => decl.effect = EffectClass::Idempotent,
        "t/table" => decl.effect = EffectClass::Table,
        _ => return None,
    }
    if decl.role != CardRole::Event {
        decl.role = CardRole::Action;
    }
    Some(decl)
}

const NAMES: &[&str] = &[
    "t/echo",
    "t/fail",
    "t/panic",
    "t/ambient",
    "t/sign",
    "t/add",
    "acme/event",
    "acme/issue",
    "acme/read",
    "acme/hang",
    "acme/pages",
    "acme/write",
    "free/write",
    "acme/check",
    "acme/put",
    "t/table",
];

impl Catalogue for FakeCards {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        decl(name.as_str()).map(Arc::new)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        NAMES.iter().filter_map(|n| decl(n)).map(Arc::new).collect()
    }

    fn has_app(&self, name: &AppName) -> bool {
        name.as_str() == "acme"
    }

    fn apps(&self) -> Vec<AppName> {
        AppName::new("acme").into_iter().collect()
    }
}

#[async_trait]
impl CardHost for FakeCards {
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        match card.as_str() {
            "t/add" => {
                let sum = inputs.get("a").as_f64().unwrap_or(0.0) + inputs.get("b").as_f64().unwrap_or(0.0);
                Ok(Fields::one("sum", sum))
            }
            "t/fail" => {
                let message = inputs.get("message").as_str().unwrap_or("it failed").to_owned();
                Err(Fault::new(FaultCode::AppError, message))
            }
            "t/panic" => panic!("a card that breaks"),
            "t/ambient" => Ok(Fields::from_value(json!({"now": ambient.now.0, "seed": ambient.seed}))),
            _ => Ok(inputs),
        }
    }

    fn is_function(&self, card: &CardName) -> bool {
        matches!(card.as_str(), "t/echo" | "t/add" | "t/fail" | "t/panic" | "t/ambient" | "t/sign")
    }

    fn request_hash(&self, call: &CardCall) -> Result<String, Fault> {
        assert!(call.inputs.get("breaks") != &Value::Bool(true), "a request that cannot be made");
        if call.inputs.get("unsendable") == &Value::Bool(true) {
            return Err(Fault::bad_input("it makes no request"));
        }
        Ok(format!("{}", call.inputs.to_value()))
    }

    async fn perform(&self, call: CardCall) -> CardOutcome {
        {
            let mut at_work = self.at_work.lock();
            at_work.0 += 1;
            at_work.1 = at_work.1.max(at_work.0);
        }
        // Others get their turn, so that calls that may be under way at once are.
        for _ in 0..8 {
            tokio::task::yield_now().await;
        }
        if call.card.as_str() == "acme/hang" || self.hanging.lock().contains(call.card.as_str()) {
            std::future::pending::<()>().await;
        }
        let breaks = self.breaking.lock().contains(call.card.as_str());
        assert!(!breaks, "an action that breaks");
        self.at_work.lock().0 -= 1;
        let scripted = self.script.lock().get_mut(call.card.as_str()).and_then(VecDeque::pop_front);
        let inputs = call.inputs.to_value();
        let outcome = scripted.unwrap_or_else(|| default_outcome(&call));
        let happened = matches!(outcome, CardOutcome::Done { .. } | CardOutcome::Unknown(_));
        self.performed.lock().push(Performed {
            card: call.card.to_string(),
            path: call.path.to_string(),
            key: call.idempotency_key,
            inputs,
            generation: call.authorized.map_or(0, |a| a.generation),
            page: call.page,
            happened,
        });
        outcome
    }

    async fn look_up(&self, call: CardCall) -> LookUp {
        if self.hanging.lock().contains(&format!("look up {}", call.card)) {
            std::future::pending::<()>().await;
        }
        self.looked_up.lock().pop_front().unwrap_or(LookUp::CannotTell)
    }
}

/// Pages: three of two items each. Everything else: its inputs.
fn default_outcome(call: &CardCall) -> CardOutcome {
    match call.card.as_str() {
        "acme/pages" => {
            let page = call.page.as_ref().and_then(Value::as_u64).unwrap_or(0);
            let items = json!([{"id": page * 2}, {"id": page * 2 + 1}]);
            CardOutcome::Done { outputs: Fields::one("items", items), next_page: (page < 2).then(|| json!(page + 1)) }
        }
        "t/table" => match serde_json::from_value(call.inputs.get("op").clone()) {
            Ok(op) => CardOutcome::Table(op),
            Err(e) => {
                CardOutcome::Failed { fault: Fault::bad_input(e.to_string()), retry_after_ms: None, transient: false }
            }
        },
        _ => CardOutcome::Done { outputs: call.inputs.clone(), next_page: None },
    }
}
