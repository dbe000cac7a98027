//! The card contract: what a card declares, and what it gets besides its inputs.
//!
//! Must never run a card or know how an app works.
//! Tests: the card-specification harness of each crate that declares cards.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::export;
use crate::field::{FieldDecl, FieldType};
use crate::names::{AppName, CardName};
use crate::time::Millis;

/// What a card is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CardRole {
    /// Starts a flow.
    Event,
    /// Commands an app.
    Action,
    /// Shapes data.
    Function,
}

/// What running a card does to the world; decides when its run is made durable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EffectClass {
    /// Same inputs, same outputs: may be computed again at any time.
    Pure,
    /// Looks at the world without changing it (HTTP GET, Now, random).
    Observe,
    /// Changes the world; repeating it does no harm (or the app honours our idempotency key).
    Idempotent,
    /// Changes the world each time.
    Write,
    /// Reads or changes our own tables; the driver does it inside a commit.
    Table,
}

/// What to do with a write that got no definite answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InDoubt {
    /// Repeat it: it is safe, or the app honours the same key.
    Retry,
    /// Look it up with the same account; ask where that tells nothing.
    Check,
    /// Ask a person.
    #[default]
    Ask,
}

/// Everything the engine, forms, palettes and documents need to know of a card.
///
/// ```
/// use flowdeck_model::{CardDecl, CardName, EffectClass, FieldDecl, FieldType};
///
/// let mut decl = CardDecl::function(CardName::new("text/shout")?, "Shout", "Makes a text loud.");
/// decl.inputs = vec![FieldDecl::new("text", FieldType::Text)];
/// decl.outputs = vec![FieldDecl::new("text", FieldType::Text)];
/// assert_eq!((decl.effect, decl.input("text").is_some()), (EffectClass::Pure, true));
/// # Ok::<(), flowdeck_model::names::NameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CardDecl {
    /// `family/name`.
    pub name: CardName,
    /// The name on screens.
    pub title: String,
    /// What it does, in one sentence.
    pub summary: String,
    /// More, as Markdown; may be empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub help: String,
    /// What it is for.
    pub role: CardRole,
    /// The app it needs a connection to; `None` for functions and apps without authorization.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app: Option<AppName>,
    /// Its inputs in order.
    pub inputs: Vec<FieldDecl>,
    /// Its outputs in order.
    pub outputs: Vec<FieldDecl>,
    /// The type of inputs that users may add under names of their own; `None` where they may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_inputs: Option<FieldType>,
    /// The type of outputs beyond the declared ones (named by the user's inputs); `None` where there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_outputs: Option<FieldType>,
    /// What it does to the world.
    pub effect: EffectClass,
    /// Scopes it needs, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scopes: Vec<String>,
    /// What to do with an answer that never came.
    #[serde(default)]
    pub in_doubt: InDoubt,
    /// The output (a list) that a loop may take page by page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<String>,
    /// Longest time one attempt may take, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout_ms: Option<u64>,
    /// Cards of Okta exports, `connector/method`, that this card serves besides those of its own name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub export_names: Vec<String>,
}

impl CardDecl {
    /// A pure function card without fields yet.
    #[must_use]
    pub fn function(name: CardName, title: &str, summary: &str) -> Self {
        Self {
            name,
            title: title.into(),
            summary: summary.into(),
            help: String::new(),
            role: CardRole::Function,
            app: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            more_inputs: None,
            more_outputs: None,
            effect: EffectClass::Pure,
            scopes: Vec::new(),
            in_doubt: InDoubt::Ask,
            pages: None,
            timeout_ms: None,
            export_names: Vec::new(),
        }
    }

    /// The declared input with this key.
    #[must_use]
    pub fn input(&self, key: &str) -> Option<&FieldDecl> {
        self.inputs.iter().find(|f| f.key == key)
    }

    /// The declared output with this key.
    #[must_use]
    pub fn output(&self, key: &str) -> Option<&FieldDecl> {
        self.outputs.iter().find(|f| f.key == key)
    }
}

/// Finds cards and apps by name.
pub trait Catalogue: Send + Sync {
    /// The declaration of a card.
    fn card(&self, name: &CardName) -> Option<Arc<CardDecl>>;
    /// All cards, for suggestions and palettes, in a stable order.
    fn cards(&self) -> Vec<Arc<CardDecl>>;
    /// Whether there is an app of this name.
    fn has_app(&self, name: &AppName) -> bool;
    /// All apps, in a stable order.
    fn apps(&self) -> Vec<AppName>;
    /// The card that serves a card of an Okta export: the one of that name, else one that lists it among its
    /// [`CardDecl::export_names`]; ends of [`crate::export`] do not matter. The default looks through all cards;
    /// callers with many questions keep the answers.
    fn by_export(&self, connector: &str, method: &str) -> Option<Arc<CardDecl>> {
        let connectors = [connector, export::connector_base(connector)];
        let methods = [method, export::method_base(method)];
        let mut wanted: Vec<String> =
            connectors.iter().flat_map(|c| methods.iter().map(move |m| format!("{c}/{m}"))).collect();
        wanted.dedup();
        let own = |name: &String| CardName::new(name).ok().and_then(|name| self.card(&name));
        wanted.iter().find_map(own).or_else(|| {
            let cards = self.cards();
            let listed = |name: &String| cards.iter().find(|card| card.export_names.contains(name)).cloned();
            wanted.iter().find_map(listed)
        })
    }
}

/// What a function card may know besides its inputs. Fixed for one step, so that a step can be computed again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ambient {
    /// The step's time.
    pub now: Millis,
    /// Randomness of this step.
    pub seed: u64,
}
