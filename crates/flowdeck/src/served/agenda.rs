//! When served flows are due next, kept in memory: a look reads nothing of flows that have nothing to do.
//!
//! Must never keep a time across a change of its flow: the change marks the name, and the next look reads it anew.
//! Tests: below and `tests/served.rs`.

use std::collections::{HashMap, HashSet};

use flowdeck_model::{FlowName, Millis};

/// What is to be read before the agenda can be asked.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Every published flow.
    All,
    /// These.
    Some(Vec<FlowName>),
}

/// Flows with a schedule that are on, and when they are due.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    is_read: bool,
    due: HashMap<FlowName, Option<Millis>>,
    changed: HashSet<FlowName>,
    /// When it was last asked what is due.
    looked_at: Option<Millis>,
}

impl Agenda {
    /// A flow was published or switched.
    pub(super) fn change(&mut self, name: &FlowName) {
        self.changed.insert(name.clone());
    }

    /// What has to be read now. A change that comes during the reading is seen at the next look.
    pub(super) fn take_unread(&mut self) -> Unread {
        let changed = std::mem::take(&mut self.changed);
        if self.is_read { Unread::Some(changed.into_iter().collect()) } else { Unread::All }
    }

    /// Every flow was read.
    pub(super) fn fill(&mut self, due: HashMap<FlowName, Option<Millis>>) {
        (self.is_read, self.due) = (true, due);
    }

    /// What was taken could not be read: everything is read again.
    pub(super) fn forget(&mut self) {
        self.is_read = false;
    }

    /// A flow was read; `None` where it is off, gone, or without a schedule.
    pub(super) fn set(&mut self, name: FlowName, due: Option<Option<Millis>>) {
        match due {
            Some(due) => drop(self.due.insert(name, due)),
            None => drop(self.due.remove(&name)),
        }
    }

    /// The flows to look at: those whose time has come; all of them when the clock was set back.
    pub(super) fn look(&mut self, now: Millis) -> Vec<FlowName> {
        let back = self.looked_at.replace(now).is_some_and(|before| now < before);
        let is_due = |due: &Option<Millis>| back || due.is_some_and(|due| due <= now);
        let mut names: Vec<FlowName> =
            self.due.iter().filter(|(_, due)| is_due(due)).map(|(name, _)| name.clone()).collect();
        names.sort();
        names
    }

    /// When the next one is due.
    pub(super) fn first(&self) -> Option<Millis> {
        self.due.values().flatten().min().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> FlowName {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_is_due_is_looked_at_and_all_of_it_when_the_clock_was_set_back() {
        let mut agenda = Agenda::default();
        assert_eq!(agenda.take_unread(), Unread::All);
        agenda.fill([(name("a"), Some(Millis(10))), (name("b"), Some(Millis(20))), (name("c"), None)].into());
        assert_eq!(agenda.first(), Some(Millis(10)));
        assert_eq!(agenda.look(Millis(5)), []);
        assert_eq!(agenda.look(Millis(10)), [name("a")]);
        agenda.set(name("a"), Some(Some(Millis(30))));
        assert_eq!((agenda.look(Millis(15)), agenda.first()), (vec![], Some(Millis(20))));
        assert_eq!(agenda.look(Millis(14)), [name("a"), name("b"), name("c")]);
        agenda.set(name("b"), None);
        assert_eq!(agenda.first(), Some(Millis(30)));
    }

    #[test]
    fn a_change_is_read_once_and_never_lost() {
        let mut agenda = Agenda::default();
        agenda.take_unread();
        agenda.change(&name("a"));
        agenda.fill(HashMap::new());
        assert_eq!(agenda.take_unread(), Unread::Some(vec![name("a")]), "it came while all were read");
        assert_eq!(agenda.take_unread(), Unread::Some(vec![]));
        agenda.forget();
        assert_eq!(agenda.take_unread(), Unread::All);
    }
}
