//! Makes lists and changes their shape.
//!
//! Must never make a list beyond the limit.
//! Tests: the examples here.

use flowdeck_model::FieldType::Any;
use flowdeck_model::{Fault, FieldType, Fields, Value};
use rand::seq::index;
use serde_json::Map;

use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, value};

pub(super) fn cards() -> Vec<Card> {
    let list = |name, title, summary, eval| card(name, title, summary, eval).list("list", "", "The list.").required();
    let add = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .any("item", "", "The new item.")
            .list("list", "", "The list.")
            .required()
            .gives("list", "", Any.list(), "The longer list.")
    };
    vec![
        card("list/construct", "Construct", "Makes a list of values.", construct)
            .more(Any)
            .gives("list", "", Any.list(), "The values in order.")
            .help("Each input that you add is an item. Null items are kept.")
            .example(r#"{"a":"x","b":null,"c":3}"#, r#"{"list":["x",null,3]}"#)
            .example("{}", r#"{"list":[]}"#)
            .decided("Does List Construct keep null items?", "Yes."),
        add("list/push", "Add to End", "Adds an item at the end of a list.", push)
            .example(r#"{"item":3,"list":[1,2]}"#, r#"{"list":[1,2,3]}"#),
        add("list/unshift", "Add to Front", "Adds an item at the front of a list.", unshift)
            .example(r#"{"item":0,"list":[1,2]}"#, r#"{"list":[0,1,2]}"#),
        card("list/flatten", "Flatten", "Makes one list out of a list of lists.", flatten)
            .list("lists", "", "The list of lists.")
            .required()
            .gives("list", "", Any.list(), "The items of all lists, in order.")
            .help("One level only. Items that are no lists stay; null items are left out.")
            .example(r#"{"lists":[[1,2],[3,[4]],5,null]}"#, r#"{"list":[1,2,3,[4],5]}"#)
            .decided("How deep does Flatten go?", "One level."),
        list("list/collapse", "Collapse", "Makes one object out of a list of objects.", collapse)
            .gives("output", "", FieldType::object(), "All keys; the last value of a key wins.")
            .help("Objects that have exactly the keys `key` and `value` are taken as pairs, if all items are such.")
            .example(r#"{"list":[{"a":1},{"b":2},{"a":3}]}"#, r#"{"output":{"a":3,"b":2}}"#)
            .example(r#"{"list":[{"key":"a","value":1}]}"#, r#"{"output":{"a":1}}"#)
            .fails(r#"{"list":[1]}"#, "item 0 is the number 1")
            .decided(
                "Does Collapse take `{key, value}` objects as pairs?",
                "Yes, if all items have exactly these keys: it is the inverse of Split.",
            ),
        list("list/reverse", "Reverse", "Turns a list around.", reverse)
            .gives("list", "", Any.list(), "The items from last to first.")
            .example(r#"{"list":[1,2,3]}"#, r#"{"list":[3,2,1]}"#),
        list("list/slice", "Segment", "Takes a part out of a list.", slice)
            .number("start", "", "Position of the first item, from 0. Negative: counted from the end.")
            .number(
                "end",
                "end before",
                "Position after the last item; the end of the list where not set. Negative: counted from the end.",
            )
            .gives("list", "", Any.list(), "The part.")
            .example(r#"{"list":[1,2,3,4],"start":1,"end":3}"#, r#"{"list":[2,3]}"#)
            .example(r#"{"list":[1,2,3,4],"start":-2}"#, r#"{"list":[3,4]}"#),
        list("list/chunk", "Chunk", "Cuts a list into lists of one size.", chunk)
            .number("size", "", "Items of each part; at least 1.")
            .required()
            .gives("lists", "", Any.list().list(), "The parts; the last may be shorter.")
            .example(r#"{"list":[1,2,3,4,5],"size":2}"#, r#"{"lists":[[1,2],[3,4],[5]]}"#)
            .fails(r#"{"list":[1],"size":0}"#, "at least 1"),
        list("list/compact", "Filter Empty", "Takes empty items out of a list.", compact)
            .gives("list", "", Any.list(), "The items that are not null, `\"\"`, `[]` or `{}`.")
            .example(r#"{"list":[0,"",null,false,[],{},"a"]}"#, r#"{"list":[0,false,"a"]}"#),
        card("list/zip", "Zip", "Pairs the items of lists by position.", zip)
            .list("list1", "List 1", "The first list.")
            .required()
            .list("list2", "List 2", "The second list.")
            .required()
            .gives(
                "list",
                "",
                Any.list().list(),
                "A list `[item of 1, item of 2]` for each position; null where one is shorter.",
            )
            .example(r#"{"list1":[1,2],"list2":["a"]}"#, r#"{"list":[[1,"a"],[2,null]]}"#),
        card("list/range", "Range", "Makes a list of whole numbers.", range)
            .number("start", "", "The first number.")
            .or(0)
            .number("end", "end before", "The number before which it ends.")
            .required()
            .gives("list", "", FieldType::Number.list(), "The numbers, rising by 1.")
            .example(r#"{"start":2,"end":5}"#, r#"{"list":[2,3,4]}"#)
            .fails(r#"{"end":1e12}"#, "more than 1000000 items"),
        list("list/sample", "Sample", "Takes random items out of a list.", sample)
            .number("amount", "", "How many items.")
            .required()
            .gives("samples", "", Any.list(), "The items, each place at most once, in the order of the list.")
            .observes()
            .example(r#"{"list":[1,2,3],"amount":10}"#, r#"{"samples":[1,2,3]}"#)
            .example(r#"{"list":[1,2,3],"amount":0}"#, r#"{"samples":[]}"#)
            .decided("What does Sample do if the amount is larger than the list?", "It gives all items.")
            .decided("In which order are the items of Sample?", "In the order of the list."),
        list("list/shuffle", "Shuffle", "Puts the items of a list in random order.", shuffle)
            .gives("list", "", Any.list(), "All items.")
            .observes()
            .example(r#"{"list":[1]}"#, r#"{"list":[1]}"#),
    ]
}

fn construct(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let items = std::mem::take(&mut call.inputs).into_iter().map(|(_, v)| std::sync::Arc::unwrap_or_clone(v));
    Ok(Fields::one("list", items.collect::<Vec<_>>()))
}

fn push(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut list = call.take_list("list")?;
    limits::items(list.len() + 1)?;
    list.push(call.inputs.take("item"));
    Ok(Fields::one("list", list))
}

fn unshift(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut list = call.take_list("list")?;
    limits::items(list.len() + 1)?;
    list.insert(0, call.inputs.take("item"));
    Ok(Fields::one("list", list))
}

fn flatten(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut out = Vec::new();
    for item in call.take_list("lists")? {
        match item {
            Value::Array(list) => out.extend(list),
            Value::Null => {}
            other => out.push(other),
        }
        limits::items(out.len())?;
    }
    Ok(Fields::one("list", out))
}

fn is_pair(item: &Value) -> bool {
    item.as_object()
        .is_some_and(|o| o.len() == 2 && o.contains_key("value") && o.get("key").is_some_and(Value::is_string))
}

fn collapse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let list = call.take_list("list")?;
    let pairs = !list.is_empty() && list.iter().all(is_pair);
    let mut out = Map::new();
    for (i, item) in list.into_iter().enumerate() {
        match item {
            Value::Object(mut pair) if pairs => {
                let key = pair.get("key").map(|k| value::text(k).into_owned()).unwrap_or_default();
                out.insert(key, pair.remove("value").unwrap_or_default());
            }
            Value::Object(map) => out.extend(map),
            Value::Null => {}
            other => return Err(Fault::bad_input(format!("item {i} is {}, not an object", value::word(&other)))),
        }
    }
    Ok(Fields::one("output", out))
}

fn reverse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut list = call.take_list("list")?;
    list.reverse();
    Ok(Fields::one("list", list))
}

fn slice(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let size = call.list("list")?.len();
    let place = |position: i64| {
        let size = i64::try_from(size).unwrap_or(i64::MAX);
        let at = if position < 0 { size + position } else { position };
        usize::try_from(at.clamp(0, size)).unwrap_or(0)
    };
    let start = place(call.whole("start")?.unwrap_or(0));
    let end = call.whole("end")?.map_or(size, place);
    let part = call.list("list")?.get(start..end).unwrap_or_default();
    Ok(Fields::one("list", part.to_vec()))
}

fn chunk(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let size = call.some_number("size")?;
    if size < 1.0 {
        return Err(Fault::bad_input("`size` must be at least 1"));
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let size = size.min(1e9) as usize;
    let parts: Vec<Value> = call.list("list")?.chunks(size).map(|part| Value::Array(part.to_vec())).collect();
    Ok(Fields::one("lists", parts))
}

fn compact(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut list = call.take_list("list")?;
    list.retain(|item| !value::is_empty(item));
    Ok(Fields::one("list", list))
}

fn zip(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (a, b) = (call.list("list1")?, call.list("list2")?);
    let get = |list: &[Value], i: usize| list.get(i).cloned().unwrap_or_default();
    let pairs = (0..a.len().max(b.len())).map(|i| Value::Array(vec![get(a, i), get(b, i)]));
    Ok(Fields::one("list", pairs.collect::<Vec<_>>()))
}

fn range(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let start = call.whole("start")?.unwrap_or(0);
    let end = call.whole("end")?.ok_or_else(|| call.missing("end"))?;
    limits::items(usize::try_from(end.saturating_sub(start).max(0)).unwrap_or(usize::MAX))?;
    Ok(Fields::one("list", (start..end).map(Value::from).collect::<Vec<_>>()))
}

fn sample(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let amount = usize::try_from(call.whole("amount")?.unwrap_or(0).max(0)).unwrap_or(usize::MAX);
    let list = call.list("list")?;
    let mut places = index::sample(&mut call.random(), list.len(), amount.min(list.len())).into_vec();
    places.sort_unstable();
    Ok(Fields::one("samples", places.into_iter().filter_map(|i| list.get(i).cloned()).collect::<Vec<_>>()))
}

fn shuffle(call: &mut Call<'_>) -> Result<Fields, Fault> {
    use rand::seq::SliceRandom;
    let mut list = call.take_list("list")?;
    list.shuffle(&mut call.random());
    Ok(Fields::one("list", list))
}
