//! The staff directory: people, groups, hooks and the log of what happened.
//!
//! Pure: the time is an argument. Must never know HTTP, tokens or who is asking.
//! Tests: `tests/walk/`.

mod groups;
mod hooks;
mod log;
mod people;
mod refusal;
mod replay;
mod seed;

use serde::{Deserialize, Serialize};

pub(crate) use groups::Group;
pub(crate) use hooks::{Hook, LastDelivery, NewHook, loopback_url};
pub(crate) use log::{Event, EventType, timestamp};
pub(crate) use people::{PeopleFilter, Person, Status};
pub(crate) use refusal::DirectoryRefusal;
pub(crate) use replay::{Replay, Replayed};

/// Everything in the directory. Lists are kept in the order of their ids.
#[derive(Serialize, Deserialize)]
pub(crate) struct Directory {
    next_id: Counters,
    people: Vec<Person>,
    groups: Vec<Group>,
    hooks: Vec<Hook>,
    log: Vec<Event>,
    replays: Vec<Replay>,
}

#[derive(Serialize, Deserialize)]
struct Counters {
    person: u64,
    group: u64,
    hook: u64,
    event: u64,
}

impl Directory {
    pub(crate) fn empty() -> Directory {
        Directory {
            next_id: Counters { person: 1, group: 1, hook: 1, event: 1 },
            people: Vec::new(),
            groups: Vec::new(),
            hooks: Vec::new(),
            log: Vec::new(),
            replays: Vec::new(),
        }
    }
}

fn take(counter: &mut u64) -> u64 {
    let id = *counter;
    *counter += 1;
    id
}
