//! What it means that a request gave no answer that could be taken.
//!
//! Must never call a write failed that may have happened, nor have a request repeated that can only end the same way.
//! Tests: `tests/actions/errors.rs`, and `crates/flowdeck/tests/hostile.rs`.

use flowdeck_egress::{EgressError, Sent};
use flowdeck_engine::ports::CardOutcome;
use flowdeck_model::{Fault, FaultCode};

use crate::compile::App;

/// For a read it failed, mostly for now; for a write it is in doubt unless nothing was sent.
pub(crate) fn unanswered(app: &App, error: &EgressError, reads: bool) -> CardOutcome {
    let title = &app.file.title;
    let (fault, transient) = match error.code() {
        "egress.denied" | "egress.credential_not_allowed" => {
            (Fault::new(FaultCode::AddressDenied, format!("{title} may not be reached: {error}")), false)
        }
        "egress.too_large" => {
            let fault = Fault::new(FaultCode::BadAnswer, format!("{title} answered more than can be taken: {error}"));
            (fault.remedy("ask for less at a time: with a filter, or page by page"), false)
        }
        "egress.bad_response" => {
            let fault = Fault::new(FaultCode::BadAnswer, format!("{title} gave no answer that can be read: {error}"));
            (fault.remedy("look at the address: something else than the app may listen there"), true)
        }
        _ => (Fault::new(FaultCode::Unreachable, format!("{title} could not be reached: {error}")), true),
    };
    match (error.was_sent(), reads) {
        (Sent::Maybe, false) => CardOutcome::Unknown(fault),
        _ => CardOutcome::Failed { fault, retry_after_ms: None, transient },
    }
}
