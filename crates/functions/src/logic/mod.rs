//! True/false cards and the flow-control cards that only shape data.
//!
//! Must never steer a flow: the engine does.
//! Tests: examples beside each card.

pub(crate) mod compare;

use flowdeck_model::FieldType::{Any, Boolean};
use flowdeck_model::{Fault, Fields};

use crate::call::Call;
use crate::function::{Card, card};
use crate::value;

/// The true/false cards.
pub(crate) fn cards() -> Vec<Card> {
    let many = |name, title, summary, eval, label: &'static str| {
        card(name, title, summary, eval)
            .boolean("a", "input 1", "A value.")
            .or(false)
            .boolean("b", "input 2", "Another value.")
            .or(false)
            .more(Boolean)
            .gives("output", label, Boolean, "The answer.")
    };
    vec![
        comparison(card("boolean/compare", "Compare", "Compares two values.", compare))
            .gives("result", "", Boolean, "Whether the comparison holds.")
            .help(compare::HELP)
            .example(r#"{"left-operand":"ACTIVE","operator":"==","right-operand":"ACTIVE"}"#, r#"{"result":true}"#)
            .example(r#"{"left-operand":"80","operator":">","right-operand":"9"}"#, r#"{"result":false}"#)
            .example(r#"{"left-operand":{},"operator":"is empty"}"#, r#"{"result":true}"#)
            .fails(r#"{"left-operand":1,"operator":"~","right-operand":2}"#, "must be one of")
            .decided("How are values of different types compared?", "Loosely: text with a number as numbers where the text is one, text with true/false by the words, null equals empty text and the text `null`, objects and lists with the text of their JSON.")
            .decided("What is empty?", "Null, `\"\"`, `[]` and `{}`. Not 0, false, white space or the text `{}`.")
            .decided("How are dates compared?", "Two ISO 8601 texts with a time are compared as instants, other texts alphabetically."),
        many("boolean/and", "And", "Tells whether all values are true.", and, "all true?")
            .example(r#"{"a":true,"b":true,"c":"true"}"#, r#"{"output":true}"#)
            .example(r#"{"a":true}"#, r#"{"output":false}"#),
        many("boolean/or", "Or", "Tells whether any value is true.", or, "any true?")
            .example(r#"{"a":false,"b":true}"#, r#"{"output":true}"#)
            .example(r#"{}"#, r#"{"output":false}"#),
        many("boolean/xor", "Or (Exclusive)", "Tells whether exactly one value is true.", xor, "only one true?")
            .example(r#"{"a":true,"b":false}"#, r#"{"output":true}"#)
            .example(r#"{"a":true,"b":true}"#, r#"{"output":false}"#),
        card("boolean/not", "Not", "Turns true into false and false into true.", not)
            .boolean("a", "input", "The value.").or(false)
            .gives("output", "", Boolean, "The opposite.")
            .example(r#"{"a":false}"#, r#"{"output":true}"#),
    ]
}

/// The flow-control cards.
pub(crate) fn control() -> Vec<Card> {
    vec![
        card("control/let", "Assign", "Names values, so that later cards can refer to them.", assign)
            .more(Any).more_outputs(Any)
            .help("Each input comes out under its own name.")
            .example(r#"{"domain":"acme.com","days":90}"#, r#"{"domain":"acme.com","days":90}"#),
        comparison(card("control/assignIf", "Assign If", "Chooses one of two values by a comparison.", assign_if))
            .any("valueIfTrue", "value if true", "The value where the comparison holds.")
            .any("valueIfFalse", "value if false", "The value where it does not.")
            .gives("output", "", Any, "The chosen value.")
            .help("Native flows write `assign_if` instead.").note(compare::HELP)
            .example(r#"{"left-operand":3,"operator":">","right-operand":2,"valueIfTrue":"more","valueIfFalse":"less"}"#, r#"{"output":"more"}"#),
        card("control/lookup", "Lookup", "Finds the value of an option by its exact text.", lookup)
            .text("key", "Value", "The text to look up.").required()
            .any("else", "", "The value where no option fits.")
            .more(Any)
            .gives("result", "", Any, "The option's value.")
            .help("Each input that you add is an option: its name is compared with the text. Native flows write `lookup` instead.")
            .example(r#"{"key":"US","US":"en","DE":"de","else":"en"}"#, r#"{"result":"en"}"#)
            .example(r#"{"key":"FR","US":"en"}"#, r#"{"result":null}"#)
            .decided("What does Lookup give where nothing fits and `else` is not set?", "Null."),
        card("control/noop", "Noop", "Does nothing.", nothing)
            .more(Any)
            .example("{}", "{}"),
        card("control/comment", "Comment", "Does nothing; it only says something to people.", nothing)
            .more(Any)
            .example("{}", "{}"),
    ]
}

fn comparison(card: Card) -> Card {
    card.any("left-operand", "value a", "The value on the left.")
        .text("operator", "comparison", "How the two are compared.")
        .required()
        .or("==")
        .choices(compare::OPERATORS)
        .any("right-operand", "value b", "The value on the right.")
}

fn compared(call: &Call<'_>) -> Result<bool, Fault> {
    compare::holds(call.any("left-operand"), &call.text("operator"), call.any("right-operand"))
}

fn compare(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("result", compared(call)?))
}

/// How many of the values are true, and how many there are.
fn count(call: &Call<'_>) -> (usize, usize) {
    let truths = call.and_more(&["a", "b"]).map(|(_, v)| value::boolean(v).unwrap_or(false));
    truths.fold((0, 0), |(yes, all), truth| (yes + usize::from(truth), all + 1))
}

fn and(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (yes, all) = count(call);
    Ok(Fields::one("output", yes == all))
}

fn or(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", count(call).0 > 0))
}

fn xor(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", count(call).0 == 1))
}

fn not(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", !call.boolean("a")?))
}

fn assign(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(std::mem::take(&mut call.inputs))
}

fn assign_if(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let key = if compared(call)? { "valueIfTrue" } else { "valueIfFalse" };
    let mut out = Fields::new();
    out.share("output", call.shared(key));
    Ok(out)
}

fn lookup(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let key = call.text("key");
    let found = call.more().find(|(name, _)| *name == key).map(|(_, value)| value.clone());
    let mut out = Fields::new();
    out.share("result", found.unwrap_or_else(|| call.shared("else")));
    Ok(out)
}

fn nothing(_: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::new())
}
