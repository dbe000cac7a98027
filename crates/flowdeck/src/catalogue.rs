//! All cards that flows can use.
//!
//! Must never answer two declarations for one name.
//! Tests: below.

use std::sync::Arc;

use flowdeck_apps::Apps;
use flowdeck_model::{AppName, CardDecl, CardName, Catalogue};

/// The catalogue of a runtime.
#[derive(Debug, Clone)]
pub struct Cards {
    apps: Arc<Apps>,
}

impl Cards {
    /// The cards of these apps.
    #[must_use]
    pub fn new(apps: Arc<Apps>) -> Self {
        Self { apps }
    }

    /// The apps.
    #[must_use]
    pub fn apps(&self) -> &Arc<Apps> {
        &self.apps
    }
}

impl Catalogue for Cards {
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.apps.card(name)
    }

    fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.apps.cards()
    }

    fn has_app(&self, name: &AppName) -> bool {
        self.apps.app(name.as_str()).is_some()
    }

    fn apps(&self) -> Vec<AppName> {
        self.apps.apps().map(|a| a.file.app.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use indexmap::IndexMap;

    #[test]
    fn every_card_is_found_by_its_name_once() {
        let cards = Cards::new(Arc::new(Apps::built_in(&IndexMap::new()).unwrap()));
        let all = cards.cards();
        let mut names: Vec<_> = all.iter().map(|c| c.name.clone()).collect();
        assert!(names.iter().all(|n| cards.card(n).is_some()));
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all.len());
        assert!(cards.has_app(&AppName::new("okta").unwrap()));
    }
}
