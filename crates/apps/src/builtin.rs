//! All apps that are known: the built-in files and those a user adds.
//!
//! Must never take an app file that names a built-in app's cards differently from its own.
//! Tests: below and `tests/harness.rs`.

use std::sync::Arc;

use flowdeck_model::app::{AppAuth, AppDirectory};
use flowdeck_model::{AppName, CardDecl, CardName, Value};
use indexmap::IndexMap;

use crate::compile::{App, AppFileError};
use crate::tables;

/// The app files that come with flowdeck.
const BUILT_IN: &[(&str, &str)] = &[
    ("http", include_str!("../catalogue/http.app.yaml")),
    ("httpfunctions", include_str!("../catalogue/httpfunctions.app.yaml")),
    ("okta", include_str!("../catalogue/okta.app.yaml")),
    ("playground", include_str!("../catalogue/playground.app.yaml")),
];

/// The apps of a runtime.
#[derive(Debug)]
pub struct Apps {
    apps: IndexMap<AppName, Arc<App>>,
    tables: Vec<Arc<CardDecl>>,
    variables: Arc<Value>,
}

impl Apps {
    /// The built-in apps, with variables that app files may use as `${app.name}` or `{app.name}` (`playground_url`).
    ///
    /// # Errors
    /// [`AppFileError`] for a built-in file that cannot be read: a defect that the harness test finds.
    pub fn built_in(variables: &IndexMap<String, String>) -> Result<Self, AppFileError> {
        let mut apps = Self {
            apps: IndexMap::new(),
            tables: tables::declarations(),
            variables: Arc::new(Value::Object(variables.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect())),
        };
        for (name, text) in BUILT_IN {
            let mut text = (*text).to_owned();
            for (key, value) in variables {
                // `${app.key}` is a mapping and stays; `{app.key}` in auth templates is filled in here.
                let (mapping, template) = (format!("${{app.{key}}}"), format!("{{app.{key}}}"));
                let filled: Vec<String> = text.split(&mapping).map(|part| part.replace(&template, value)).collect();
                text = filled.join(&mapping);
            }
            apps.add(name, &text)?;
        }
        Ok(apps)
    }

    /// Adds an app file; one of the same app takes the place of the earlier.
    ///
    /// # Errors
    /// [`AppFileError`] where it cannot be read.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), AppFileError> {
        let app = App::read(name, text)?;
        self.apps.insert(app.file.app.clone(), Arc::new(app));
        Ok(())
    }

    /// An app by name.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<&Arc<App>> {
        self.apps.get(name)
    }

    /// All apps in order.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        self.apps.values()
    }

    /// The declaration of a card.
    #[must_use]
    pub fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        if name.family() == tables::FAMILY {
            return self.tables.iter().find(|d| d.name == *name).cloned();
        }
        self.apps.get(name.family())?.cards.iter().find(|d| d.name == *name).cloned()
    }

    /// All cards of all apps, in order.
    #[must_use]
    pub fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.apps.values().flat_map(|a| a.cards.iter()).chain(&self.tables).cloned().collect()
    }

    pub(crate) fn variables(&self) -> &Arc<Value> {
        &self.variables
    }
}

impl AppDirectory for Apps {
    fn auth(&self, app: &AppName) -> Option<Arc<AppAuth>> {
        self.apps.get(app)?.auth.clone()
    }

    fn auths(&self) -> Vec<Arc<AppAuth>> {
        self.apps.values().filter_map(|a| a.auth.clone()).collect()
    }
}
