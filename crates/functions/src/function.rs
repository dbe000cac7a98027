//! A function card: its declaration, its examples, what was decided about it, and the function itself.
//!
//! Must never hold state: the same inputs and ambient give the same outputs.
//! Tests: `tests/specification.rs` checks every card.

use std::sync::Arc;

use flowdeck_model::{CardDecl, CardName, EffectClass, Fault, FieldDecl, FieldType, Fields, Value};

use crate::call::Call;

/// The work of a card.
pub(crate) type Eval = fn(&mut Call<'_>) -> Result<Fields, Fault>;

/// How an example ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// These outputs, as a JSON object.
    Gives(&'static str),
    /// A fault whose message contains this.
    Fails(&'static str),
}

/// An example: shown in the reference and run as a test.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Example {
    /// The inputs, as a JSON object.
    pub inputs: &'static str,
    /// How it ends.
    pub outcome: Outcome,
}

/// Something that Okta's documents leave open, and what flowdeck does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// The question.
    pub question: &'static str,
    /// Our answer.
    pub answer: &'static str,
}

/// A function card.
#[derive(Debug, Clone)]
pub struct Function {
    pub(crate) decl: Arc<CardDecl>,
    pub(crate) eval: Eval,
    pub(crate) examples: Vec<Example>,
    pub(crate) decisions: Vec<Decision>,
}

impl Function {
    /// Its declaration.
    #[must_use]
    pub fn decl(&self) -> &Arc<CardDecl> {
        &self.decl
    }

    /// Its examples.
    #[must_use]
    pub fn examples(&self) -> &[Example] {
        &self.examples
    }

    /// What was decided about it.
    #[must_use]
    pub fn decisions(&self) -> &[Decision] {
        &self.decisions
    }
}

/// Builds one [`Function`]. What says something of a field speaks of the input added last.
#[derive(Debug)]
pub(crate) struct Card {
    decl: CardDecl,
    eval: Eval,
    examples: Vec<Example>,
    decisions: Vec<Decision>,
}

/// Begins the declaration of a card.
pub(crate) fn card(name: &str, title: &str, summary: &str, eval: Eval) -> Card {
    let name = CardName::new(name).expect("the names of our own cards follow the rule");
    Card { decl: CardDecl::function(name, title, summary), eval, examples: Vec::new(), decisions: Vec::new() }
}

impl Card {
    /// An optional input. An empty title means that the key is the label.
    pub(crate) fn input(mut self, key: &str, title: &str, kind: FieldType, help: &str) -> Self {
        let mut field = FieldDecl::new(key, kind);
        title.clone_into(&mut field.title);
        help.clone_into(&mut field.help);
        self.decl.inputs.push(field);
        self
    }

    pub(crate) fn text(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::Text, help)
    }

    pub(crate) fn number(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::Number, help)
    }

    pub(crate) fn boolean(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::Boolean, help)
    }

    pub(crate) fn date(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::Date, help)
    }

    pub(crate) fn list(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::Any.list(), help)
    }

    pub(crate) fn object(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::object(), help)
    }

    pub(crate) fn any(self, key: &str, title: &str, help: &str) -> Self {
        self.input(key, title, FieldType::Any, help)
    }

    fn last(mut self, change: impl FnOnce(&mut FieldDecl)) -> Self {
        change(self.decl.inputs.last_mut().expect("an input was added before"));
        self
    }

    /// The last input is required. An empty text, list or object stands in for null, as in Okta.
    pub(crate) fn required(self) -> Self {
        self.last(|field| {
            field.required = true;
            field.default = match &field.kind {
                FieldType::Text => Some("".into()),
                FieldType::List(_) => Some(Value::Array(Vec::new())),
                FieldType::Object(_) => Some(Value::Object(serde_json::Map::new())),
                _ => None,
            };
        })
    }

    /// The last input is this where nothing is mapped.
    pub(crate) fn or(self, default: impl Into<Value>) -> Self {
        self.last(|field| field.default = Some(default.into()))
    }

    pub(crate) fn choices(self, choices: &[&str]) -> Self {
        self.last(|field| field.choices = choices.iter().map(|&c| c.to_owned()).collect())
    }

    /// The last input must be redacted wherever it is shown.
    pub(crate) fn secret(self) -> Self {
        self.last(|field| field.secret = true)
    }

    /// What an Okta export calls the last input, where that differs: `Group.Key`.
    pub(crate) fn exported(self, key: &str) -> Self {
        self.last(|field| field.export_key = Some(key.to_owned()))
    }

    /// What an Okta export calls the last output.
    pub(crate) fn gives_exported(mut self, key: &str) -> Self {
        let field = self.decl.outputs.last_mut().expect("an output was added before");
        field.export_key = Some(key.to_owned());
        self
    }

    /// Inputs under names of the user.
    pub(crate) fn more(mut self, kind: FieldType) -> Self {
        self.decl.more_inputs = Some(kind);
        self
    }

    /// Outputs named by the user's inputs.
    pub(crate) fn more_outputs(mut self, kind: FieldType) -> Self {
        self.decl.more_outputs = Some(kind);
        self
    }

    pub(crate) fn gives(mut self, key: &str, title: &str, kind: FieldType, help: &str) -> Self {
        let mut field = FieldDecl::new(key, kind);
        title.clone_into(&mut field.title);
        help.clone_into(&mut field.help);
        self.decl.outputs.push(field);
        self
    }

    /// More about the card, as Markdown.
    pub(crate) fn help(mut self, help: &str) -> Self {
        help.clone_into(&mut self.decl.help);
        self
    }

    /// One more paragraph of help.
    pub(crate) fn note(mut self, help: &str) -> Self {
        let before = self.decl.help.trim_end().to_owned();
        self.decl.help = if before.is_empty() { help.to_owned() } else { format!("{before}\n\n{help}") };
        self
    }

    /// The card looks at the step's time or randomness.
    pub(crate) fn observes(mut self) -> Self {
        self.decl.effect = EffectClass::Observe;
        self
    }

    pub(crate) fn example(mut self, inputs: &'static str, outputs: &'static str) -> Self {
        self.examples.push(Example { inputs, outcome: Outcome::Gives(outputs) });
        self
    }

    pub(crate) fn fails(mut self, inputs: &'static str, message: &'static str) -> Self {
        self.examples.push(Example { inputs, outcome: Outcome::Fails(message) });
        self
    }

    pub(crate) fn decided(mut self, question: &'static str, answer: &'static str) -> Self {
        self.decisions.push(Decision { question, answer });
        self
    }

    pub(crate) fn build(self) -> Function {
        Function { decl: Arc::new(self.decl), eval: self.eval, examples: self.examples, decisions: self.decisions }
    }
}
