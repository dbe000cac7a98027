//! What enters the machine, what leaves it, and which pairs of situation and event are legal.
//!
//! Must name every pair: `tests/driver/pairs.rs` lists them all.
//! Tests: `tests/driver/pairs.rs`.

use flowdeck_model::{Fault, Fields, FlowName, Millis, RunId, StepPath, Value};

use super::state::{FrameId, Held, Phase, RunState, Step};
use crate::wire::entry::{EntryKind, Intent};

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// When.
    pub at: Millis,
    /// What.
    pub what: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// The run may begin.
    Begin,
    /// Go on with what is ready (after [`Effect::Continue`]).
    Advance,
    /// The run was loaded after its process ended: nothing is under way any more.
    Recovered,
    /// Time passed.
    Tick,
    /// A signal came.
    Signal {
        /// Its name.
        name: String,
        /// What came with it.
        payload: Value,
    },
    /// A connection changed; whoever waits on it asks again.
    Freed {
        /// The wait key's text.
        on: String,
    },
    /// End the run.
    Cancel,
    /// Go on after expiry.
    Resume,
    /// Go on after failure.
    Retry {
        /// The frame and position to go on at; the failed step where `None`.
        from: Option<(FrameId, u32)>,
    },
    /// Something about one frame's current step.
    Step {
        /// The frame.
        frame: FrameId,
        /// What.
        what: StepEvent,
    },
}

/// Something about one step.
#[derive(Debug, Clone, PartialEq)]
pub enum StepEvent {
    /// A write will be sent as soon as this is durable.
    Sending(Intent),
    /// It happened.
    Done {
        /// Its outputs.
        outputs: Fields,
        /// Where the next page begins.
        next_page: Option<Value>,
    },
    /// It definitely did not happen (or reported an error).
    Failed {
        /// Why.
        fault: Fault,
        /// Whether it may pass.
        transient: bool,
        /// Not before.
        retry_after_ms: Option<u64>,
    },
    /// There is no definite answer.
    Unknown(Fault),
    /// It waits for a connection.
    Held(Held),
    /// Authorization is in trouble that may pass.
    Later {
        /// Why.
        fault: Fault,
        /// Not before.
        retry_ms: u64,
    },
    /// The credential was refused, and there is a newer one: send again.
    Renewed,
    /// The look-up's answer; `None` where it tells nothing.
    LookedUp(Option<LookedUp>),
    /// The connection speaks for another account than the write in doubt was sent with.
    OtherAccount,
    /// A person decided about an approval or limit.
    Decided {
        /// Yes or no.
        approved: bool,
        /// Who.
        by: String,
        /// Their words.
        comment: String,
    },
    /// A person settled a write in doubt.
    Settled(crate::driver::api::Settlement),
}

/// What a look-up tells.
#[derive(Debug, Clone, PartialEq)]
pub enum LookedUp {
    /// It happened.
    Happened(Fields),
    /// It did not.
    DidNot,
}

/// Something to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Feed [`EventKind::Advance`]; between the two a commit may come.
    Continue,
    /// Compute a function, or authorize and perform an action.
    Attempt {
        /// The frame.
        frame: FrameId,
        /// Converted inputs.
        inputs: Fields,
    },
    /// Look a write in doubt up.
    LookUp {
        /// The frame.
        frame: FrameId,
        /// Converted inputs.
        inputs: Fields,
    },
    /// Start a child run, in the commit of this very state.
    StartChild {
        /// Its id.
        run: RunId,
        /// The helper.
        flow: FlowName,
        /// Its input.
        input: Fields,
    },
    /// Remove a loop's stored chunks.
    Forget {
        /// The loop's frame.
        frame: FrameId,
        /// How many chunks.
        chunks: u32,
    },
}

/// What a step of the machine brought.
#[derive(Debug, Default, PartialEq)]
pub struct Transition {
    /// To do, in order.
    pub effects: Vec<Effect>,
    /// History.
    pub entries: Vec<(StepPath, EntryKind)>,
}

/// An event that the state does not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("event {event:?} means nothing in situation {situation:?}")]
pub struct IllegalEvent {
    /// Where the run (or its frame) is.
    pub situation: Situation,
    /// The event.
    pub event: EventName,
}

macro_rules! names {
    ($(#[$doc:meta])* $name:ident: $($variant:ident),* $(,)?) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[allow(missing_docs)]
        pub enum $name { $($variant,)* }
        impl $name {
            /// Every one.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];
        }
    };
}

names!(
    /// Where a run is, or where the step is that an event speaks of.
    Situation: New, Running, Ready, Attempting, Sent, Looking, InDoubt, Pausing, WaitingTime,
    WaitingSignal, WaitingApproval, WaitingLimit, Nested, Broken, Held, Gone, Finished, Failed, Cancelled, Expired
);
names!(
    /// Names of events.
    EventName: Begin, Advance, Recovered, Tick, Signal, Freed, Cancel, Resume, Retry, Sending, Done, Failure,
    Unknown, Hold, Later, Renewed, LookedUp, OtherAccount, Decided, Settled
);

impl EventKind {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> EventName {
        use EventName as N;
        match self {
            Self::Begin => N::Begin,
            Self::Advance => N::Advance,
            Self::Recovered => N::Recovered,
            Self::Tick => N::Tick,
            Self::Signal { .. } => N::Signal,
            Self::Freed { .. } => N::Freed,
            Self::Cancel => N::Cancel,
            Self::Resume => N::Resume,
            Self::Retry { .. } => N::Retry,
            Self::Step { what, .. } => match what {
                StepEvent::Sending(_) => N::Sending,
                StepEvent::Done { .. } => N::Done,
                StepEvent::Failed { .. } => N::Failure,
                StepEvent::Unknown(_) => N::Unknown,
                StepEvent::Held(_) => N::Hold,
                StepEvent::Later { .. } => N::Later,
                StepEvent::Renewed => N::Renewed,
                StepEvent::LookedUp(_) => N::LookedUp,
                StepEvent::OtherAccount => N::OtherAccount,
                StepEvent::Decided { .. } => N::Decided,
                StepEvent::Settled(_) => N::Settled,
            },
        }
    }

    /// The frame it speaks of.
    #[must_use]
    pub fn frame(&self) -> Option<FrameId> {
        match self {
            Self::Step { frame, .. } => Some(*frame),
            _ => None,
        }
    }
}

/// Where the run is, as far as an event about `frame` is concerned.
#[must_use]
pub fn situation(state: &RunState, frame: Option<FrameId>) -> Situation {
    use super::state::Waiting as W;
    match &state.phase {
        Phase::New => return Situation::New,
        Phase::Finished(_) => return Situation::Finished,
        Phase::Failed { .. } => return Situation::Failed,
        Phase::Cancelled => return Situation::Cancelled,
        Phase::Expired => return Situation::Expired,
        Phase::Running => {}
    }
    let Some(id) = frame else { return Situation::Running };
    let Some(frame) = state.frames.get(&id) else { return Situation::Gone };
    if frame.hold.is_some() {
        return Situation::Held;
    }
    match &frame.step {
        Step::Ready => Situation::Ready,
        Step::Attempting { .. } => Situation::Attempting,
        Step::Sent { .. } => Situation::Sent,
        Step::Looking { .. } => Situation::Looking,
        Step::InDoubt { .. } => Situation::InDoubt,
        Step::Pausing { .. } => Situation::Pausing,
        Step::Waiting(W::Time { .. }) => Situation::WaitingTime,
        Step::Waiting(W::Signal { .. }) => Situation::WaitingSignal,
        Step::Waiting(W::Approval { .. }) => Situation::WaitingApproval,
        Step::Waiting(W::Limit { .. }) => Situation::WaitingLimit,
        Step::Nested => Situation::Nested,
        Step::Broken => Situation::Broken,
    }
}

/// Whether a situation takes an event.
#[must_use]
pub fn is_legal(situation: Situation, event: EventName) -> bool {
    use EventName as E;
    use Situation as S;
    match event {
        E::Begin => situation == S::New,
        E::Advance | E::Tick | E::Signal | E::Freed => situation == S::Running,
        E::Recovered => matches!(situation, S::New | S::Running),
        E::Cancel => matches!(situation, S::New | S::Running | S::Expired),
        E::Resume => situation == S::Expired,
        E::Retry => situation == S::Failed,
        E::Sending => situation == S::Attempting,
        E::Done | E::Failure | E::Unknown | E::Renewed => matches!(situation, S::Attempting | S::Sent),
        E::Hold | E::Later => matches!(situation, S::Attempting | S::Sent | S::Looking),
        E::LookedUp => situation == S::Looking,
        E::OtherAccount => matches!(situation, S::Attempting | S::Looking),
        E::Decided => matches!(situation, S::WaitingApproval | S::WaitingLimit),
        E::Settled => situation == S::InDoubt,
    }
}
