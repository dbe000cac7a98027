//! Tests of tables: each operation, races, CSV, limits, and a property against a plain list.
//!
//! Must never depend on order or time.
//! Tests: this is the test.

mod bounds;

use std::collections::BTreeMap;
use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use flowdeck_model::table::{Column, ColumnType, Compare, TableDecl, TableOp, Where};
use flowdeck_model::{FaultCode, Fields, Millis, TableName};
use parking_lot::Mutex;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::ports::store::{Delta, KeyValue, Op, Precondition, Scan, Space, Store, StoreError};

type Keys = BTreeMap<(Space, Vec<u8>), Vec<u8>>;

#[derive(Debug, Default)]
struct Fake(Mutex<Keys>);

#[async_trait]
impl Store for Fake {
    fn epoch(&self) -> u64 {
        1
    }

    async fn commit(&self, delta: Delta) -> Result<(), StoreError> {
        let mut pairs = self.0.lock();
        let holds = delta.preconditions.iter().all(|p| match p {
            Precondition::Absent { space, key } => !pairs.contains_key(&(*space, key.clone())),
            Precondition::Equals { space, key, value } => pairs.get(&(*space, key.clone())) == Some(value),
        });
        if !holds {
            return Err(StoreError::Conflict);
        }
        for op in delta.ops {
            match op {
                Op::Put { space, key, value } => pairs.insert((space, key), value),
                Op::Delete { space, key } => pairs.remove(&(space, key)),
            };
        }
        Ok(())
    }

    async fn get(&self, space: Space, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(self.0.lock().get(&(space, key.to_vec())).cloned())
    }

    async fn scan(&self, scan: Scan) -> Result<Vec<KeyValue>, StoreError> {
        let pairs = self.0.lock();
        let first = if scan.reverse { &scan.prefix } else { scan.after.as_ref().unwrap_or(&scan.prefix) };
        let found = pairs
            .range((scan.space, first.clone())..)
            .take_while(|((space, key), _)| *space == scan.space && key.starts_with(&scan.prefix))
            .filter(|((_, key), _)| scan.after.as_ref().is_none_or(|a| if scan.reverse { key < a } else { key > a }))
            .map(|((_, key), value)| (key.clone(), value.clone()));
        Ok(match scan.reverse {
            true => found.collect::<Vec<_>>().into_iter().rev().take(scan.limit).collect(),
            false => found.take(scan.limit).collect(),
        })
    }
}

/// The fake store never waits, so one poll is enough.
fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the fake store does not wait"),
    }
}

fn commit(store: &Fake, plan: TablePlan) -> Result<Fields, StoreError> {
    now(store.commit(Delta { epoch: 1, preconditions: plan.preconditions, ops: plan.ops })).map(|()| plan.outputs)
}

fn run(store: &Fake, op: &TableOp, at: i64) -> Result<Fields, flowdeck_model::Fault> {
    let refused = |error| match error {
        TableError::Fault(fault) => fault,
        TableError::Store(error) => panic!("{error}"),
    };
    now(plan(store, op, Millis(at), 7)).map_err(refused).map(|plan| commit(store, plan).unwrap())
}

fn name() -> TableName {
    TableName::new("People").unwrap()
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn column(name: &str, kind: ColumnType) -> Column {
    Column { name: name.into(), kind }
}

fn people() -> Fake {
    let store = Fake::default();
    let columns = vec![
        column("Name", ColumnType::Text),
        column("Age", ColumnType::Number),
        column("Active", ColumnType::Boolean),
        column("Since", ColumnType::Date),
        column("Tags", ColumnType::List),
    ];
    run(&store, &TableOp::Define(TableDecl { name: name(), columns }), 1).unwrap();
    store
}

fn create(store: &Fake, values: Value) -> String {
    let op = TableOp::Create { table: name(), values: map(values) };
    run(store, &op, 1000).unwrap().get("Row ID").as_str().unwrap().to_owned()
}

fn three() -> (Fake, Vec<String>) {
    let store = people();
    let rows = [
        json!({"Name": "Ada", "Age": 36, "Active": true, "Since": "2026-01-01", "Tags": ["x", 1]}),
        json!({"Name": "Bob", "Age": "9", "Active": "no", "Tags": []}),
        json!({"Name": "Cyd", "Age": null, "Since": "2025-06-01T00:00:00Z"}),
    ];
    let ids = rows.into_iter().map(|r| create(&store, r)).collect();
    (store, ids)
}

fn test(column: &str, compare: Compare, value: Value) -> Where {
    Where::Test { column: column.into(), compare, value }
}

fn search(store: &Fake, filter: Where, sort: Option<&str>, descending: bool, offset: u64, limit: u64) -> Vec<String> {
    let sort = sort.map(str::to_owned);
    let op = TableOp::Search { table: name(), filter, sort, descending, offset, limit };
    let outputs = run(store, &op, 2000).unwrap();
    let rows = outputs.get("rows").as_array().unwrap().clone();
    rows.iter().map(|r| r["Name"].as_str().unwrap_or("-").to_owned()).collect()
}

#[test]
fn filters_choose_rows() {
    use Compare as C;
    let (store, ids) = three();
    let table: Vec<(Where, &[&str])> = vec![
        (Where::All, &["Ada", "Bob", "Cyd"]),
        (test("Name", C::Equals, json!("Ada")), &["Ada"]),
        (test("Name", C::Equals, json!("ada")), &[]),
        (test("Name", C::NotEquals, json!("Ada")), &["Bob", "Cyd"]),
        (test("Name", C::StartsWith, json!("B")), &["Bob"]),
        (test("Name", C::Contains, json!("d")), &["Ada", "Cyd"]),
        (test("Age", C::Greater, json!("9")), &["Ada"]),
        (test("Age", C::GreaterOrEqual, json!(9.0)), &["Ada", "Bob"]),
        (test("Age", C::Less, json!(100)), &["Ada", "Bob"]),
        (test("Age", C::LessOrEqual, json!(9)), &["Bob"]),
        (test("Age", C::Equals, json!(null)), &["Cyd"]),
        (test("Age", C::Empty, json!(null)), &["Cyd"]),
        (test("Age", C::NotEmpty, json!(null)), &["Ada", "Bob"]),
        (test("Age", C::In, json!([9, "36"])), &["Ada", "Bob"]),
        (test("Active", C::Equals, json!("true")), &["Ada"]),
        (test("Since", C::Less, json!("2025-12-31")), &["Cyd"]),
        (test("Tags", C::Contains, json!(1.0)), &["Ada"]),
        (test("Tags", C::Empty, json!(null)), &["Bob", "Cyd"]),
        (test("Row ID", C::Equals, json!(ids[1])), &["Bob"]),
        (test("Created", C::Greater, json!("1970-01-02")), &[]),
        (Where::Not(Box::new(test("Name", C::Equals, json!("Ada")))), &["Bob", "Cyd"]),
        (Where::And(vec![test("Age", C::Greater, json!(1)), test("Active", C::Equals, json!(false))]), &["Bob"]),
        (Where::Or(vec![test("Age", C::Empty, json!(0)), test("Name", C::Equals, json!("Ada"))]), &["Ada", "Cyd"]),
        (Where::Or(vec![]), &[]),
        (Where::And(vec![]), &["Ada", "Bob", "Cyd"]),
    ];
    for (filter, expected) in table {
        assert_eq!(search(&store, filter.clone(), None, false, 0, 100), expected, "{filter:?}");
    }
}

#[test]
fn windows_follow_order_offset_and_limit() {
    let (store, _) = three();
    let all = || Where::All;
    assert_eq!(search(&store, all(), Some("Age"), false, 0, 9), ["Cyd", "Bob", "Ada"], "null first");
    assert_eq!(search(&store, all(), Some("Age"), true, 0, 9), ["Ada", "Bob", "Cyd"]);
    assert_eq!(search(&store, all(), None, true, 0, 9), ["Cyd", "Bob", "Ada"], "newest first");
    assert_eq!(search(&store, all(), None, false, 1, 1), ["Bob"]);
    assert_eq!(search(&store, all(), Some("Name"), true, 1, 9), ["Bob", "Ada"]);
    assert!(search(&store, all(), None, false, 0, 0).is_empty());
    assert!(search(&store, all(), None, false, 9, 9).is_empty());
}

#[test]
fn rows_made_in_the_same_millisecond_or_by_an_earlier_clock_keep_their_order() {
    let store = people();
    for (at, who) in [(5000, "a"), (5000, "b"), (10, "c")] {
        run(&store, &TableOp::Create { table: name(), values: map(json!({"Name": who})) }, at).unwrap();
    }
    assert_eq!(search(&store, Where::All, None, false, 0, 9), ["a", "b", "c"]);
}

#[test]
fn a_row_is_read_changed_counted_and_removed() {
    let (store, ids) = three();
    let update = |version, values: Value| TableOp::Update {
        table: name(),
        row: ids[0].clone(),
        values: map(values),
        expected_version: version,
    };
    let after = run(&store, &update(Some(1), json!({"Age": 37})), 3000).unwrap();
    assert_eq!(after.get("version"), &json!(2));
    assert_eq!(
        after.get("row"),
        &json!({"Row ID": ids[0], "Created": "1970-01-01T00:00:01.000Z", "Updated": "1970-01-01T00:00:03.000Z",
            "Name": "Ada", "Age": 37, "Active": true, "Since": "2026-01-01T00:00:00.000Z", "Tags": ["x", 1]})
    );
    let stale = run(&store, &update(Some(1), json!({"Age": 1})), 3000).unwrap_err();
    assert_eq!(stale.code, FaultCode::TableError);
    let add = TableOp::Increment { table: name(), row: ids[2].clone(), column: "Age".into(), by: 2.5 };
    assert_eq!(run(&store, &add, 1).unwrap().get("row")["Age"], json!(2.5), "null counts as 0");
    assert_eq!(run(&store, &add, 1).unwrap().get("row")["Age"], json!(5));
    let gone = TableOp::Delete { table: name(), filter: test("Row ID", Compare::Equals, json!(ids[0])) };
    assert_eq!(run(&store, &gone, 1).unwrap().get("count"), &json!(1));
    assert_eq!(run(&store, &gone, 1).unwrap().get("count"), &json!(0));
    let read = run(&store, &TableOp::Read { table: name(), row: ids[0].clone() }, 1).unwrap();
    assert_eq!((read.get("row"), read.get("Row ID")), (&Value::Null, &Value::Null));
    assert_eq!(run(&store, &update(None, json!({})), 1).unwrap_err().code, FaultCode::NotFound);
    let rest = TableOp::Delete { table: name(), filter: Where::All };
    assert_eq!(run(&store, &rest, 1).unwrap().get("count"), &json!(2));
}

fn upsert(who: &str, age: i64) -> TableOp {
    TableOp::Upsert { table: name(), key: map(json!({"Name": who})), values: map(json!({"Age": age})) }
}

#[test]
fn an_upsert_finds_its_row_by_claim_or_by_walk() {
    let (store, ids) = three();
    let hit = run(&store, &upsert("Ada", 1), 5).unwrap();
    assert_eq!((hit.get("created"), hit.get("Row ID")), (&json!(false), &json!(ids[0])));
    let fresh = run(&store, &upsert("Dan", 2), 5).unwrap();
    assert_eq!((fresh.get("created"), &fresh.get("row")["Name"]), (&json!(true), &json!("Dan")));
    let again = run(&store, &upsert("Dan", 3), 6).unwrap();
    assert_eq!((again.get("created"), again.get("Row ID")), (&json!(false), fresh.get("Row ID")));
    let gone = TableOp::Delete { table: name(), filter: test("Name", Compare::Equals, json!("Dan")) };
    run(&store, &gone, 7).unwrap();
    assert_eq!(run(&store, &upsert("Dan", 4), 8).unwrap().get("created"), &json!(true), "a claim may be stale");
}

#[test]
fn of_two_upserts_of_one_key_at_once_one_creates() {
    let store = people();
    let first = now(plan(&store, &upsert("Eve", 1), Millis(9), 1)).unwrap();
    let second = now(plan(&store, &upsert("Eve", 2), Millis(9), 2)).unwrap();
    assert_eq!(commit(&store, first).unwrap().get("created"), &json!(true));
    assert_eq!(commit(&store, second).unwrap_err(), StoreError::Conflict);
    assert_eq!(run(&store, &upsert("Eve", 2), 9).unwrap().get("created"), &json!(false));
    assert_eq!(search(&store, Where::All, None, false, 0, 9), ["Eve"]);
}

#[test]
fn writes_that_lost_a_race_conflict() {
    let (store, ids) = three();
    let add = TableOp::Increment { table: name(), row: ids[1].clone(), column: "Age".into(), by: 1.0 };
    let delete = TableOp::Delete { table: name(), filter: Where::All };
    let row = TableOp::Create { table: name(), values: Map::new() };
    let stale: Vec<TablePlan> =
        [&add, &delete].into_iter().map(|op| now(plan(&store, op, Millis(1), 1)).unwrap()).collect();
    run(&store, &add, 1).unwrap();
    for plan in stale {
        assert_eq!(commit(&store, plan).unwrap_err(), StoreError::Conflict);
    }
    let before_clear = now(plan(&store, &row, Millis(1), 1)).unwrap();
    assert_eq!(run(&store, &TableOp::Clear { table: name() }, 1).unwrap().get("count"), &json!(3));
    assert_eq!(commit(&store, before_clear).unwrap_err(), StoreError::Conflict, "or the row would be lost");
}

#[test]
fn cleared_rows_are_gone_at_once_and_swept_later() {
    let (store, _) = three();
    run(&store, &upsert("Zoe", 1), 1).unwrap();
    run(&store, &TableOp::Clear { table: name() }, 1).unwrap();
    create(&store, json!({"Name": "New"}));
    assert_eq!(search(&store, Where::All, None, false, 0, 9), ["New"]);
    let rows = || store.0.lock().keys().filter(|(space, _)| *space == Space::Rows).count();
    assert_eq!(rows(), 5);
    for _ in 0..3 {
        for delta in now(sweep(&store)).unwrap() {
            now(store.commit(delta)).unwrap();
        }
    }
    assert_eq!(rows(), 1);
    assert_eq!(store.0.lock().len(), 2, "one definition and one row: claims are swept too");
    assert!(now(sweep(&store)).unwrap().is_empty());
    assert_eq!(search(&store, Where::All, None, false, 0, 9), ["New"]);
}

fn import(store: &Fake, csv: &str, replace: bool) -> Result<Fields, flowdeck_model::Fault> {
    run(store, &TableOp::ImportCsv { table: name(), csv: csv.into(), replace }, 50)
}

#[test]
fn csv_goes_in_and_comes_out() {
    let store = people();
    let csv = "\u{feff}Name,Age,Tags\r\n\"A, \"\"b\"\"\nc\",4,\"[1,\"\"x\"\"]\"\r\nBob,,\r\n";
    assert_eq!(import(&store, csv, false).unwrap().get("count"), &json!(2));
    assert_eq!(search(&store, Where::All, None, false, 0, 9), ["A, \"b\"\nc", "Bob"]);
    let export = run(&store, &TableOp::ExportCsv { table: name(), how: Default::default() }, 1).unwrap();
    let text = "Name,Age,Active,Since,Tags\n\"A, \"\"b\"\"\nc\",4,,,\"[1,\"\"x\"\"]\"\nBob,,,,\n";
    assert_eq!((export.get("csv"), export.get("count")), (&json!(text), &json!(2)));
    assert_eq!(import(&store, text, true).unwrap().get("count"), &json!(2));
    assert_eq!(
        run(&store, &TableOp::ExportCsv { table: name(), how: Default::default() }, 1).unwrap().get("csv"),
        &json!(text)
    );
    assert_eq!(import(&store, "Row ID,Name\nrow_1,Cyd\n", false).unwrap().get("count"), &json!(1));
    assert_eq!(search(&store, Where::All, None, false, 2, 9), ["Cyd"]);
}

#[test]
fn csv_mistakes_name_the_line_and_change_nothing() {
    let (store, _) = three();
    let table = [
        ("Name,Age\nA,1\nB\n", "CSV line 3: 1 columns, but the header has 2"),
        ("Name,Age\nA,x\n", "CSV line 2: column `Age` takes a number"),
        ("Name,Size\n", "CSV line 1: table `People` has no column `Size`"),
        ("Name,Name\n", "CSV line 1: the column `Name` is named twice"),
    ];
    for (csv, expected) in table {
        let fault = import(&store, csv, true).unwrap_err();
        assert!(fault.message.starts_with(expected), "{fault}");
    }
    assert_eq!(search(&store, Where::All, None, false, 0, 9).len(), 3);
    let long = format!("Name\n{}", "x\n".repeat(IMPORT_ROWS_MAX + 1));
    assert_eq!(import(&store, &long, true).unwrap_err().code, FaultCode::LimitReached);
}

#[test]
fn definitions_grow_and_never_shrink_or_turn() {
    let store = people();
    let define = |columns| run(&store, &TableOp::Define(TableDecl { name: name(), columns }), 1);
    define(vec![column("Extra", ColumnType::Text), column("Name", ColumnType::Text)]).unwrap();
    let decl = now(describe(&store, &name())).unwrap().unwrap();
    assert_eq!(decl.columns.len(), 6);
    assert_eq!(now(list_tables(&store)).unwrap(), [decl]);
    assert!(define(vec![column("Age", ColumnType::Text)]).unwrap_err().message.contains("another type"));
    assert!(define(vec![column("a", ColumnType::Text), column("a", ColumnType::Text)]).is_err());
    assert!(define(vec![column(" ", ColumnType::Text)]).is_err());
    let many = (0..COLUMNS_MAX).map(|i| column(&format!("c{i}"), ColumnType::Text)).collect();
    assert_eq!(define(many).unwrap_err().code, FaultCode::LimitReached);
}

#[test]
fn a_column_named_like_a_system_column_stands_beside_it() {
    let store = people();
    let columns = vec![column("Created", ColumnType::Text)];
    run(&store, &TableOp::Define(TableDecl { name: name(), columns }), 1).unwrap();
    create(&store, json!({"Name": "Ada", "Created": "by hand"}));
    let op = TableOp::Search {
        table: name(),
        filter: test("Created (column)", Compare::Equals, json!("by hand")),
        sort: None,
        descending: false,
        offset: 0,
        limit: 9,
    };
    let row = run(&store, &op, 1).unwrap().get("rows")[0].clone();
    assert_eq!(row["Created"], json!("1970-01-01T00:00:01.000Z"));
    assert_eq!(row["Created (column)"], json!("by hand"));
}

#[test]
fn mistakes_are_faults_with_a_remedy() {
    let (store, ids) = three();
    let other = TableName::new("Nobody").unwrap();
    let deep = (0..60).fold(Where::All, |inner, _| Where::Not(Box::new(inner)));
    let find = |filter| TableOp::Search { table: name(), filter, sort: None, descending: false, offset: 0, limit: 1 };
    let table = [
        (TableOp::Clear { table: other }, FaultCode::TableError),
        (TableOp::Create { table: name(), values: map(json!({"Size": 1})) }, FaultCode::TableError),
        (TableOp::Create { table: name(), values: map(json!({"Age": "x"})) }, FaultCode::BadType),
        (TableOp::Create { table: name(), values: map(json!({"Name": "x".repeat(1 << 20)})) }, FaultCode::LimitReached),
        (TableOp::Increment { table: name(), row: ids[0].clone(), column: "Name".into(), by: 1.0 }, FaultCode::BadType),
        (TableOp::Upsert { table: name(), key: Map::new(), values: Map::new() }, FaultCode::BadInput),
        (find(test("Age", Compare::Equals, json!("x"))), FaultCode::BadType),
        (find(test("Age", Compare::In, json!(1))), FaultCode::BadType),
        (find(deep), FaultCode::LimitReached),
        (find(Where::And(vec![Where::All; 2000])), FaultCode::LimitReached),
    ];
    for (op, code) in table {
        assert_eq!(run(&store, &op, 1).unwrap_err().code, code, "{:.120}", format!("{op:?}"));
    }
}

#[derive(Debug, Clone)]
enum Step {
    Create(u8),
    Upsert(u8, i64),
    Delete(u8),
    Clear,
    Replace(Vec<u8>),
    Sweep,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let who = 0u8..4;
    let step = prop_oneof![
        4 => who.clone().prop_map(Step::Create),
        4 => (who.clone(), 0i64..9).prop_map(|(w, n)| Step::Upsert(w, n)),
        2 => who.clone().prop_map(Step::Delete),
        1 => Just(Step::Clear),
        1 => prop::collection::vec(who, 0..4).prop_map(Step::Replace),
        1 => Just(Step::Sweep),
    ];
    prop::collection::vec(step, 0..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]
    #[test]
    fn a_table_behaves_like_a_list(steps in steps()) {
        let store = people();
        let mut list: Vec<(String, Option<i64>)> = Vec::new();
        for (at, step) in (10..).zip(steps) {
            match step {
                Step::Create(who) => {
                    let values = map(json!({"Name": who.to_string()}));
                    run(&store, &TableOp::Create { table: name(), values }, at).unwrap();
                    list.push((who.to_string(), None));
                }
                Step::Upsert(who, age) => {
                    run(&store, &upsert(&who.to_string(), age), at).unwrap();
                    // With several rows of one key any of them is right; the test keeps them apart by their number.
                    let ages = ages(&store);
                    match list.iter().filter(|(w, _)| *w == who.to_string()).count() {
                        0 => list.push((who.to_string(), Some(age))),
                        _ => {
                            let changed = (0..list.len()).find(|i| {
                                let mut next = list.clone();
                                next[*i].1 = Some(age);
                                next[*i].0 == who.to_string() && next == ages
                            });
                            prop_assert!(changed.is_some(), "{:?} {:?}", list, ages);
                            list.clone_from(&ages);
                        }
                    }
                }
                Step::Delete(who) => {
                    let filter = test("Name", Compare::Equals, json!(who.to_string()));
                    run(&store, &TableOp::Delete { table: name(), filter }, at).unwrap();
                    list.retain(|(w, _)| *w != who.to_string());
                }
                Step::Clear => {
                    let count = run(&store, &TableOp::Clear { table: name() }, at).unwrap();
                    prop_assert_eq!(count.get("count"), &json!(list.len()));
                    list.clear();
                }
                Step::Replace(names) => {
                    let csv: String = std::iter::once("Name\n".to_owned()).chain(names.iter().map(|n| format!("{n}\n"))).collect();
                    import(&store, &csv, true).unwrap();
                    list = names.iter().map(|n| (n.to_string(), None)).collect();
                }
                Step::Sweep => {
                    for delta in now(sweep(&store)).unwrap() {
                        now(store.commit(delta)).unwrap();
                    }
                }
            }
            prop_assert_eq!(ages(&store), list.clone());
        }
    }
}

fn ages(store: &Fake) -> Vec<(String, Option<i64>)> {
    let op = TableOp::rows(name(), 1000);
    let outputs = run(store, &op, 1).unwrap();
    let rows = outputs.get("rows").as_array().unwrap();
    rows.iter().map(|r| (r["Name"].as_str().unwrap().to_owned(), r["Age"].as_i64())).collect()
}
