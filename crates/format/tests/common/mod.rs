//! A small catalogue for tests: the cards that samples and wrong files use.
//!
//! Must never grow into a copy of the real one.

#![allow(clippy::unwrap_used, reason = "a wrong line in the table below is a bug of the test")]

use std::sync::Arc;

use flowdeck_model::{AppName, CardDecl, CardName, CardRole, Catalogue, FieldDecl, FieldType, Value};

/// Cards by name; apps are the families of those that have one.
pub(crate) struct TestCatalogue(Vec<Arc<CardDecl>>);

/// `role name: inputs -> outputs`; a field is `key:type`, `~` in an input's key is a space, `!` after the type means
/// required. `*` allows more inputs.
const CARDS: &[&str] = &[
    "function date/now -> date:date iso:text",
    "function date/diff start:date! end:date! -> days:number hours:number",
    "function date/add start:date! scale:number! unit:days|hours|minutes! -> output:date",
    "function list/pluck list:objects! key:text -> values:list",
    "function list/length list:list! -> length:number",
    "function string/compose * -> output:text",
    "function string/split text:text! separator:text -> list:texts",
    "function crypto/hmac text:text! key:secret! -> output:text",
    "event okta/userCreated -> ID:text Login:text",
    "action okta/listUsersWithFilter status:text -> Users:users",
    "action okta/readUser ID~or~Login:text! -> ID:text Login:text Status:text First name:text",
    "action okta/suspendUser id:text! -> Status Code:number",
    "action okta/addNewUserToGroup Group~id:text! User~id:text! -> status:number",
    "action playground/listPeople department:text status:text q:text -> people:objects",
    "action playground/listGroups q:text -> groups:objects",
    "action playground/listGroupPeople group:text! -> people:objects",
    "action playground/createGroup name:text! description:text -> id:text name:text",
    "action playground/addToGroup group:text! person:text! ->",
    "action playground/suspendPerson id:text! -> id:text status:text",
    "event playground/personJoined -> person:object at:date",
];

impl TestCatalogue {
    pub(crate) fn new() -> Self {
        Self(CARDS.iter().map(|line| Arc::new(declaration(line))).collect())
    }
}

fn declaration(line: &str) -> CardDecl {
    let (left, outputs) = line.split_once("->").unwrap();
    let mut words = left.split_whitespace();
    let role = words.next().unwrap();
    let name = CardName::new(words.next().unwrap()).unwrap();
    let mut decl = CardDecl::function(name.clone(), name.as_str(), "A card for tests.");
    decl.role = match role {
        "event" => CardRole::Event,
        "action" => CardRole::Action,
        _ => CardRole::Function,
    };
    if role != "function" {
        decl.app = Some(AppName::new(name.family()).unwrap());
    }
    for word in words {
        if word == "*" {
            decl.more_inputs = Some(FieldType::Any);
        } else {
            decl.inputs.push(field(word));
        }
    }
    let mut pending = String::new();
    for word in outputs.split_whitespace() {
        pending.push_str(word);
        if word.contains(':') {
            decl.outputs.push(field(&std::mem::take(&mut pending)));
        } else {
            pending.push(' ');
        }
    }
    if name.as_str() == "okta/listUsersWithFilter" {
        decl.pages = Some("Users".into());
    }
    decl
}

fn field(word: &str) -> FieldDecl {
    let (key, kind) = word.split_once(':').unwrap();
    let required = kind.ends_with('!');
    let kind = kind.trim_end_matches('!');
    let mut field = FieldDecl { required, ..FieldDecl::new(&key.replace('~', " "), FieldType::Any) };
    field.kind = match kind {
        "text" => FieldType::Text,
        "number" => FieldType::Number,
        "date" => FieldType::Date,
        "object" => FieldType::object(),
        "objects" => FieldType::object().list(),
        "texts" => FieldType::Text.list(),
        "list" => FieldType::Any.list(),
        "secret" => {
            field.secret = true;
            FieldType::Text
        }
        "users" => {
            let date = |key| FieldDecl::new(key, FieldType::Date);
            let text = |key| FieldDecl::new(key, FieldType::Text);
            FieldType::Object(vec![text("ID"), text("Login"), date("Created"), date("Last Login")]).list()
        }
        choices => {
            field.choices = choices.split('|').map(String::from).collect();
            FieldType::Text
        }
    };
    field
}

impl Catalogue for TestCatalogue {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.0.iter().find(|d| d.name == *name).cloned()
    }
    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.0.clone()
    }
    fn has_app(&self, name: &AppName) -> bool {
        self.apps().contains(name)
    }
    fn apps(&self) -> Vec<AppName> {
        let mut apps: Vec<_> = self.0.iter().filter_map(|d| d.app.clone()).collect();
        apps.dedup();
        apps.sort();
        apps.dedup();
        apps
    }
}

/// The diagnostics of a text, a line each.
pub(crate) fn lines(name: &str, text: &str) -> Vec<String> {
    let source = flowdeck_format::Source::new(name, text);
    let checked = flowdeck_format::read(&source, Some(&TestCatalogue::new()));
    for diagnostic in &checked.diagnostics {
        let rendered = diagnostic.render(&source, false);
        assert!(rendered.contains(diagnostic.code), "{rendered}");
        assert!(matches!(diagnostic.to_json(), Value::Object(_)));
        assert!(text.get(diagnostic.span.clone()).is_some(), "a span outside the text: {diagnostic:?}");
    }
    checked.diagnostics.iter().map(|d| d.line_text(name)).collect()
}
