//! Groups and who is in them.
//!
//! Must never hold a member who is not in the directory.
//! Tests: `tests/walk/`.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::people::text;
use super::{Directory, DirectoryRefusal, EventType, Person, take};
use crate::limits;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Group {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) member_ids: BTreeSet<String>,
}

impl Group {
    /// As the API shows it: the members counted, not listed.
    pub(crate) fn shown(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "description": self.description,
            "members": self.member_ids.len(),
        })
    }
}

impl Directory {
    pub(crate) fn groups(&self, q: Option<&str>) -> Vec<Group> {
        let q = q.unwrap_or_default().to_lowercase();
        self.groups.iter().filter(|group| group.name.to_lowercase().contains(&q)).cloned().collect()
    }

    pub(crate) fn group(&self, id: &str) -> Result<&Group, DirectoryRefusal> {
        self.groups.iter().find(|group| group.id == id).ok_or_else(|| DirectoryRefusal::not_found("group", id))
    }

    pub(crate) fn members(&self, group: &str) -> Result<Vec<Person>, DirectoryRefusal> {
        let group = self.group(group)?;
        Ok(self.people.iter().filter(|person| group.member_ids.contains(&person.id)).cloned().collect())
    }

    pub(crate) fn add_group(&mut self, fields: &Map<String, Value>) -> Result<Group, DirectoryRefusal> {
        if self.groups.len() >= limits::GROUPS_MAX {
            return Err(DirectoryRefusal::Full { what: "groups", max: limits::GROUPS_MAX });
        }
        if let Some(field) = fields.keys().find(|field| !["name", "description"].contains(&field.as_str())) {
            return Err(DirectoryRefusal::invalid(field, "is not a field of a group"));
        }
        let name = text("name", fields.get("name").unwrap_or(&Value::Null), 1)?;
        let description = fields.get("description").map(|value| text("description", value, 0)).transpose()?;
        if self.groups.iter().any(|group| group.name.to_lowercase() == name.to_lowercase()) {
            return Err(DirectoryRefusal::NameTaken(name));
        }
        let group = Group {
            id: format!("grp_{:04}", take(&mut self.next_id.group)),
            name,
            description: description.unwrap_or_default(),
            member_ids: BTreeSet::new(),
        };
        self.groups.push(group.clone());
        Ok(group)
    }

    /// Puts a person in a group or takes them out; doing it again changes nothing.
    pub(crate) fn set_member(
        &mut self,
        group: &str,
        person: &str,
        is_member: bool,
        now_ms: i64,
    ) -> Result<(), DirectoryRefusal> {
        let someone = self.person(person)?.clone();
        let found = self.groups.iter_mut().find(|other| other.id == group);
        let found = found.ok_or_else(|| DirectoryRefusal::not_found("group", group))?;
        let is_change =
            if is_member { found.member_ids.insert(someone.id.clone()) } else { found.member_ids.remove(person) };
        let found = found.clone();
        if is_change {
            let event = if is_member { EventType::GroupJoined } else { EventType::GroupLeft };
            self.record(event, Some(someone), Some(&found), now_ms);
        }
        Ok(())
    }
}
