//! All apps that are known: the built-in files and those a user adds.
//!
//! Must never take an app file that names a built-in app's cards differently from its own.
//! Tests: below and `tests/harness.rs`.

use std::sync::{Arc, OnceLock};

use flowdeck_model::app::{AppAuth, AppDirectory};
use flowdeck_model::{AppName, CardDecl, CardName, Value};
use indexmap::IndexMap;

use crate::compile::{App, AppFileError};
use crate::tables;

include!(concat!(env!("OUT_DIR"), "/catalogue.rs"));

/// The apps of a runtime. A built-in app is read when it is first asked for.
#[derive(Debug)]
pub struct Apps {
    built_in: Vec<BuiltIn>,
    added: IndexMap<AppName, Arc<App>>,
    tables: Vec<Arc<CardDecl>>,
    variables: IndexMap<String, String>,
    values: Arc<Value>,
}

#[derive(Debug)]
struct BuiltIn {
    name: &'static str,
    json: &'static str,
    app: OnceLock<Option<Arc<App>>>,
}

impl Apps {
    /// The built-in apps, with variables that app files may use as `${app.name}` or `{app.name}` (`playground_url`), and
    /// addresses of stand-ins as `APP.ADDRESS` (`slack.api`).
    ///
    /// # Errors
    /// Never now; [`Self::check`] finds what is wrong in built-in files.
    pub fn built_in(variables: &IndexMap<String, String>) -> Result<Self, AppFileError> {
        let values = variables.iter().map(|(k, v)| (k.clone(), v.clone().into())).collect();
        let built_in = BUILT_IN.iter().map(|(name, json)| BuiltIn { name, json, app: OnceLock::new() });
        Ok(Self {
            built_in: built_in.collect(),
            added: IndexMap::new(),
            tables: tables::declarations(),
            variables: variables.clone(),
            values: Arc::new(Value::Object(values)),
        })
    }

    /// Reads every built-in file, all mappings too: for tests.
    ///
    /// # Errors
    /// [`AppFileError`] with all that cannot be read.
    pub fn check(&self) -> Result<(), AppFileError> {
        let read = |file: &BuiltIn| App::built_in(file.name, file.json, &self.variables);
        let problems = self.built_in.iter().filter_map(|file| match read(file) {
            Ok(app) => app.check().err().map(|what| format!("{}: {what}", file.name)),
            Err(error) => Some(error.to_string()),
        });
        let problems: Vec<String> = problems.collect();
        if problems.is_empty() {
            return Ok(());
        }
        Err(AppFileError { name: "catalogue".into(), what: problems.join("\n") })
    }

    fn read<'a>(&self, file: &'a BuiltIn) -> Option<&'a Arc<App>> {
        let read = || match App::built_in(file.name, file.json, &self.variables) {
            Ok(app) => Some(Arc::new(app)),
            Err(error) => {
                tracing::error!(%error, "a built-in app cannot be read");
                None
            }
        };
        file.app.get_or_init(read).as_ref()
    }

    /// Adds an app file; one of the same app takes the place of the earlier.
    ///
    /// # Errors
    /// [`AppFileError`] where it cannot be read.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), AppFileError> {
        let app = App::read(name, text)?;
        self.added.insert(app.file.app.clone(), Arc::new(app));
        Ok(())
    }

    /// An app by name.
    #[must_use]
    pub fn app(&self, name: &str) -> Option<&Arc<App>> {
        if let Some(app) = self.added.get(name) {
            return Some(app);
        }
        self.read(self.built_in.iter().find(|b| b.name == name)?)
    }

    /// Names of all apps in order, without reading them.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        let built_in = self.built_in.iter().map(|b| b.name).filter(|name| !self.added.contains_key(*name));
        built_in.chain(self.added.keys().map(AppName::as_str))
    }

    /// All apps in order.
    pub fn apps(&self) -> impl Iterator<Item = &Arc<App>> {
        let built_in = self.built_in.iter().filter(|b| !self.added.contains_key(b.name));
        built_in.filter_map(|b| self.read(b)).chain(self.added.values())
    }

    /// The declaration of a card.
    #[must_use]
    pub fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        if name.family() == tables::FAMILY {
            return self.tables.iter().find(|d| d.name == *name).cloned();
        }
        self.app(name.family())?.cards.iter().find(|d| d.name == *name).cloned()
    }

    /// All cards of all apps, in order.
    #[must_use]
    pub fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.apps().flat_map(|a| a.cards.iter()).chain(&self.tables).cloned().collect()
    }

    pub(crate) fn variables(&self) -> &Arc<Value> {
        &self.values
    }
}

impl AppDirectory for Apps {
    fn auth(&self, app: &AppName) -> Option<Arc<AppAuth>> {
        self.app(app.as_str())?.auth.clone()
    }

    fn auths(&self) -> Vec<Arc<AppAuth>> {
        self.apps().filter_map(|a| a.auth.clone()).collect()
    }
}
