//! `flowdeck tables`: rows made by hand, by a CSV file and by a flow, read by people and by programs.
//!
//! Must never touch the network.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use crate::support;

use support::{Home, Said};

/// Keeps a row for each run, in a table that it declares itself.
const VISITS: &str = "\
flow: visits
tables:
  Visits: { Who: text, Times: number }
inputs:
  who: { type: text, required: true }
cards:
  - id: row
    card: tables/create
    with: { table: Visits, values: { Who: \"${input.who}\", Times: 1 } }
  - return: { row: \"${row['Row ID']}\" }
";

fn json(said: &Said) -> serde_json::Value {
    serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {}", said.out))
}

/// A home with a table of people in it.
fn with_people() -> Home {
    let home = Home::new();
    let columns = ["Name:text", "Age:number", "Since:date", "Active:boolean"];
    let made = home.say(&[&["tables", "create", "People"], &columns[..]].concat()).check(0, &[]);
    assert!(made.out.contains("Age") && made.out.contains("number"), "{}", made.out);
    let csv = home.file("people.csv", "Name,Age,Since,Active\n\"Lovelace, Ada\",36,2024-05-01,true\nGrace,85,,\n");
    let told = home.say(&["tables", "import", "People", &csv]).check(0, &[]);
    assert_eq!(told.out, "2 rows imported\n");
    home
}

#[test]
fn rows_go_in_come_out_are_found_changed_and_removed() {
    let home = with_people();
    let listed = home.say(&["tables", "list"]).check(0, &[]);
    assert!(listed.out.contains("People") && listed.out.contains("Name, Age, Since, Active"), "{}", listed.out);

    let shown = home.say(&["tables", "rows", "People", "--sort", "Age", "--descending"]).check(0, &[]);
    let (grace, ada) = (shown.out.find("Grace").unwrap(), shown.out.find("Lovelace, Ada").unwrap());
    assert!(grace < ada && shown.out.ends_with("2 rows\n"), "{}", shown.out);

    let found = home.say(&["tables", "rows", "People", "--where", "Name=Grace", "--json"]).check(0, &[]);
    let row = json(&found);
    assert_eq!((&row["Name"], row["Age"].as_f64()), (&"Grace".into(), Some(85.0)));
    let id = row["Row ID"].as_str().unwrap();
    home.say(&["tables", "set", "People", id, "Age=86"]).check(0, &[]);
    home.say(&["tables", "set", "People", "Name=Linus", "Active=false"]).check(0, &[]);

    let csv = home.say(&["tables", "export", "People"]).check(0, &[]).out;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(csv.contains("\"Lovelace, Ada\",36,") && csv.contains("Grace,86,"), "{csv}");

    // What was written is what is read.
    let again = home.file("again.csv", &csv);
    home.say(&["tables", "import", "People", &again, "--replace"]).check(0, &[]);
    assert_eq!(home.say(&["tables", "export", "People"]).check(0, &[]).out, csv);

    assert_eq!(home.say(&["tables", "clear", "People", "--yes"]).check(0, &[]).out, "3 rows removed\n");
    assert!(home.say(&["tables", "rows", "People"]).check(0, &[]).out.ends_with("0 rows\n"));
}

#[test]
fn a_wrong_csv_file_ends_with_65_and_changes_nothing() {
    let home = with_people();
    for (name, text, words) in [
        ("number.csv", "Name,Age\nAda,old\n", "CSV line 2"),
        ("column.csv", "Name,Agee\nAda,1\n", "Agee"),
        ("ragged.csv", "Name,Age\nAda,1,2\n", "3 columns, but the header has 2"),
        ("twice.csv", "Name,Name\nAda,Ada\n", "named twice"),
    ] {
        let file = home.file(name, text);
        home.say(&["tables", "import", "People", &file, "--replace"]).check(65, &[name, words, "Nothing was imported"]);
    }
    home.say(&["tables", "import", "People", "nothing.csv"]).check(65, &["No such file"]);
    let kept = home.say(&["tables", "rows", "People", "--json"]).check(0, &[]);
    assert_eq!(kept.lines().len(), 2, "{}", kept.out);
}

#[test]
fn what_is_not_there_and_what_is_not_sure_is_said() {
    let home = with_people();
    let csv = home.file("rows.csv", "Name\nAda\n");
    for arguments in [&["show", "Peple"][..], &["rows", "Peple"], &["export", "Peple"], &["import", "Peple", &csv]] {
        home.say(&[&["tables"], arguments].concat()).check(1, &["Peple"]);
    }
    home.say(&["tables", "create", "Other", "Name:txt"]).check(2, &["`txt` is no type of a column"]);
    home.say(&["tables", "rows", "People", "--where", "Name"]).check(2, &["KEY=VALUE"]);
    home.say(&["tables", "set", "People", "row_1"]).check(2, &["COLUMN=VALUE"]);
    home.say(&["tables", "clear", "People"]).check(2, &["--yes"]);
    assert_eq!(home.say(&["tables", "rows", "People", "--json"]).check(0, &[]).lines().len(), 2);
}

#[test]
fn a_flow_makes_the_table_that_it_declares_and_people_read_it() {
    let home = Home::new();
    assert!(home.say(&["tables", "list"]).check(0, &[]).out.starts_with("No tables."));
    let flow = home.file("visits.flow.yaml", VISITS);
    for who in ["Ada", "Grace"] {
        home.say(&["run", &flow, "--input", &format!("who={who}")]).check(0, &[]);
    }
    let decl = json(&home.say(&["tables", "show", "Visits", "--json"]).check(0, &[]));
    assert_eq!(decl["columns"][1]["name"], "Times");
    let rows = home.say(&["tables", "rows", "Visits", "--sort", "Who", "--json"]).check(0, &[]).lines();
    let names: Vec<&str> = rows.iter().map(|row| row["Who"].as_str().unwrap()).collect();
    assert_eq!(names, ["Ada", "Grace"]);
}
