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
            .decided("What does Pluck do with an empty key?", "It gives the items themselves.")
            .decided(
                "What is a single value in a field for a list, here and in all cards?",
                "A list of one, if it is of the kind that the list holds; empty text is none.",
            ),
        card("list/length", "Length", "Counts the items of a list.", length)
            .list("list", "", "The list.")
            .required()
            .gives("length", "", Number, "How many items it has.")
            .example(r#"{"list":[1,2,3]}"#, r#"{"length":3}"#)
            .example(r#"{"list":null}"#, r#"{"length":0}"#),
        card("list/at", "At", "Takes the item at a position.", at)
            .list("list", "", "The list.")
            .required()
            .number("index", "", "The position, from 0. Negative: counted from the end.")
            .or(0)
            .gives("item", "", Any, "The item.")
            .example(r#"{"list":["a","b"],"index":1}"#, r#"{"item":"b"}"#)
            .example(r#"{"list":["a","b"],"index":-1}"#, r#"{"item":"b"}"#)
            .fails(r#"{"list":["a"],"index":3}"#, "Array index out of bounds")
            .decided(
                "What does a negative position of At mean?",
                "It counts from the end; beyond the start is an error.",
            ),
        end("list/shift", "Get First Item", "Takes the first item off a list.", shift)
            .example(r#"{"list":[1,2,3]}"#, r#"{"item":1,"list":[2,3]}"#)
            .example(r#"{"list":[]}"#, r#"{"item":null,"list":[]}"#),
        end("list/pop", "Get Last Item", "Takes the last item off a list.", pop)
            .example(r#"{"list":[1,2,3]}"#, r#"{"item":3,"list":[1,2]}"#)
            .example(r#"{"list":null}"#, r#"{"item":null,"list":[]}"#),
    ]
}

fn end(name: &str, title: &str, summary: &str, eval: crate::function::Eval) -> Card {
    card(name, title, summary, eval)
        .list("list", "", "The list.")
        .required()
        .gives("list", "", Any.list(), "The other items.")
        .gives("item", "", Any, "The item taken; null from an empty list.")
}

fn at(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let list = call.list("list")?;
    let index = call.whole("index")?.unwrap_or(0);
    let place = if index < 0 { index + i64::try_from(list.len()).unwrap_or(i64::MAX) } else { index };
    let item = usize::try_from(place).ok().and_then(|i| list.get(i)).ok_or_else(|| {
        Fault::bad_input(format!("Array index out of bounds: position {index} of a list of {}", list.len()))
            .remedy("check the list's length first")
    })?;
    Ok(Fields::one("item", item.clone()))
}

fn taken(item: Option<Value>, list: Vec<Value>) -> Fields {
    let mut out = Fields::one("list", list);
    out.set("item", item.unwrap_or_default());
    out
}

fn shift(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut list = call.take_list("list")?;
    let item = (!list.is_empty()).then(|| list.remove(0));
    Ok(taken(item, list))
}

fn pop(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut list = call.take_list("list")?;
    let item = list.pop();
    Ok(taken(item, list))
}

fn pluck(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let key = call.text("key");
    let values = call.list("list")?.iter().map(|item| path::get(item, &key).cloned().unwrap_or(Value::Null));
    Ok(Fields::one("values", values.collect::<Vec<_>>()))
}

fn length(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("length", crate::value::of_count(call.list("list")?.len())))
}
