//! The log of what happened, for polling and for hooks.
//!
//! Must never grow without end: the oldest events go.
//! Tests: below, and `tests/walk/`.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Directory, DirectoryRefusal, Group, Person, take};
use crate::limits;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Event {
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) event_type: EventType,
    pub(crate) timestamp: String,
    pub(crate) data: Value,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum EventType {
    #[serde(rename = "person.joined")]
    PersonJoined,
    #[serde(rename = "person.left")]
    PersonLeft,
    #[serde(rename = "person.suspended")]
    PersonSuspended,
    #[serde(rename = "person.unsuspended")]
    PersonUnsuspended,
    #[serde(rename = "person.changed")]
    PersonChanged,
    #[serde(rename = "group.joined")]
    GroupJoined,
    #[serde(rename = "group.left")]
    GroupLeft,
}

impl EventType {
    pub(crate) fn parse(name: &str) -> Option<EventType> {
        serde_json::from_value(Value::String(name.to_owned())).ok()
    }

    /// In words, for the front page.
    pub(crate) fn words(self) -> &'static str {
        match self {
            EventType::PersonJoined => "joined",
            EventType::PersonLeft => "left",
            EventType::PersonSuspended => "was suspended",
            EventType::PersonUnsuspended => "is active again",
            EventType::PersonChanged => "was changed",
            EventType::GroupJoined => "joined the group",
            EventType::GroupLeft => "left the group",
        }
    }
}

/// RFC 3339 UTC, in whole milliseconds.
pub(crate) fn timestamp(now_ms: i64) -> String {
    jiff::Timestamp::from_millisecond(now_ms).map(|at| at.to_string()).unwrap_or_default()
}

/// The number in an event's id: ids are counted without gaps.
fn number(id: &str) -> Option<u64> {
    id.strip_prefix("evt_")?.parse().ok()
}

impl Directory {
    pub(super) fn record(&mut self, event_type: EventType, person: Option<Person>, group: Option<&Group>, now_ms: i64) {
        let mut data = json!({});
        if let Some(person) = person {
            data["person"] = json!(person);
        }
        if let Some(group) = group {
            data["group"] = group.shown();
        }
        let id = format!("evt_{:08}", take(&mut self.next_id.event));
        self.log.push(Event { id, event_type, timestamp: timestamp(now_ms), data });
        let excess = self.log.len().saturating_sub(limits::EVENTS_KEPT_MAX);
        self.log.drain(..excess);
    }

    /// The number of the next event: what is recorded from now on has this one or a later one.
    pub(crate) fn next_event(&self) -> u64 {
        self.next_id.event
    }

    pub(crate) fn events_from(&self, first: u64) -> impl DoubleEndedIterator<Item = &Event> {
        self.log.iter().filter(move |event| number(&event.id).is_some_and(|number| number >= first))
    }

    /// Events after the one named: at most `limit`, the cursor for the next call, and whether there are more.
    pub(crate) fn events_after(
        &self,
        after: Option<&str>,
        event_type: Option<EventType>,
        limit: usize,
    ) -> Result<(Vec<Event>, String, bool), DirectoryRefusal> {
        let newest = self.next_id.event - 1;
        let oldest_kept = self.next_id.event - self.log.len() as u64;
        let after = match after {
            None => oldest_kept - 1,
            Some("latest") => newest,
            Some(id) => number(id)
                .filter(|number| *number <= newest)
                .ok_or_else(|| DirectoryRefusal::invalid("after", "must be the id of an event, or \"latest\""))?,
        };
        if after + 1 < oldest_kept {
            return Err(DirectoryRefusal::CursorExpired);
        }
        let mut events: Vec<Event> = self
            .events_from(after + 1)
            .filter(|event| event_type.is_none_or(|wanted| wanted == event.event_type))
            .take(limit + 1)
            .cloned()
            .collect();
        let more = events.len() > limit;
        events.truncate(limit);
        let next = match events.last() {
            Some(last) if more => last.id.clone(),
            _ => format!("evt_{newest:08}"),
        };
        Ok((events, next, more))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_forgets_the_oldest_and_says_so() {
        let mut directory = Directory::empty();
        for at_ms in 0..limits::EVENTS_KEPT_MAX as i64 + 5 {
            directory.record(EventType::PersonJoined, None, None, at_ms);
        }
        assert_eq!(directory.log.len(), limits::EVENTS_KEPT_MAX);
        assert_eq!(
            directory.events_after(Some("evt_00000003"), None, 10).unwrap_err(),
            DirectoryRefusal::CursorExpired
        );
        let (events, next, more) = directory.events_after(Some("evt_00000005"), None, 10).unwrap();
        assert_eq!((events.len(), events[0].id.as_str(), more), (10, "evt_00000006", true));
        assert_eq!(next, "evt_00000015");
    }

    #[test]
    fn polling_at_the_end_gives_nothing_and_a_cursor_that_sees_the_next_event() {
        let mut directory = Directory::empty();
        let (_, start, _) = directory.events_after(Some("latest"), None, 10).unwrap();
        directory.record(EventType::PersonLeft, None, None, 0);
        let (events, next, more) = directory.events_after(Some(&start), None, 10).unwrap();
        assert_eq!((events.len(), next.as_str(), more), (1, "evt_00000001", false));
    }
}
