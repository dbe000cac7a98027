//! The machine is total: every situation meets every event, and the golden file says what comes of it.
//!
//! Must never leave a pair out.
//! Tests: these.

use std::fmt::Write as _;

use flowdeck_engine::machine::event::{
    Event, EventKind, EventName, LookedUp, Situation, StepEvent, is_legal, situation,
};
use flowdeck_engine::machine::program::Program;
use flowdeck_engine::machine::state::{Held, Outcome, Phase, RunState, Step, Waiting};
use flowdeck_engine::machine::step;
use flowdeck_engine::{Intent, Settlement};
use flowdeck_model::connect::PromptReason;
use flowdeck_model::{CardName, Fault, FaultCode, Fields, FlowName, Millis, PromptId, RunId, StepPath, Value};
use flowdeck_sim::FakeCards;
use flowdeck_sim::world::flow;
use serde_json::json;

use crate::driver::common::*;

const NOW: Millis = Millis(1_000_000);

fn fault() -> Fault {
    Fault::new(FaultCode::Unreachable, "the line broke")
}

fn intent() -> Intent {
    Intent {
        card: CardName::new("acme/put").unwrap(),
        attempt: 1,
        idempotency_key: "k".into(),
        deadline: NOW,
        request_hash: String::new(),
        connection: None,
        generation: 0,
        subject: None,
    }
}

fn program() -> Program {
    let all = flow(json!({"slots": {"acme": {"app": "acme"}}, "limits": {"acme/put": 1}, "cards": [
        acme("w", "put", json!({})), card("t", json!({"if": {"when": true, "then": {"cards": [acme("in", "put", json!({}))]}, "otherwise": {}}})),
        echo("last", json!({}))]}));
    Program::compile(&all, None, &FakeCards::default()).unwrap()
}

/// A state in this situation, with the frame it is about.
fn at(program: &Program, wanted: Situation) -> RunState {
    use Situation as S;
    let run = RunId::new(NOW, 1);
    let mut state = RunState::new(run, 1, NOW, &FlowName::new("f").unwrap(), Fields::new(), None);
    if wanted == S::New {
        return state;
    }
    let begin = Event { at: NOW, what: EventKind::Begin };
    step(program, &mut state, begin, 1_000).unwrap();
    let far = NOW.plus(500);
    let waiting = |w: Waiting| Step::Waiting(w);
    let frame = state.frames.get_mut(&0).unwrap();
    frame.step = match wanted {
        S::Ready => Step::Ready,
        S::Attempting | S::Held => Step::Attempting { attempt: 1, doubt: None },
        S::Sent => Step::Sent { intent: intent(), doubt: None },
        S::Looking => Step::Looking { intent: intent(), fault: fault() },
        S::InDoubt => Step::InDoubt { intent: intent(), fault: fault(), deadline: far },
        S::Pausing => Step::Pausing { attempt: 2, until: far, doubt: None },
        S::WaitingTime => waiting(Waiting::Time { until: far }),
        S::WaitingSignal => waiting(Waiting::Signal { name: "go".into(), deadline: far }),
        S::WaitingApproval => waiting(Waiting::Approval { message: "?".into(), deadline: far }),
        S::WaitingLimit => waiting(Waiting::Limit { card: intent().card, message: "?".into(), deadline: far, more: 1 }),
        S::Nested => Step::Nested,
        S::Broken => Step::Broken,
        _ => frame.step.clone(),
    };
    if wanted == S::Held {
        let prompt = PromptId::new(NOW, 1);
        frame.hold =
            Some(Held { on: "app:acme".into(), seen: 1, reason: PromptReason::Missing, prompt, deadline: far });
    }
    state.phase = match wanted {
        S::Finished => Phase::Finished(Outcome::default()),
        S::Failed => Phase::Failed { fault: fault(), frame: 0, path: StepPath::root() },
        S::Cancelled => Phase::Cancelled,
        S::Expired => Phase::Expired,
        _ => Phase::Running,
    };
    state
}

fn event(name: EventName, frame: u32) -> EventKind {
    use EventName as E;
    let what = match name {
        E::Begin => return EventKind::Begin,
        E::Advance => return EventKind::Advance,
        E::Recovered => return EventKind::Recovered,
        E::Tick => return EventKind::Tick,
        E::Signal => return EventKind::Signal { name: "go".into(), payload: Value::Null },
        E::Freed => return EventKind::Freed { on: "app:acme".into() },
        E::Cancel => return EventKind::Cancel,
        E::Resume => return EventKind::Resume,
        E::Retry => return EventKind::Retry { from: None },
        E::Sending => StepEvent::Sending(intent()),
        E::Done => StepEvent::Done { outputs: Fields::new(), next_page: None },
        E::Failure => StepEvent::Failed { fault: fault(), transient: false, retry_after_ms: None },
        E::Unknown => StepEvent::Unknown(fault()),
        E::Hold => StepEvent::Held(Held {
            on: "app:acme".into(),
            seen: 1,
            reason: PromptReason::Missing,
            prompt: PromptId::new(NOW, 1),
            deadline: NOW.plus(9),
        }),
        E::Later => StepEvent::Later { fault: fault(), retry_ms: 5 },
        E::Renewed => StepEvent::Renewed,
        E::LookedUp => StepEvent::LookedUp(Some(LookedUp::DidNot)),
        E::OtherAccount => StepEvent::OtherAccount,
        E::Decided => StepEvent::Decided { approved: true, by: "eve".into(), comment: String::new() },
        E::Settled => StepEvent::Settled(Settlement::DidNot),
    };
    EventKind::Step { frame, what }
}

/// Whether an event speaks of one step; the others meet the run as a whole.
fn is_about_a_step(name: EventName) -> bool {
    event(name, 0).frame().is_some()
}

#[test]
fn every_pair_has_its_outcome() {
    let program = program();
    let mut golden = String::new();
    for &from in Situation::ALL {
        writeln!(golden, "{from:?}").unwrap();
        for &name in EventName::ALL {
            let mut state = at(&program, from);
            let frame = u32::from(from == Situation::Gone) * 99;
            let what = event(name, frame);
            let seen = situation(&state, what.frame());
            if is_about_a_step(name) && from != Situation::Running {
                assert_eq!(seen, from, "the state is not what it should be");
            }
            let before = state.clone();
            match step(&program, &mut state, Event { at: NOW.plus(1), what }, 1_000) {
                Err(refused) => {
                    assert_eq!((refused.situation, refused.event), (seen, name));
                    assert_eq!(state, before, "a refused event changes nothing");
                    assert!(!is_legal(seen, name));
                }
                Ok(out) => {
                    assert!(is_legal(seen, name));
                    let now = situation(&state, Some(frame));
                    let effects: Vec<_> = out.effects.iter().map(effect_word).collect();
                    writeln!(golden, "  {name:?} -> {now:?} {effects:?}").unwrap();
                }
            }
        }
    }
    insta::assert_snapshot!(golden);
}

fn effect_word(effect: &flowdeck_engine::machine::event::Effect) -> &'static str {
    use flowdeck_engine::machine::event::Effect as E;
    match effect {
        E::Continue => "continue",
        E::Attempt { .. } => "attempt",
        E::LookUp { .. } => "look up",
        E::StartChild { .. } => "start child",
        E::Forget { .. } => "forget",
    }
}

#[test]
fn any_row_of_events_leaves_a_state_that_can_be_stored_and_read() {
    use rand::{Rng, SeedableRng};
    let program = program();
    for seed in 0..400u64 {
        let mut random = rand::rngs::StdRng::seed_from_u64(seed);
        let mut state = at(&program, Situation::New);
        for at_ms in 0..60i64 {
            let name = EventName::ALL[random.random_range(0..EventName::ALL.len())];
            let frame = random.random_range(0..4);
            let before = state.clone();
            let taken =
                step(&program, &mut state, Event { at: Millis(NOW.0 + at_ms * 40), what: event(name, frame) }, 1_000);
            if taken.is_err() {
                assert_eq!(state, before, "seed {seed}");
            }
            let stored = serde_json::to_vec(&state).unwrap();
            let read: RunState = serde_json::from_slice(&stored).unwrap();
            assert_eq!(read, state, "seed {seed}");
            // Something can always be waited for, is at work, or the run has ended: it never just stands.
            let is_at_work = state.frames.values().any(|f| f.is_busy() || f.step == Step::Ready);
            let lives = is_at_work || state.next_due().is_some() || !state.drains.is_empty();
            assert!(state.phase != Phase::Running || lives, "seed {seed}: {state:?}");
        }
    }
}
