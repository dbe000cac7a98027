//! The cards of our own tables: they turn inputs into a table operation, which the driver carries out.
//!
//! Must never touch a store.
//! Tests: below; the operations in `flowdeck-engine`.

use std::sync::Arc;

use flowdeck_model::table::{Compare, CsvExport, TableOp, Where};
use flowdeck_model::{
    CardDecl, CardName, CardRole, EffectClass, Fault, FieldDecl, FieldType, Fields, TableName, Value,
};
use serde_json::Map;

use crate::sheet;

/// The family of the cards.
pub(crate) const FAMILY: &str = "tables";
/// Most rows a search answers, as in Okta.
const ROWS_MAX: u64 = 3500;

fn field(key: &str, kind: FieldType, required: bool, help: &str) -> FieldDecl {
    FieldDecl { required, help: help.into(), ..FieldDecl::new(key, kind) }
}

fn card(
    operation: &str,
    title: &str,
    summary: &str,
    inputs: Vec<FieldDecl>,
    outputs: Vec<FieldDecl>,
) -> Option<Arc<CardDecl>> {
    let name = CardName::new(&format!("{FAMILY}/{operation}")).ok()?;
    let mut decl = CardDecl::function(name, title, summary);
    decl.role = CardRole::Action;
    decl.effect = EffectClass::Table;
    decl.inputs = vec![field("table", FieldType::Text, true, "Name of the table.")];
    decl.inputs.extend(inputs);
    decl.outputs = outputs;
    Some(Arc::new(decl))
}

/// The declarations in order.
pub(crate) fn declarations() -> Vec<Arc<CardDecl>> {
    use FieldType as T;
    let row_id = || field("Row ID", T::Text, true, "The row's id.");
    let values = || field("values", T::object(), true, "Column names and values.");
    let filter = || {
        field(
            "where",
            T::Any,
            false,
            "An object of column values, or a list of {column, compare, value}, {any: […]} and {not: …}; all must hold.",
        )
    };
    let row = || vec![FieldDecl::new("Row ID", T::Text), FieldDecl::new("row", T::object())];
    let count = || vec![FieldDecl::new("count", T::Number)];
    [
        card(
            "search",
            "Search rows",
            "Finds rows of a table.",
            vec![
                filter(),
                field("sort", T::Text, false, "Column to sort by; insertion order without one."),
                field("descending", T::Boolean, false, "From the largest to the smallest."),
                field("offset", T::Number, false, "Rows to pass over."),
                field("limit", T::Number, false, "Most rows, 3,500 at most."),
            ],
            vec![FieldDecl::new("rows", T::object().list()), FieldDecl::new("count", T::Number)],
        ),
        card("create", "Create row", "Adds a row.", vec![values()], row()),
        card("read", "Read row", "Reads a row by its id.", vec![row_id()], row()),
        card(
            "update",
            "Update row",
            "Changes columns of a row.",
            vec![
                row_id(),
                values(),
                field("expected_version", T::Number, false, "Refuse unless the row is at this version."),
            ],
            row(),
        ),
        card(
            "upsert",
            "Create or update row",
            "Changes the row with these key values, or adds it.",
            vec![field("key", T::object(), true, "Key columns and their values."), values()],
            vec![
                FieldDecl::new("Row ID", T::Text),
                FieldDecl::new("row", T::object()),
                FieldDecl::new("created", T::Boolean),
            ],
        ),
        card(
            "increment",
            "Add to a column",
            "Adds a number to a column of a row.",
            vec![
                row_id(),
                field("column", T::Text, true, "The column."),
                field("by", T::Number, false, "What to add; 1 where empty."),
            ],
            row(),
        ),
        card(
            "delete",
            "Delete rows",
            "Removes rows.",
            vec![field("Row ID", T::Text, false, "One row's id."), filter()],
            count(),
        ),
        card("clear", "Clear table", "Removes every row.", vec![], count()),
        card(
            "import_csv",
            "Import CSV",
            "Fills a table from CSV text with a header line.",
            vec![
                field("csv", T::Any, true, "The CSV text, or a file with it."),
                field("replace", T::Boolean, false, "Replace what is there."),
                field("delimiter", T::Text, false, "What stands between cells; a comma where empty."),
                field("select", T::Text.list(), false, "Which columns of the text; all where empty."),
                field("mapping", T::object(), false, "Names in the text to names of columns."),
            ],
            count(),
        ),
        card(
            "export_csv",
            "Export CSV",
            "Rows as CSV text with a header line, and as a file.",
            vec![
                filter(),
                field("columns", T::Text.list(), false, "Which columns, in this order; all where empty."),
                field("delimiter", T::Text, false, "What stands between cells; a comma where empty."),
                field("offset", T::Number, false, "Rows to pass over."),
                field("limit", T::Number, false, "Most rows; all where empty or 0."),
                field("filename", T::Text, false, "The name of the file; the table's where empty."),
            ],
            vec![FieldDecl::new("csv", T::Text), FieldDecl::new("count", T::Number), FieldDecl::new("file", T::File)],
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The operation that a card with these inputs means.
pub(crate) fn operation(card: &CardName, inputs: &Fields) -> Result<TableOp, Fault> {
    let table = TableName::new(inputs.get("table").as_str().unwrap_or(""))
        .map_err(|e| Fault::bad_input(format!("table: {e}")))?;
    let row = || text(inputs, "Row ID");
    Ok(match card.operation() {
        "search" => TableOp::Search {
            table,
            filter: filter(inputs.get("where"))?,
            sort: inputs.get("sort").as_str().filter(|s| !s.is_empty()).map(str::to_owned),
            descending: inputs.get("descending") == &Value::Bool(true),
            offset: whole(inputs, "offset")?.unwrap_or(0),
            limit: whole(inputs, "limit")?.filter(|n| *n > 0).unwrap_or(ROWS_MAX).min(ROWS_MAX),
        },
        "create" => TableOp::Create { table, values: object(inputs, "values")? },
        "read" => TableOp::Read { table, row: row()? },
        "update" => TableOp::Update {
            table,
            row: row()?,
            values: object(inputs, "values")?,
            expected_version: whole(inputs, "expected_version")?,
        },
        "upsert" => TableOp::Upsert { table, key: object(inputs, "key")?, values: object(inputs, "values")? },
        "increment" => TableOp::Increment {
            table,
            row: row()?,
            column: text(inputs, "column")?,
            by: inputs.get("by").as_f64().unwrap_or(1.0),
        },
        "delete" => TableOp::Delete { table, filter: delete_filter(inputs)? },
        "clear" => TableOp::Clear { table },
        "import_csv" => TableOp::ImportCsv {
            table,
            csv: sheet::import_text(inputs)?,
            replace: inputs.get("replace") == &Value::Bool(true),
        },
        "export_csv" => TableOp::ExportCsv { table, how: export_how(inputs)? },
        other => return Err(Fault::bad_input(format!("there is no card tables/{other}"))),
    })
}

fn export_how(inputs: &Fields) -> Result<CsvExport, Fault> {
    let names = inputs.get("columns").as_array().map(Vec::as_slice).unwrap_or_default();
    Ok(CsvExport {
        filter: filter(inputs.get("where"))?,
        columns: names.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        delimiter: sheet::delimiter(inputs)?,
        offset: whole(inputs, "offset")?.unwrap_or(0),
        limit: whole(inputs, "limit")?.unwrap_or(0),
        filename: inputs.get("filename").as_str().unwrap_or_default().to_owned(),
    })
}

fn text(inputs: &Fields, key: &str) -> Result<String, Fault> {
    match inputs.get(key) {
        Value::String(s) if !s.is_empty() => Ok(s.clone()),
        _ => Err(Fault::bad_input(format!("`{key}` is empty"))),
    }
}

fn whole(inputs: &Fields, key: &str) -> Result<Option<u64>, Fault> {
    match inputs.get(key) {
        Value::Null => Ok(None),
        value => match value.as_f64() {
            Some(n) if n >= 0.0 && n.fract() == 0.0 && n < 9e15 => Ok(Some(n as u64)),
            _ => Err(Fault::bad_input(format!("`{key}` is not a whole number of 0 or more"))),
        },
    }
}

fn object(inputs: &Fields, key: &str) -> Result<Map<String, Value>, Fault> {
    match inputs.get(key) {
        Value::Object(map) => Ok(map.clone()),
        _ => Err(Fault::bad_input(format!("`{key}` is not an object of column names and values"))),
    }
}

/// A delete without any condition would be a clear by accident.
fn delete_filter(inputs: &Fields) -> Result<Where, Fault> {
    if let Value::String(id) = inputs.get("Row ID") {
        let column = "Row ID".to_owned();
        return Ok(Where::Test { column, compare: Compare::Equals, value: Value::String(id.clone()) });
    }
    match filter(inputs.get("where"))? {
        Where::All => {
            Err(Fault::bad_input("neither `Row ID` nor `where` says which rows")
                .remedy("use tables/clear to remove all"))
        }
        filter => Ok(filter),
    }
}

fn filter(value: &Value) -> Result<Where, Fault> {
    let wrong =
        || Fault::bad_input("`where` is neither an object of column values nor a list of {column, compare, value}");
    match value {
        Value::Null => Ok(Where::All),
        Value::Object(map) if map.is_empty() => Ok(Where::All),
        Value::Object(map) => Ok(Where::And(
            map.iter()
                .map(|(column, value)| Where::Test {
                    column: column.clone(),
                    compare: Compare::Equals,
                    value: value.clone(),
                })
                .collect(),
        )),
        Value::Array(tests) if tests.is_empty() => Ok(Where::All),
        Value::Array(tests) => all_of(tests, 0).map(Where::And),
        _ => Err(wrong()),
    }
}

/// Deepest nesting of `any` and `not`.
const NESTED_MAX: usize = 8;

/// Tests that must all hold. Among them `{any: […]}` holds where one of its entries does, an entry being a test, a list
/// of tests or an object of column values; `{not: …}` holds where such an entry does not.
fn all_of(tests: &[Value], depth: usize) -> Result<Vec<Where>, Fault> {
    if depth > NESTED_MAX {
        return Err(Fault::bad_input("`any` and `not` are nested too deep"));
    }
    let nested = |entry: &Value| match entry {
        Value::Array(tests) => all_of(tests, depth + 1).map(Where::And),
        Value::Object(map) if ["column", "any", "not"].iter().any(|key| map.contains_key(*key)) => {
            all_of(std::slice::from_ref(entry), depth + 1).map(Where::And)
        }
        entry => filter(entry),
    };
    let one = |entry: &Value| match (&entry["any"], &entry["not"]) {
        (Value::Array(entries), _) => entries.iter().map(nested).collect::<Result<_, Fault>>().map(Where::Or),
        (_, Value::Null) => test_of(entry),
        (_, entry) => nested(entry).map(|inner| Where::Not(Box::new(inner))),
    };
    tests.iter().map(one).collect()
}

fn test_of(test: &Value) -> Result<Where, Fault> {
    let wrong = || Fault::bad_input("an entry of `where` is neither {column, compare, value} nor {any: […]}");
    let column = test["column"].as_str().ok_or_else(wrong)?.to_owned();
    let compare = match &test["compare"] {
        Value::Null => Compare::Equals,
        word => serde_json::from_value(word.clone()).map_err(|_| {
            Fault::bad_input(format!("`{word}` is not a comparison"))
                .remedy("use equals, not_equals, less, less_or_equal, greater, greater_or_equal, contains, starts_with, in, empty or not_empty")
        })?,
    };
    Ok(Where::Test { column, compare, value: test["value"].clone() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(card: &str, inputs: Value) -> Result<TableOp, Fault> {
        operation(&CardName::new(card).unwrap(), &Fields::from_value(inputs))
    }

    #[test]
    fn any_of_several_tests() {
        let test = |column: &str| json!({"column": column, "value": 1});
        let tests = json!({"table": "t", "where": [test("a"), {"any": [test("b"), [test("c"), test("d")]]}]});
        let Ok(TableOp::Search { filter: Where::And(all), .. }) = check("tables/search", tests) else {
            panic!("no filter")
        };
        let Where::Or(any) = &all[1] else { panic!("not any: {all:?}") };
        assert!(matches!(&any[1], Where::And(both) if both.len() == 2), "{any:?}");
        let mut deep = test("a");
        (0..20).for_each(|_| deep = json!({ "any": [deep] }));
        assert!(check("tables/search", json!({"table": "t", "where": [deep]})).is_err());
    }

    #[test]
    fn every_declared_card_has_an_operation() {
        let inputs =
            json!({"table": "t", "Row ID": "r", "values": {"a": 1}, "key": {"a": 1}, "column": "a", "csv": "a\n1\n"});
        for decl in declarations() {
            assert!(check(decl.name.as_str(), inputs.clone()).is_ok(), "{}", decl.name);
        }
        assert_eq!(declarations().len(), 10);
    }

    #[test]
    fn a_delete_without_condition_is_refused() {
        assert!(check("tables/delete", json!({"table": "t"})).is_err());
        assert!(check("tables/delete", json!({"table": "t", "where": {}})).is_err());
        assert!(check("tables/delete", json!({"table": "t", "where": {"a": 1}})).is_ok());
    }

    #[test]
    fn tests_can_be_joined_by_or() {
        let test = |n: i32| json!([{"column": "a", "value": n}, {"column": "b", "value": n}]);
        let inputs = json!({"table": "t", "where": [{"any": [test(1), test(2)]}, {"not": {"c": 3}}]});
        let TableOp::Search { filter: Where::And(all), .. } = check("tables/search", inputs).unwrap() else { panic!() };
        assert!(matches!(&all[..], [Where::Or(any), Where::Not(_)] if any.len() == 2), "{all:?}");
    }

    #[test]
    fn comparisons_are_checked() {
        assert!(
            check("tables/search", json!({"table": "t", "where": [{"column": "a", "compare": "less", "value": 3}]}))
                .is_ok()
        );
        let fault =
            check("tables/search", json!({"table": "t", "where": [{"column": "a", "compare": "almost"}]})).unwrap_err();
        assert!(fault.message.contains("almost"));
        assert!(check("tables/search", json!({"table": "t", "limit": -1})).is_err());
    }
}
