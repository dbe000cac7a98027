//! The stand-in for all apps: functions run for real, tables are the engine's, apps answer from a script or by type.
//!
//! Must never open a connection.
//! Tests: every sample.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck::Cards;
use flowdeck::testing::{names, script};
use flowdeck_apps::AppHost;
use flowdeck_engine::ports::{CardCall, CardHost, CardOutcome, LookUp};
use flowdeck_model::card::Ambient;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue, Fault, FaultCode, Fields, Flow, RunId, StepPath, Value};
use indexmap::IndexMap;
use parking_lot::Mutex;

use crate::made::{self, Mood};
use crate::scenario::called_card;
use crate::source::{Place, Sample, plain, step_of};

/// Most calls of one run; each further one fails.
const CALLS_MAX: usize = 2_000;

/// How apps answer.
#[derive(Debug, Clone)]
pub(crate) enum Answers {
    /// From lists: `connector/method#uuid` before `connector/method`; the last answer repeats.
    Script(IndexMap<String, Vec<Value>>),
    /// Values of the declared types.
    Made(Mood),
    /// Every call fails.
    Failing,
}

/// One call of an app.
#[derive(Debug, Clone)]
pub(crate) struct Called {
    pub(crate) card: CardName,
    pub(crate) place: Place,
    pub(crate) inputs: Fields,
    pub(crate) run: RunId,
    pub(crate) path: StepPath,
    pub(crate) scripted: bool,
}

/// The card host of one run.
pub(crate) struct StandIn {
    pub(crate) cards: Cards,
    tables: AppHost,
    sample: Arc<Sample>,
    flow: Arc<Flow>,
    answers: Answers,
    used: Mutex<HashMap<String, usize>>,
    /// The run of the flow itself; others run helpers on their own.
    pub(crate) main: Mutex<Option<RunId>>,
    /// Every call in order.
    pub(crate) called: Mutex<Vec<Called>>,
    /// The card, by its name in exports, whose results are taken away.
    mute: Option<String>,
}

impl StandIn {
    pub(crate) fn new(cards: Cards, tables: AppHost, sample: Arc<Sample>, flow: Arc<Flow>, answers: Answers) -> Self {
        let (used, main, called) = (Mutex::default(), Mutex::default(), Mutex::default());
        Self { cards, tables, sample, flow, answers, used, main, called, mute: None }
    }

    /// Without the results of a card: what does not notice does not check them.
    pub(crate) fn muted(mut self, card: Option<&str>) -> Self {
        self.mute = card.map(ToOwned::to_owned);
        self
    }

    /// Where a step is in the export: runs of their own start at a helper.
    pub(crate) fn locate(&self, run: RunId, path: &StepPath, card: Option<&str>) -> Option<(String, String)> {
        let helpers = &self.flow.helpers;
        let is_main = self.main.lock().is_none_or(|main| main == run);
        let roots = std::iter::once(&*self.flow).filter(|_| is_main).chain(helpers.values().filter(|_| !is_main));
        roots
            .filter_map(|root| step_of(root, helpers, path))
            .find(|(_, found)| card.is_none_or(|card| called_card(&found.kind).is_some_and(|own| own.as_str() == card)))
            .map(|(flow, card)| (flow.name.to_string(), card.id.to_string()))
    }

    fn place(&self, call: &CardCall) -> Place {
        let found = self.locate(call.run, &call.path, Some(call.card.as_str()));
        let places = found.as_ref().map_or(&[][..], |(flow, card)| self.sample.places_of(flow, card));
        places.first().cloned().unwrap_or_default()
    }

    fn answer(&self, call: &CardCall, place: &Place, decl: Option<&CardDecl>) -> (CardOutcome, bool) {
        let outputs = decl.map_or(&[][..], |d| d.outputs.as_slice());
        match &self.answers {
            Answers::Failing => (failed(500, "the stand-in fails", Value::Null), true),
            Answers::Made(mood) => {
                let mut fields = Fields::new();
                for output in outputs {
                    fields.set(output.key.clone(), made::typed(&output.kind, &output.key, *mood, 0));
                }
                for output in self.sample.outputs.get(&place.uuid).into_iter().flatten() {
                    for name in names::candidates(outputs, &output.group, &output.key) {
                        fields.set(name, made::declared(output, *mood));
                    }
                }
                (CardOutcome::Done { outputs: fields, next_page: None }, true)
            }
            Answers::Script(script) => {
                let own = format!("{}#{}", place.name, place.uuid);
                let plain = plain(&place.name);
                let Some((key, list)) = [own.as_str(), &place.name, &plain, call.card.as_str()]
                    .iter()
                    .find_map(|key| Some((key.to_string(), script.get(*key).filter(|l| !l.is_empty())?)))
                else {
                    return (CardOutcome::Done { outputs: Fields::new(), next_page: None }, false);
                };
                let mut used = self.used.lock();
                let nth = used.entry(key).or_default();
                let answer = &list[(*nth).min(list.len() - 1)];
                *nth += 1;
                (script::outcome(answer, decl), true)
            }
        }
    }
}

fn failed(status: u16, message: &str, body: Value) -> CardOutcome {
    let fault = Fault::new(FaultCode::AppError, message).status(status).body(body);
    CardOutcome::Failed { fault, retry_after_ms: None, transient: false }
}

impl Catalogue for StandIn {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.cards.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.cards.cards()
    }

    fn has_app(&self, name: &AppName) -> bool {
        self.cards.has_app(name)
    }

    fn apps(&self) -> Vec<AppName> {
        Catalogue::apps(&self.cards)
    }
}

#[async_trait]
impl CardHost for StandIn {
    fn evaluate(&self, card: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        let mut outputs = self.cards.functions().evaluate(card, inputs, ambient)?;
        if self.mute.as_deref() == Some(card.as_str()) {
            let keys: Vec<String> = outputs.iter().map(|(key, _)| key.to_owned()).collect();
            keys.into_iter().for_each(|key| outputs.set(key, Value::Null));
        }
        Ok(outputs)
    }

    fn is_function(&self, card: &CardName) -> bool {
        self.cards.functions().has(card)
    }

    fn request_hash(&self, call: &CardCall) -> Result<String, Fault> {
        Ok(call.inputs.to_value().to_string())
    }

    async fn perform(&self, call: CardCall) -> CardOutcome {
        let place = self.place(&call);
        let mute = self.mute.as_ref().is_some_and(|card| *card == place.name);
        if call.card.family() == "tables" {
            if mute {
                return CardOutcome::Done { outputs: Fields::new(), next_page: None };
            }
            return self.tables.perform(call).await;
        }
        let decl = self.cards.card(&call.card);
        let (mut outcome, scripted) = self.answer(&call, &place, decl.as_deref());
        if mute {
            outcome = CardOutcome::Done { outputs: Fields::new(), next_page: None };
        }
        let mut called = self.called.lock();
        if called.len() >= CALLS_MAX {
            return failed(429, "the budget of calls is used up", Value::Null);
        }
        let (card, inputs, run, path) = (call.card, call.inputs, call.run, call.path);
        called.push(Called { card, place, inputs, run, path, scripted });
        outcome
    }

    async fn look_up(&self, _call: CardCall) -> LookUp {
        LookUp::CannotTell
    }
}
