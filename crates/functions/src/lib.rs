//! The function cards: one declaration and one pure function `(inputs, ambient) -> outputs` each.
//!
//! Must never do I/O of any kind, read a clock, or call another card.
//! Tests: `tests/specification.rs` for all cards; properties beside each family.

#![warn(missing_docs)]

mod call;
mod data;
mod date;
mod function;
mod limits;
mod list;
mod logic;
mod number;
mod object;
mod path;
pub mod reference;
mod secure;
mod text;
mod value;

use std::collections::HashMap;
use std::sync::Arc;

use flowdeck_model::{Ambient, CardDecl, CardName, Fault, FaultCode, Fields};

pub use function::{Decision, Example, Function, Outcome};

use call::Call;

/// All function cards, found by name.
#[derive(Debug, Clone)]
pub struct Functions {
    order: Arc<[Function]>,
    index: Arc<HashMap<CardName, usize>>,
}

impl Default for Functions {
    fn default() -> Self {
        Self::new()
    }
}

impl Functions {
    /// The built-in function cards. Build it once and share it: clones are cheap.
    #[must_use]
    pub fn new() -> Self {
        let families = [
            text::cards(),
            number::cards(),
            logic::cards(),
            date::cards(),
            list::cards(),
            object::cards(),
            data::cards(),
            secure::cards(),
            logic::control(),
        ];
        let order: Arc<[Function]> = families.into_iter().flatten().map(function::Card::build).collect();
        let index = order.iter().enumerate().map(|(i, f)| (f.decl.name.clone(), i)).collect();
        Self { order, index: Arc::new(index) }
    }

    fn find(&self, name: &CardName) -> Option<&Function> {
        self.index.get(name).and_then(|&i| self.order.get(i))
    }

    /// Whether there is a card of this name.
    #[must_use]
    pub fn has(&self, name: &CardName) -> bool {
        self.index.contains_key(name)
    }

    /// The declaration of a card.
    #[must_use]
    pub fn card(&self, name: &CardName) -> Option<Arc<CardDecl>> {
        self.find(name).map(|f| f.decl.clone())
    }

    /// All declarations, family by family.
    #[must_use]
    pub fn cards(&self) -> Vec<Arc<CardDecl>> {
        self.order.iter().map(|f| f.decl.clone()).collect()
    }

    /// A card with its examples and decisions.
    #[must_use]
    pub fn function(&self, name: &CardName) -> Option<&Function> {
        self.find(name)
    }

    /// All cards with their examples and decisions, family by family.
    #[must_use]
    pub fn all(&self) -> &[Function] {
        &self.order
    }

    /// Computes a card. Inputs are expected as its declaration says (defaults filled in, values converted); values of
    /// other types are read tolerantly or answered with a fault.
    ///
    /// # Errors
    /// The card's fault; `unknown-card` where there is none of this name.
    pub fn evaluate(&self, name: &CardName, inputs: Fields, ambient: &Ambient) -> Result<Fields, Fault> {
        let Some(function) = self.find(name) else {
            return Err(Fault::new(FaultCode::UnknownCard, format!("there is no function card `{name}`"))
                .remedy("`flowdeck cards` lists all cards"));
        };
        (function.eval)(&mut Call::new(&function.decl, inputs, ambient))
    }
}
