//! The bounds of one run: how deep, how wide, how often. Each is met by the machine alone, a few events away from it.
//!
//! Must never go on without an end where a bound is missing.
//! Tests: these.

use flowdeck_engine::EntryKind;
use flowdeck_engine::machine::event::{Effect, Event, EventKind, StepEvent, Transition};
use flowdeck_engine::machine::program::Program;
use flowdeck_engine::machine::state::{Container, LoopState, Phase, RunState, Step};
use flowdeck_engine::machine::step;
use flowdeck_model::{Fault, FaultCode, Fields, FlowName, Millis, RunId, Value};
use flowdeck_sim::FakeCards;
use flowdeck_sim::world::flow;
use serde_json::json;

use crate::driver::common::*;

const NOW: Millis = Millis(1_000_000);

/// A run in the machine alone.
struct Run {
    program: Program,
    state: RunState,
}

impl Run {
    /// Begun, and gone on with for at most `steps` steps of the machine.
    fn begin(parts: Value, steps: usize) -> Self {
        let program = Program::compile(&flow(parts), None, &FakeCards::default()).unwrap();
        let id = RunId::new(NOW, 1);
        let state = RunState::new(id, 1, NOW, &FlowName::new("f").unwrap(), Fields::new(), None);
        let mut run = Self { program, state };
        let mut done = run.feed(EventKind::Begin);
        for _ in 0..steps {
            if !done.effects.contains(&Effect::Continue) {
                break;
            }
            done = run.feed(EventKind::Advance);
        }
        run
    }

    fn feed(&mut self, what: EventKind) -> Transition {
        step(&self.program, &mut self.state, Event { at: NOW, what }, 1_000).unwrap()
    }

    fn tell(&mut self, frame: u32, what: StepEvent) -> Transition {
        self.feed(EventKind::Step { frame, what })
    }

    /// The next attempt may begin: its pause is over.
    fn attempt_again(&mut self, frame: u32) {
        let Step::Pausing { until, .. } = self.state.frames[&frame].step else { panic!("{:?}", self.state.phase) };
        step(&self.program, &mut self.state, Event { at: until, what: EventKind::Tick }, 1_000).unwrap();
    }

    fn looping(&mut self) -> &mut LoopState {
        self.state.frames.get_mut(&0).unwrap().looping().unwrap()
    }

    #[track_caller]
    fn fails_at_a_limit(&self, words: &str) {
        let Phase::Failed { fault, .. } = &self.state.phase else {
            panic!("it goes on with {} frames", self.state.frames.len());
        };
        assert_eq!(fault.code, FaultCode::LimitReached, "{fault}");
        assert!(fault.message.contains(words), "{fault}");
    }
}

fn times(id: &str, count: u64, concurrency: u32, cards: Value) -> Value {
    card(id, json!({"times": {"count": count, "as": "i", "concurrency": concurrency, "lane": {"cards": cards}}}))
}

fn waits() -> Value {
    card("w", json!({"wait": {"until": {"signal": {"name": "go"}}}}))
}

fn transient(code: FaultCode) -> StepEvent {
    StepEvent::Failed { fault: Fault::new(code, "no"), transient: true, retry_after_ms: None }
}

#[test]
fn helpers_call_each_other_only_so_deep() {
    let again = || json!([card("h", json!({"call_flow": {"flow": "again", "with": {}}}))]);
    let run = Run::begin(json!({"helpers": {"again": {"name": "again", "cards": again()}}, "cards": again()}), 10);
    run.fails_at_a_limit("deeper than 190");
}

#[test]
fn lanes_of_nested_loops_are_limited_together() {
    let inner = times("inner", 200, 200, json!([waits()]));
    let run = Run::begin(json!({"cards": [times("outer", 200, 200, json!([inner]))]}), 1_000);
    run.fails_at_a_limit("more than 20000 lanes");
}

#[test]
fn rounds_at_once_are_limited_whatever_a_flow_says() {
    let mut run = Run::begin(json!({"cards": [times("t", 1_000, 1_000, json!([waits()]))]}), 100);
    assert_eq!((run.looping().live, run.state.frames.len()), (200, 201));
}

/// Else no commit could come in between, nor a cancel.
#[test]
fn one_step_of_the_machine_begins_only_so_many_cards() {
    let cards: Vec<_> = (0..100).map(|i| card(&format!("c{i}"), json!({"continue_if": {"when": true}}))).collect();
    let run = Run::begin(json!({"cards": cards}), 0);
    assert_eq!((&run.state.phase, run.state.frames[&0].at), (&Phase::Running, 64));
}

#[test]
fn a_provider_that_never_ends_its_pages_is_left_in_the_end() {
    let pages = json!({"for_each": {"each": {"items": {"pages": {"card": "acme/pages", "slot": "acme"}}, "as": "item", "concurrency": 1},
        "lane": {}}});
    let mut run = Run::begin(json!({"slots": {"acme": {"app": "acme"}}, "cards": [card("e", pages)]}), 0);
    run.looping().pages = 99_998;
    for page in 1..=2 {
        assert_eq!(run.state.phase, Phase::Running, "page {page}");
        let outputs = Fields::one("items", json!([]));
        run.tell(0, StepEvent::Done { outputs, next_page: Some(json!(page)) });
    }
    run.fails_at_a_limit("more than 100000 pages");
}

#[test]
fn a_loop_that_goes_on_lists_only_so_many_errors() {
    let fails = card("r", json!({"return_error": {"message": "no", "with": {}}}));
    let mut each = for_each("e", json!(vec![0; 1_200]), 1, json!([fails]), json!({}));
    each["kind"]["for_each"]["on_error"] = json!("go_on");
    let run = Run::begin(json!({"cards": [each, waits()]}), 100);
    let outputs = run.state.frames[&0].outputs[0].as_ref().unwrap();
    assert_eq!((outputs.get("count"), outputs.get("errors").as_array().unwrap().len()), (&json!(1_200), 1_000));
}

#[test]
fn signals_that_nobody_waits_for_are_kept_up_to_a_limit_and_history_tells_what_was_dropped() {
    let mut run = Run::begin(json!({"cards": [waits()]}), 0);
    let mut signal = |n: u32| run.feed(EventKind::Signal { name: format!("s{n}"), payload: json!(n) });
    let dropped = |done: Transition| {
        let said = |(_, what): &(_, EntryKind)| matches!(what, EntryKind::Asked { what } if what.contains("dropped"));
        done.entries.iter().any(said)
    };
    for n in 0..1_000 {
        assert!(!dropped(signal(n)), "{n}");
    }
    assert!(dropped(signal(1_000)));
    assert_eq!(run.state.signals.len(), 1_000);
}

#[test]
fn a_card_is_repeated_as_often_as_its_retry_says() {
    let retry = json!({"retry": {"times": 2, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10}});
    for (card, code, times) in [
        (with(acme("r", "read", json!({})), retry), FaultCode::Unreachable, 2),
        (acme("r", "read", json!({})), FaultCode::Unreachable, 0),
        (acme("r", "read", json!({})), FaultCode::RateLimited, 8),
    ] {
        let mut run = Run::begin(json!({"slots": {"acme": {"app": "acme"}}, "cards": [card]}), 0);
        for _ in 0..times {
            run.tell(0, transient(code));
            run.attempt_again(0);
        }
        run.tell(0, transient(code));
        assert!(matches!(run.state.phase, Phase::Failed { .. }), "{code:?} goes on after {times} repetitions");
    }
}

#[test]
fn what_does_not_pass_is_not_repeated() {
    let retry = json!({"retry": {"times": 2, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10}});
    let card = with(acme("r", "read", json!({})), retry);
    let mut run = Run::begin(json!({"slots": {"acme": {"app": "acme"}}, "cards": [card]}), 0);
    let fault = Fault::new(FaultCode::BadInput, "no");
    run.tell(0, StepEvent::Failed { fault, transient: false, retry_after_ms: None });
    assert!(matches!(run.state.phase, Phase::Failed { .. }), "{:?}", run.state.frames[&0].step);
}

#[test]
fn a_try_is_repeated_as_often_as_its_retry_says() {
    let retry = json!({"times": 2, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10});
    let lane = json!({"cards": [card("r", json!({"return_error": {"message": "no", "with": {}}}))]});
    let parts = json!({"try": {"lane": lane, "retry": retry, "error": "error", "catch": {}}});
    let mut run = Run::begin(json!({"cards": [card("t", parts)]}), 0);
    for attempt in 2..=3 {
        run.attempt_again(0);
        let container = run.state.frames.get(&0).map(|f| f.container.clone());
        assert!(attempt == 3 || container == Some(Some(Container::Try { attempt: 3 })), "{container:?}");
    }
    assert!(matches!(run.state.phase, Phase::Finished(_)), "it goes on after 2 repetitions");
}

#[test]
fn a_credential_that_is_put_off_for_ever_fails_its_step() {
    let later = || StepEvent::Later { fault: Fault::new(FaultCode::Unreachable, "no"), retry_ms: 1_000 };
    for renewed in [true, false] {
        let cards = json!([acme("r", "read", json!({}))]);
        let mut run = Run::begin(json!({"slots": {"acme": {"app": "acme"}}, "cards": cards}), 0);
        for _ in 0..20 {
            run.tell(0, if renewed { StepEvent::Renewed } else { later() });
            if !renewed {
                run.attempt_again(0);
            }
        }
        assert_eq!(run.state.phase, Phase::Running, "renewed: {renewed}");
        run.tell(0, if renewed { StepEvent::Renewed } else { later() });
        assert!(matches!(run.state.phase, Phase::Failed { .. }), "it is put off for ever; renewed: {renewed}");
    }
}

#[test]
fn where_an_end_waits_for_a_step_that_step_is_not_repeated() {
    let retry = json!({"retry": {"times": 5, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10}});
    let lane = |card: Value| json!({"cards": [card]});
    let lanes = json!({"a": lane(with(acme("r", "read", json!({})), retry)),
        "b": lane(card("no", json!({"return_error": {"message": "no", "with": {}}})))});
    let parts =
        json!({"slots": {"acme": {"app": "acme"}}, "cards": [card("p", json!({"parallel": {"lanes": lanes}}))]});
    let mut run = Run::begin(parts, 0);
    let busy = *run.state.frames.iter().find(|(_, frame)| frame.is_busy()).unwrap().0;
    assert_eq!(run.state.phase, Phase::Running, "it waits for the step under way");
    let done = run.tell(busy, transient(FaultCode::Unreachable));
    assert!(matches!(run.state.phase, Phase::Failed { .. }), "{:?}", run.state.frames[&busy].step);
    let promised = |(_, what): &(_, EntryKind)| matches!(what, EntryKind::StepFailed { again_at: Some(_), .. });
    assert!(!done.entries.iter().any(promised), "history promises a repetition: {:?}", done.entries);
}

#[test]
fn where_an_end_waits_for_a_step_no_other_one_begins_again() {
    let retry = json!({"retry": {"times": 5, "pause_ms": 10, "factor": 1.0, "pause_ms_max": 10}});
    let lane = |id: &str| json!({"cards": [with(acme(id, "read", json!({})), retry.clone())]});
    let lanes = json!({"busy": lane("a"), "pausing": lane("b"), "fails": lane("c")});
    let parts =
        json!({"slots": {"acme": {"app": "acme"}}, "cards": [card("p", json!({"parallel": {"lanes": lanes}}))]});
    let mut run = Run::begin(parts, 0);
    run.tell(2, transient(FaultCode::Unreachable));
    let fault = Fault::new(FaultCode::BadInput, "no");
    run.tell(3, StepEvent::Failed { fault, transient: false, retry_after_ms: None });
    assert!(matches!(run.state.frames[&2].step, Step::Pausing { .. }));
    let done = step(&run.program, &mut run.state, Event { at: NOW.plus(10), what: EventKind::Tick }, 1_000).unwrap();
    assert_eq!(done.effects, [], "its pause is over, but so is what it is in");
}

#[test]
fn a_while_ends_at_its_limit() {
    let endless = json!({"while": {"start": {}, "as": "so", "when": true, "times_max": 10, "lane": {}}});
    let run = Run::begin(json!({"cards": [card("w", endless)]}), 5);
    run.fails_at_a_limit("did not end within 10 rounds");
}
