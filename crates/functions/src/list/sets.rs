//! Lists as sets, and lists put together.
//!
//! Must never compare every item with every other: sets go by identity.
//! Tests: the examples here.

use std::collections::HashSet;

use flowdeck_model::FieldType::{Any, Boolean};
use flowdeck_model::{Fault, Fields, Value};

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, path, value};

const EQUALITY: &str =
    "Items are equal if their contents are: 1 and 1.0 are equal, 1 and `\"1\"` are not; objects are compared deeply.";

pub(super) fn cards() -> Vec<Card> {
    let two = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .list("list1", "List 1", "The first list.")
            .required()
            .list("list2", "List 2", "The second list.")
            .required()
            .more(Any.list())
    };
    vec![
        two("list/concat", "Combine All", "Puts lists one after the other.", concat)
            .gives("output", "", Any.list(), "All items; duplicates are kept.")
            .example(r#"{"list1":[1,2],"list2":[2],"third":[3]}"#, r#"{"output":[1,2,2,3]}"#),
        two("list/union", "Union (Combine Unique)", "Puts lists together without duplicates.", union)
            .gives("union", "", Any.list(), "Each item once, in the order of first sight.")
            .help(EQUALITY)
            .example(r#"{"list1":[1,2,1],"list2":[2,3]}"#, r#"{"union":[1,2,3]}"#)
            .example(r#"{"list1":[{"a":1,"b":2}],"list2":[{"b":2,"a":1}]}"#, r#"{"union":[{"a":1,"b":2}]}"#)
            .decided(
                "When are two objects in lists equal?",
                "When their contents are; the order of keys does not matter.",
            ),
        two("list/intersection", "Intersection", "Takes the items that are in all lists.", intersection)
            .gives("list", "", Any.list(), "Each such item once, in the order of the first list.")
            .help(EQUALITY)
            .example(r#"{"list1":[1,2,2,3],"list2":[3,2]}"#, r#"{"list":[2,3]}"#),
        two(
            "list/difference",
            "Difference",
            "Takes the items of the first list that are in none of the others.",
            difference,
        )
        .gives("list", "", Any.list(), "Each such item once, in order.")
        .help(EQUALITY)
        .example(r#"{"list1":[1,2,2,3,1],"list2":[3]}"#, r#"{"list":[1,2]}"#)
        .example(r#"{"list1":["a"],"list2":null}"#, r#"{"list":["a"]}"#),
        card(
            "list/uniqueBy",
            "Remove Duplicates",
            "Keeps the first of all items with the same value at a path.",
            unique_by,
        )
        .list("list", "List", "The list.")
        .required()
        .text("path", "Path", "The path of the value that must differ. Empty: the items themselves.")
        .or("")
        .gives("unique list", "", Any.list(), "The first item of each value, in order.")
        .example(
            r#"{"list":[{"id":1,"n":"a"},{"id":1,"n":"b"},{"id":2}],"path":"id"}"#,
            r#"{"unique list":[{"id":1,"n":"a"},{"id":2}]}"#,
        )
        .example(r#"{"list":[1,1,2]}"#, r#"{"unique list":[1,2]}"#),
        card("list/includes", "Includes", "Tells whether a value is in a list.", includes)
            .list("list", "", "The list.")
            .required()
            .any("value", "", "The value to look for.")
            .gives("result", "", Boolean, "Whether it is there.")
            .help("Compared loosely, as by Compare's `==`: the text `1` is found in a list of numbers.")
            .example(r#"{"list":["CREATED","ACTIVE"],"value":"ACTIVE"}"#, r#"{"result":true}"#)
            .example(r#"{"list":[1,2],"value":"2"}"#, r#"{"result":true}"#)
            .example(r#"{"list":[],"value":null}"#, r#"{"result":false}"#)
            .decided("Does Includes find the text `1` among numbers?", "Yes: its value field is text in Okta."),
    ]
}

fn lists<'c>(call: &'c Call<'_>) -> Result<Vec<&'c [Value]>, Fault> {
    let one = |(key, given): (&str, &'c Value)| match given {
        Value::Array(list) => Ok(list.as_slice()),
        Value::Null => Ok(&[] as &[Value]),
        _ => Err(call.wrong(key, "a list")),
    };
    let lists = call.and_more(&["list1", "list2"]).map(one).collect::<Result<Vec<_>, _>>()?;
    limits::items(lists.iter().map(|l| l.len()).sum())?;
    Ok(lists)
}

fn concat(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", lists(call)?.concat()))
}

fn unique<'v>(items: impl Iterator<Item = &'v Value>) -> Vec<Value> {
    let mut seen = HashSet::new();
    items.filter(|item| seen.insert(value::identity(item))).cloned().collect()
}

fn union(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("union", unique(lists(call)?.into_iter().flatten())))
}

fn identities(list: &[Value]) -> HashSet<String> {
    list.iter().map(value::identity).collect()
}

fn intersection(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let lists = lists(call)?;
    let others: Vec<_> = lists.iter().skip(1).map(|l| identities(l)).collect();
    let common = lists[0].iter().filter(|item| {
        let id = value::identity(item);
        others.iter().all(|o| o.contains(&id))
    });
    Ok(Fields::one("list", unique(common)))
}

fn difference(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let lists = lists(call)?;
    let others: HashSet<String> = lists.iter().skip(1).flat_map(|l| l.iter().map(value::identity)).collect();
    Ok(Fields::one("list", unique(lists[0].iter().filter(|item| !others.contains(&value::identity(item))))))
}

fn unique_by(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let path = call.text("path").into_owned();
    let mut list = call.take_list("list")?;
    let mut seen = HashSet::new();
    list.retain(|item| seen.insert(value::identity(path::get(item, &path).unwrap_or(&Value::Null))));
    Ok(Fields::one("unique list", list))
}

fn includes(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let wanted = call.any("value");
    let found = call.list("list")?.iter().any(|item| crate::logic::compare::equal(item, wanted));
    Ok(Fields::one("result", found))
}
