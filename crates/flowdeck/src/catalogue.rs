//! All cards that flows can use: functions and the cards of apps.
//!
//! Must never answer two declarations for one name.
//! Tests: below.

use std::sync::Arc;

use flowdeck_apps::Apps;
use flowdeck_functions::Functions;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue};
use indexmap::IndexMap;

use crate::error::RuntimeError;
use crate::folder;

/// The catalogue of a runtime. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Cards {
    apps: Arc<Apps>,
    functions: Functions,
}

impl Cards {
    /// The cards of these apps, and the function cards.
    #[must_use]
    pub fn new(apps: Arc<Apps>) -> Self {
        Self { apps, functions: Functions::new() }
    }

    /// The built-in apps with these variables (`playground_url`), then a user's app files (name and text).
    /// For programs that only check flow files: no store and no key is needed.
    ///
    /// # Errors
    /// [`RuntimeError::AppFile`] for a file that cannot be used, or that takes a name that is taken.
    ///
    /// ```
    /// use flowdeck::model::Catalogue;
    /// let cards = flowdeck::Cards::with_files(&indexmap::IndexMap::new(), &[])?;
    /// assert!(cards.card(&"okta/listUsersWithFilter".parse()?).is_some());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_files(variables: &IndexMap<String, String>, files: &[(String, String)]) -> Result<Self, RuntimeError> {
        let functions = Functions::new();
        let apps = folder::all_apps(variables, &functions, files)?;
        Ok(Self { apps: Arc::new(apps), functions })
    }

    /// The apps.
    #[must_use]
    pub fn apps(&self) -> &Arc<Apps> {
        &self.apps
    }

    /// The function cards, with their examples.
    #[must_use]
    pub fn functions(&self) -> &Functions {
        &self.functions
    }
}

impl Catalogue for Cards {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.functions.card(name).or_else(|| self.apps.card(name))
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        let mut all = self.functions.cards();
        all.extend(self.apps.cards());
        all
    }

    fn has_app(&self, name: &AppName) -> bool {
        self.apps.app(name.as_str()).is_some()
    }

    fn apps(&self) -> Vec<AppName> {
        self.apps.names().filter_map(|name| AppName::new(name).ok()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_card_is_found_by_its_name_once() {
        let cards = Cards::with_files(&IndexMap::new(), &[]).unwrap();
        let all = cards.cards();
        let mut names: Vec<_> = all.iter().map(|c| c.name.clone()).collect();
        assert!(names.iter().all(|n| cards.card(n).is_some()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(cards.has_app(&AppName::new("okta").unwrap()));
    }
}
