//! People: who works here, and the rules for adding, changing, suspending and removing them.
//!
//! Must never change anything when it refuses.
//! Tests: `tests/walk/`.

use jiff::civil::Date;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{Directory, DirectoryRefusal, EventType, take};
use crate::limits;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) email: String,
    pub(crate) department: String,
    pub(crate) title: String,
    pub(crate) status: Status,
    pub(crate) hired: Option<Date>,
    /// The day of the last visit; `None`: never.
    pub(crate) last_seen: Option<Date>,
    pub(crate) manager: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Status {
    Active,
    Suspended,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Active => "active",
            Status::Suspended => "suspended",
        }
    }
}

/// Which people to list; `None` and empty let everybody through.
#[derive(Debug, Default)]
pub(crate) struct PeopleFilter {
    pub(crate) department: Option<String>,
    pub(crate) status: Option<Status>,
    pub(crate) q: Option<String>,
}

impl PeopleFilter {
    fn lets_through(&self, person: &Person) -> bool {
        let is_department =
            self.department.as_ref().is_none_or(|wanted| wanted.to_lowercase() == person.department.to_lowercase());
        let is_match = self.q.as_ref().is_none_or(|wanted| {
            let wanted = wanted.to_lowercase();
            [&person.name, &person.email, &person.title].iter().any(|text| text.to_lowercase().contains(&wanted))
        });
        is_department && is_match && self.status.is_none_or(|status| status == person.status)
    }
}

impl Directory {
    pub(crate) fn people(&self, filter: &PeopleFilter) -> Vec<Person> {
        self.people.iter().filter(|person| filter.lets_through(person)).cloned().collect()
    }

    pub(crate) fn person(&self, id: &str) -> Result<&Person, DirectoryRefusal> {
        self.people.iter().find(|person| person.id == id).ok_or_else(|| DirectoryRefusal::not_found("person", id))
    }

    fn person_mut(&mut self, id: &str) -> Result<&mut Person, DirectoryRefusal> {
        self.people.iter_mut().find(|person| person.id == id).ok_or_else(|| DirectoryRefusal::not_found("person", id))
    }

    pub(crate) fn add_person(&mut self, fields: &Map<String, Value>, now_ms: i64) -> Result<Person, DirectoryRefusal> {
        if self.people.len() >= limits::PEOPLE_MAX {
            return Err(DirectoryRefusal::Full { what: "people", max: limits::PEOPLE_MAX });
        }
        for field in ["name", "email"] {
            if !fields.contains_key(field) {
                return Err(DirectoryRefusal::invalid(field, "is missing"));
            }
        }
        let blank = Person {
            id: String::new(),
            name: String::new(),
            email: String::new(),
            department: String::new(),
            title: String::new(),
            status: Status::Active,
            hired: None,
            last_seen: None,
            manager: None,
        };
        let mut person = self.with_fields(blank, fields)?;
        person.id = format!("per_{:04}", take(&mut self.next_id.person));
        self.people.push(person.clone());
        self.record(EventType::PersonJoined, Some(person.clone()), None, now_ms);
        Ok(person)
    }

    pub(crate) fn change_person(
        &mut self,
        id: &str,
        fields: &Map<String, Value>,
        now_ms: i64,
    ) -> Result<Person, DirectoryRefusal> {
        let before = self.person(id)?.clone();
        let after = self.with_fields(before.clone(), fields)?;
        if after != before {
            *self.person_mut(id)? = after.clone();
            self.record(EventType::PersonChanged, Some(after.clone()), None, now_ms);
        }
        Ok(after)
    }

    pub(crate) fn set_status(&mut self, id: &str, status: Status, now_ms: i64) -> Result<Person, DirectoryRefusal> {
        let person = self.person_mut(id)?;
        let is_change = person.status != status;
        person.status = status;
        let person = person.clone();
        if is_change {
            let event = match status {
                Status::Active => EventType::PersonUnsuspended,
                Status::Suspended => EventType::PersonSuspended,
            };
            self.record(event, Some(person.clone()), None, now_ms);
        }
        Ok(person)
    }

    /// Removes a person, takes them out of their groups and leaves their reports without a manager.
    pub(crate) fn remove_person(&mut self, id: &str, now_ms: i64) -> Result<(), DirectoryRefusal> {
        let person = self.person(id)?.clone();
        self.people.retain(|other| other.id != id);
        for report in self.people.iter_mut().filter(|other| other.manager.as_deref() == Some(id)) {
            report.manager = None;
        }
        for group in &mut self.groups {
            group.member_ids.remove(id);
        }
        self.record(EventType::PersonLeft, Some(person), None, now_ms);
        Ok(())
    }

    fn with_fields(&self, mut person: Person, fields: &Map<String, Value>) -> Result<Person, DirectoryRefusal> {
        for (field, value) in fields {
            match field.as_str() {
                "name" => person.name = text(field, value, 1)?,
                "department" => person.department = text(field, value, 0)?,
                "title" => person.title = text(field, value, 0)?,
                "hired" => person.hired = date(field, value)?,
                "last_seen" => person.last_seen = date(field, value)?,
                "email" => {
                    let email = email(value)?;
                    if self.people.iter().any(|other| other.id != person.id && other.email == email) {
                        return Err(DirectoryRefusal::EmailTaken(email));
                    }
                    person.email = email;
                }
                "manager" => person.manager = self.manager(&person.id, value)?,
                "id" | "status" => {
                    return Err(DirectoryRefusal::invalid(field, "cannot be set here; use /suspend and /unsuspend"));
                }
                _ => return Err(DirectoryRefusal::invalid(field, "is not a field of a person")),
            }
        }
        Ok(person)
    }

    fn manager(&self, own_id: &str, value: &Value) -> Result<Option<String>, DirectoryRefusal> {
        match value {
            Value::Null => Ok(None),
            Value::String(id) if id == own_id => {
                Err(DirectoryRefusal::invalid("manager", "must be somebody else than the person"))
            }
            Value::String(id) if self.person(id).is_ok() => Ok(Some(id.clone())),
            _ => Err(DirectoryRefusal::invalid("manager", "must be null or the id of a person in the directory")),
        }
    }
}

/// A text of `least` to the limit's characters, without surrounding space or control characters.
pub(super) fn text(field: &str, value: &Value, least: usize) -> Result<String, DirectoryRefusal> {
    let text = value.as_str().map(str::trim).unwrap_or("\u{0}");
    let length = text.chars().count();
    if length < least || length > limits::TEXT_CHARS_MAX || text.chars().any(char::is_control) {
        let problem = format!("must be a text of {least} to {} characters", limits::TEXT_CHARS_MAX);
        return Err(DirectoryRefusal::invalid(field, problem));
    }
    Ok(text.to_owned())
}

fn email(value: &Value) -> Result<String, DirectoryRefusal> {
    let email = text("email", value, 3)?.to_lowercase();
    match email.split_once('@') {
        Some((local, host)) if !local.is_empty() && !host.is_empty() && !email.contains(char::is_whitespace) => {
            Ok(email)
        }
        _ => Err(DirectoryRefusal::invalid("email", "must be an e-mail address like ada@example.com")),
    }
}

fn date(field: &str, value: &Value) -> Result<Option<Date>, DirectoryRefusal> {
    match value {
        Value::Null => Some(None),
        Value::String(text) if text.len() == 10 => text.parse().ok().map(Some),
        _ => None,
    }
    .ok_or_else(|| DirectoryRefusal::invalid(field, "must be null or a date like 2026-01-31"))
}
