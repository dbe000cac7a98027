//! Asks an app for what happened since the last time.
//!
//! Must never send anything but a read, nor move a cursor that the app's answer does not move.
//! Tests: `tests/polls.rs`.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_engine::ports::{Authorized, CardOutcome, Loss};
use flowdeck_model::{CardName, Fault, FaultCode, Fields, Millis, Value};

use crate::answer::{self, Rules, Verdict};
use crate::events::{Delivery, event_of, read};
use crate::host::AppHost;
use crate::render::render;
use crate::scope::Names;
use crate::send::Sending;
use crate::unanswered::unanswered;

/// Time for one answer.
const WITHIN: Duration = Duration::from_secs(60);
/// Largest cursor, as JSON (what Okta's monitors may keep).
const CURSOR_BYTES_MAX: usize = 10 << 10;

/// One question.
#[derive(Debug, Clone)]
pub struct PollCall {
    /// The event card.
    pub card: CardName,
    /// Its options.
    pub inputs: Fields,
    /// Where the last answer ended; null at first.
    pub cursor: Value,
    /// The connection, where the app needs one.
    pub authorized: Option<Authorized>,
    /// The time.
    pub now: Millis,
}

/// What came of it.
#[derive(Debug, Clone)]
pub enum Polled {
    /// An answer.
    Came {
        /// Its events.
        delivery: Delivery,
        /// Where the next question begins.
        cursor: Value,
    },
    /// The app refused the credential or its scopes.
    Refused(Loss),
    /// No answer, or an error.
    Failed {
        /// Why.
        fault: Fault,
        /// The pause that the app asks for.
        retry_after_ms: Option<u64>,
    },
}

impl AppHost {
    /// Where the first poll of an event begins, so that it tells only of what happens from now on; null where the app
    /// file names no such place.
    ///
    /// # Errors
    /// [`FaultCode::UnknownCard`]; a mapping that does not fit.
    pub fn poll_from(&self, call: &PollCall) -> Result<Value, Fault> {
        let (_, event) = self.apps().event(&call.card)?;
        let ready = event_of(&call.card, event)?;
        let Some(from) = ready.poll.as_ref().and_then(|poll| poll.from.as_ref()) else { return Ok(Value::Null) };
        Ok((*from.evaluate(&self.poll_names(call)?)?).clone())
    }

    /// Asks once.
    pub async fn poll(&self, call: &PollCall) -> Polled {
        self.polled(call).await.unwrap_or_else(|fault| Polled::Failed { fault, retry_after_ms: None })
    }

    async fn polled(&self, call: &PollCall) -> Result<Polled, Fault> {
        let (app, event) = self.apps().event(&call.card)?;
        let ready = event_of(&call.card, event)?;
        let Some(poll) = &ready.poll else {
            return Err(Fault::new(FaultCode::UnknownCard, format!("{} cannot be asked for", call.card)));
        };
        let mut names = self.poll_names(call)?;
        let rendered = render(app, &poll.request, &mut names)?;
        let how = Sending { timeout_ms: None, reads: true, credential: true };
        let response = match self.request(app, rendered, call.authorized.as_ref(), how, WITHIN).await {
            Ok(response) => response,
            Err(error) => match unanswered(app, &error, true) {
                CardOutcome::Failed { fault, retry_after_ms, .. } => {
                    return Ok(Polled::Failed { fault, retry_after_ms });
                }
                _ => return Err(Fault::new(FaultCode::Unreachable, format!("{} did not answer", app.file.title))),
            },
        };
        let answer = Arc::new(answer::as_value(&response));
        let rules = Rules { scopes: &event.scopes, ..Rules::default() };
        match answer::judge_by(app, &rules, &answer, call.now, false) {
            Verdict::Fine => {}
            Verdict::Refused(loss) => return Ok(Polled::Refused(loss)),
            Verdict::Unclear(fault) => return Ok(Polled::Failed { fault, retry_after_ms: None }),
            Verdict::Failed { fault, retry_after_ms, .. } => return Ok(Polled::Failed { fault, retry_after_ms }),
        }
        names.set("body", Arc::new(answer["body"].clone()));
        names.set("headers", Arc::new(answer["headers"].clone()));
        names.set("response", answer);
        let delivery = read(&ready, &mut names)?;
        names.set("item", Arc::new(Value::Null));
        let cursor = (*poll.cursor.evaluate(&names)?).clone();
        let size = serde_json::to_vec(&cursor).map_or(usize::MAX, |bytes| bytes.len());
        if size > CURSOR_BYTES_MAX {
            let what = format!("{}: the cursor has {size} bytes; at most {CURSOR_BYTES_MAX} are kept", call.card);
            return Err(Fault::new(FaultCode::LimitReached, what));
        }
        Ok(Polled::Came { delivery, cursor })
    }

    fn poll_names(&self, call: &PollCall) -> Result<Names, Fault> {
        let (app, _) = self.apps().event(&call.card)?;
        let none = std::collections::BTreeMap::new();
        let fields = call.authorized.as_ref().map_or(&none, |authorized| &authorized.fields);
        let mut names = Names::new(call.inputs.clone(), fields, &app.variables(self.apps().variables()));
        names.set("now_s", Arc::new(Value::from(call.now.0.div_euclid(1000))));
        names.set("now", Arc::new(Value::from(call.now.to_iso())));
        names.set("cursor", Arc::new(call.cursor.clone()));
        Ok(names)
    }
}
