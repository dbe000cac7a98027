//! Chooses items of lists: filter, find, sort, group.
//!
//! Must never run a helper: those cards belong to the engine.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Any, Number, Text};
use flowdeck_model::{Fault, FieldType, Fields, Value};
use serde_json::Map;

use crate::call::Call;
use crate::function::{Card, card};
use crate::logic::compare::{self, LIST_OPERATORS};
use crate::{path, value};

pub(super) fn cards() -> Vec<Card> {
    let by = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .list("list", "", "The list.")
            .required()
            .text("operator", "", "How the values are compared.")
            .required()
            .or("==")
            .choices(LIST_OPERATORS)
            .text("path", "", "The path of the value in each item. Empty: the item itself.")
            .or("")
            .any("comparison", "", "The value to compare with.")
            .help(compare::HELP)
    };
    vec![
        by("list/filterBy", "Filter", "Keeps the items whose value at a path compares.", filter_by)
            .gives("list", "", Any.list(), "The items kept, in order.")
            .example(r#"{"list":[{"type":"folder"},{"type":"file"}],"operator":"==","path":"type","comparison":"folder"}"#, r#"{"list":[{"type":"folder"}]}"#)
            .example(r#"{"list":["a","","b",null],"operator":"is not empty"}"#, r#"{"list":["a","b"]}"#)
            .example(r#"{"list":[{"t":"x"},{"t":"y"}],"operator":"in","path":"t","comparison":["y","z"]}"#, r#"{"list":[{"t":"y"}]}"#),
        by("list/findBy", "Find", "Finds the first item whose value at a path compares.", find_by)
            .gives("item", "", Any, "The item, or null where there is none.")
            .gives("index", "", Number, "Its position from 0, or -1.")
            .example(r#"{"list":[{"k":"sms"},{"k":"push","n":1}],"operator":"==","path":"k","comparison":"push"}"#, r#"{"item":{"k":"push","n":1},"index":1}"#)
            .example(r#"{"list":[],"operator":"==","comparison":"x"}"#, r#"{"item":null,"index":-1}"#)
            .example(r#"{"list":[{},{"a":1}],"operator":"!=","path":"a","comparison":"null"}"#, r#"{"item":{"a":1},"index":1}"#)
            .decided("Does Find treat a missing value as the text `null`?", "Yes: `!=` `null` finds the first item that has a value."),
        card("list/sortBy", "Sort", "Sorts a list by the value at a path.", sort_by)
            .list("list", "", "The list.").required()
            .text("path", "", "The path of the value in each item. Empty: the item itself.").or("")
            .text("direction", "", "Rising or falling.").or("ascending").choices(&["ascending", "descending"])
            .gives("sorted list", "", Any.list(), "The items in order; equal ones keep their order.")
            .help("Null and missing values come first, then false and true, numbers, texts (by character), lists, objects.")
            .example(r#"{"list":[{"n":10},{"n":9},{}],"path":"n"}"#, r#"{"sorted list":[{},{"n":9},{"n":10}]}"#)
            .example(r#"{"list":["b","A","a"],"direction":"descending"}"#, r#"{"sorted list":["b","a","A"]}"#)
            .decided("How does Sort order mixed types and nulls?", "Null first, then true/false, numbers, texts, lists, objects; each kind among itself."),
        card("list/groupBy", "Group By", "Groups the items of a list by the value at a path.", group_by)
            .list("list", "", "The list.").required()
            .text("path", "", "The path of the value in each item.").required()
            .gives("output", "", FieldType::object(), "A list of items for each value; the value's text is the key.")
            .example(r#"{"list":[{"d":"IT","n":1},{"d":"HR"},{"d":"IT","n":2}],"path":"d"}"#, r#"{"output":{"IT":[{"d":"IT","n":1},{"d":"IT","n":2}],"HR":[{"d":"HR"}]}}"#),
        card("list/indexBy", "Index By", "Makes an object of a list's items, by the value at a path.", index_by)
            .list("list", "", "The list.").required()
            .text("path", "", "The path of the value in each item.").required()
            .gives("output", "", FieldType::object(), "The last item of each value; the value's text is the key.")
            .example(r#"{"list":[{"id":1,"n":"a"},{"id":2},{"id":1,"n":"b"}],"path":"id"}"#, r#"{"output":{"1":{"id":1,"n":"b"},"2":{"id":2}}}"#),
        card("list/countBy", "Count By", "Counts the items of a list by the value at a path.", count_by)
            .list("list", "", "The list.").required()
            .text("path", "", "The path of the value in each item. Empty: the item itself.").or("")
            .gives("output", "", FieldType::object(), "The number of items for each value.")
            .example(r#"{"list":["a","b","a"]}"#, r#"{"output":{"a":2,"b":1}}"#),
        card("list/join", "List to Text", "Writes the items of a list into one text.", join)
            .list("list", "", "The list.").required()
            .text("delimiter", "separator", "What stands between the items.").or(",")
            .gives("string", "text", Text, "The text.")
            .help("Null items are empty; lists and objects are JSON. `\\n` and `\\t` written as two characters stand for a line end and a tab.")
            .example(r#"{"list":["a",1,null,true],"delimiter":"; "}"#, r#"{"string":"a; 1; ; true"}"#)
            .example(r#"{"list":["a","b"],"delimiter":""}"#, r#"{"string":"ab"}"#)
            .example(r#"{"list":["a","b"],"delimiter":"\\n"}"#, r#"{"string":"a\nb"}"#)
            .decided("What does a separator of the two characters `\\n` mean in List to Text?", "A line end; `\\t` a tab. Authors write it that way."),
    ]
}

fn at<'v>(item: &'v Value, path: &str) -> &'v Value {
    path::get(item, path).unwrap_or(&Value::Null)
}

fn filter_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (operator, path) = (call.text("operator").into_owned(), call.text("path").into_owned());
    let comparison = call.shared("comparison");
    let mut list = call.take_list("list")?;
    let mut fault = None;
    list.retain(|item| {
        compare::holds(at(item, &path), &operator, &comparison).unwrap_or_else(|f| {
            fault = Some(f);
            false
        })
    });
    fault.map_or_else(|| Ok(Fields::one("list", list)), Err)
}

fn find_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (operator, path) = (call.text("operator"), call.text("path"));
    let comparison = call.any("comparison");
    let mut out = Fields::new();
    for (i, item) in call.list("list")?.iter().enumerate() {
        if compare::holds(at(item, &path), &operator, comparison)? {
            out.set("item", item.clone());
            out.set("index", value::of_count(i));
            return Ok(out);
        }
    }
    out.set("item", Value::Null);
    out.set("index", -1);
    Ok(out)
}

fn sort_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path").into_owned();
    let falling = call.text("direction") == "descending";
    let mut list = call.take_list("list")?;
    list.sort_by(|a, b| {
        let order = value::order(at(a, &path), at(b, &path));
        if falling { order.reverse() } else { order }
    });
    Ok(Fields::one("sorted list", list))
}

fn group_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path").into_owned();
    let mut groups = Map::new();
    for item in call.take_list("list")? {
        let key = value::text(at(&item, &path)).into_owned();
        if let Value::Array(group) = groups.entry(key).or_insert_with(|| Value::Array(Vec::new())) {
            group.push(item);
        }
    }
    Ok(Fields::one("output", groups))
}

fn index_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path").into_owned();
    let items = call.take_list("list")?.into_iter().map(|item| (value::text(at(&item, &path)).into_owned(), item));
    Ok(Fields::one("output", items.collect::<Map<_, _>>()))
}

fn count_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path");
    let mut counts: Map<String, Value> = Map::new();
    for item in call.list("list")? {
        let count = counts.entry(value::text(at(item, &path))).or_insert(Value::from(0));
        *count = Value::from(count.as_u64().unwrap_or(0) + 1);
    }
    Ok(Fields::one("output", counts))
}

fn join(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let delimiter = call.text("delimiter").replace("\\n", "\n").replace("\\t", "\t");
    let mut out = String::new();
    for (i, item) in call.list("list")?.iter().enumerate() {
        if i > 0 {
            out.push_str(&delimiter);
        }
        out.push_str(&value::text(item));
        crate::limits::text(out.len())?;
    }
    Ok(Fields::one("string", out))
}
