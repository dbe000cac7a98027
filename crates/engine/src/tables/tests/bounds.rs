//! Tests of what one table operation may take, and of new rows that race for one id.
//!
//! Must never depend on order or time.
//! Tests: this is the test.

use flowdeck_model::table::CsvExport;

use super::*;

/// The table with copies of one row, so many that nothing can be made of all of them at once.
fn filled(name_bytes: usize, rows: usize) -> Fake {
    let store = people();
    create(&store, json!({"Name": "x".repeat(name_bytes)}));
    let mut pairs = store.0.lock();
    let ((space, key), value) = pairs.iter().find(|((space, _), _)| *space == Space::Rows).unwrap();
    let (space, prefix, value) = (*space, key[..key.len() - 8].to_vec(), value.clone());
    // The ids after the one that the dice of `run` give.
    let copies = (8..rows as u64 + 7).map(|n| ((space, [&prefix[..], &n.to_be_bytes()].concat()), value.clone()));
    let copies: Vec<_> = copies.collect();
    pairs.extend(copies);
    drop(pairs);
    store
}

fn refusal(store: &Fake, op: &TableOp) -> String {
    let fault = run(store, op, 2_000).unwrap_err();
    assert_eq!(fault.code, FaultCode::LimitReached, "{fault}");
    assert!(!fault.remedy.is_empty());
    fault.message
}

fn find(limit: u64) -> TableOp {
    TableOp::Search { table: name(), filter: Where::All, sort: None, descending: false, offset: 0, limit }
}

fn export(how: CsvExport) -> TableOp {
    TableOp::ExportCsv { table: name(), how }
}

#[test]
fn no_answer_and_no_change_is_larger_than_its_limit() {
    let store = filled(1_000_000, 34);
    assert!(refusal(&store, &find(99)).contains("32 MiB"));
    assert_eq!(run(&store, &find(30), 1).unwrap().get("count"), &json!(30));
    assert!(refusal(&store, &export(CsvExport::default())).contains("32 MiB"));
    assert_eq!(
        run(&store, &export(CsvExport { limit: 30, ..Default::default() }), 1).unwrap().get("count"),
        &json!(30)
    );
    assert!(refusal(&store, &TableOp::Delete { table: name(), filter: Where::All }).contains("32 MiB"));
    let csv = format!("Name\n{}\n", "x".repeat(ANSWER_BYTES_MAX));
    assert!(refusal(&store, &TableOp::ImportCsv { table: name(), csv, replace: false }).contains("32 MiB"));
}

#[test]
fn no_operation_looks_through_more_rows_than_its_limit() {
    let store = filled(1, ROWS_SCANNED_MAX + 1);
    let absent = TableOp::Search {
        table: name(),
        filter: test("Name", Compare::Equals, json!("nobody")),
        sort: None,
        descending: false,
        offset: 0,
        limit: 1,
    };
    assert!(refusal(&store, &absent).contains("rows to look through"));
    assert_eq!(run(&store, &find(1), 1).unwrap().get("count"), &json!(1), "one that finds enough before is no trouble");
}

#[test]
fn a_table_is_cleared_only_so_often_before_it_is_swept() {
    let store = people();
    let clear = TableOp::Clear { table: name() };
    for _ in 0..1_000 {
        run(&store, &clear, 1).unwrap();
    }
    assert!(refusal(&store, &clear).contains("too often"));
    for delta in now(sweep(&store)).unwrap() {
        now(store.commit(delta)).unwrap();
    }
    run(&store, &clear, 1).unwrap();
}

#[test]
fn of_two_new_rows_with_one_id_neither_replaces_the_other() {
    let row = TableOp::Create { table: name(), values: map(json!({"Name": "A"})) };
    let rows = TableOp::ImportCsv { table: name(), csv: "Name\nB\nC\n".into(), replace: false };
    for (one, other) in [(&row, &row), (&rows, &rows), (&row, &rows)] {
        let store = people();
        // The same moment and the same dice: the same id.
        let plans = [one, other].map(|op| now(plan(&store, op, Millis(1), 1)).unwrap());
        let done = plans.map(|plan| commit(&store, plan).map(drop));
        assert_eq!(done, [Ok(()), Err(StoreError::Conflict)], "{one:?}, {other:?}");
    }
}

#[test]
fn a_store_has_only_so_many_tables() {
    let store = people();
    let ((space, key), value) = store.0.lock().pop_first().unwrap();
    let copies = (0..TABLES_MAX as u32).map(|n| ((space, [&key[..1], &n.to_be_bytes()].concat()), value.clone()));
    store.0.lock().extend(copies.collect::<Vec<_>>());
    let define = TableOp::Define(TableDecl { name: name(), columns: Vec::new() });
    assert!(refusal(&store, &define).contains("10000 tables"));
    store.0.lock().pop_last();
    run(&store, &define, 1).unwrap();
    run(&store, &define, 1).unwrap();
}
