//! Takes single items and values out of lists.
//!
//! Must never fail on an empty list where "nothing" is an answer.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Any, Number};
use flowdeck_model::{Fault, Fields, Value};

use crate::call::Call;
use crate::function::{Card, card};
use crate::path;

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("list/pluck", "Pluck", "Takes one value out of each object of a list.", pluck)
            .list("list", "", "A list of objects.")
            .required()
            .text("key", "", "The key, or a path such as `profile.email`. Empty: the items themselves.")
            .or("")
            .gives("values", "", Any.list(), "One value for each item, in order.")
            .example(r#"{"list":[{"id":1},{"id":2},{}],"key":"id"}"#, r#"{"values":[1,2,null]}"#)
            .example(r#"{"list":[{"Raw Output":{"a":1}}],"key":"Raw Output.a"}"#, r#"{"values":[1]}"#)
            .decided("What does Pluck give for an item without the key?", "Null, so that the list keeps its length.")
            .decided("What does Pluck do with an empty key?", "It gives the items themselves."),
        card("list/length", "Length", "Counts the items of a list.", length)
            .list("list", "", "The list.")
            .required()
            .gives("length", "", Number, "How many items it has.")
            .example(r#"{"list":[1,2,3]}"#, r#"{"length":3}"#)
            .example(r#"{"list":null}"#, r#"{"length":0}"#),
    ]
}

fn pluck(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let key = call.text("key");
    let values = call.list("list")?.iter().map(|item| path::get(item, &key).cloned().unwrap_or(Value::Null));
    Ok(Fields::one("values", values.collect::<Vec<_>>()))
}

fn length(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("length", crate::value::of_count(call.list("list")?.len())))
}
