//! The cards that the targets know: all functions, and a few actions of one app.
//!
//! Must never read a file.
//! Tests: the targets.

use std::sync::{Arc, OnceLock};

use flowdeck_functions::Functions;
use flowdeck_model::{AppName, CardDecl, CardName, CardRole, Catalogue, FieldDecl, FieldType};

/// Functions and some actions.
pub(crate) struct Cards {
    functions: Functions,
    actions: Vec<Arc<CardDecl>>,
}

/// Built once: reading their declarations takes longer than a target may.
pub(crate) fn cards() -> &'static Cards {
    static CARDS: OnceLock<Cards> = OnceLock::new();
    CARDS.get_or_init(|| Cards { functions: Functions::new(), actions: actions() })
}

/// The functions alone.
pub(crate) fn functions() -> &'static Functions {
    &cards().functions
}

fn actions() -> Vec<Arc<CardDecl>> {
    let mut made = Vec::new();
    for (name, role) in [
        ("okta/userCreated", CardRole::Event),
        ("okta/readUser", CardRole::Action),
        ("okta/listUsersWithFilter", CardRole::Action),
    ] {
        let (Ok(card), Ok(app)) = (CardName::new(name), AppName::new("okta")) else { continue };
        let mut decl = CardDecl::function(card, name, "For fuzzing.");
        decl.role = role;
        decl.app = Some(app);
        let mut secret = FieldDecl::new("key", FieldType::Text);
        secret.secret = true;
        decl.inputs = vec![FieldDecl::new("id", FieldType::Text), FieldDecl::new("n", FieldType::Number), secret];
        decl.outputs = vec![FieldDecl::new("ID", FieldType::Text), FieldDecl::new("Users", FieldType::Any.list())];
        if name == "okta/listUsersWithFilter" {
            decl.pages = Some("Users".into());
        }
        made.push(Arc::new(decl));
    }
    made
}

impl Catalogue for Cards {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.functions.card(name).or_else(|| self.actions.iter().find(|decl| decl.name == *name).cloned())
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        let mut all = self.functions.cards();
        all.extend(self.actions.iter().cloned());
        all
    }

    fn has_app(&self, name: &AppName) -> bool {
        name.as_str() == "okta"
    }

    fn apps(&self) -> Vec<AppName> {
        AppName::new("okta").into_iter().collect()
    }
}
