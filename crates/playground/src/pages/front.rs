//! The front page: what this is, and the directory as it is now.
//!
//! Must never change anything.
//! Tests: `tests/walk/`.

use std::fmt::Write as _;

use axum::extract::State;
use axum::response::Response;

use super::{escaped, page};
use crate::app::App;
use crate::directory::{Directory, PeopleFilter};

const EVENTS_SHOWN: usize = 12;

pub(super) async fn front(State(app): State<App>) -> Response {
    let body = app.keeper.read(|state| {
        format!(
            "<main>\n<div class=\"mark\"><span aria-hidden=\"true\">S</span>Staff Directory playground</div>\n\
             <h1>A staff directory to try flows on</h1>\n\
             <p>Nobody here is real. Flows can look people up, add them, suspend them and put them in groups, once you \
             allow it. Reload this page after a run to see what it did. API tokens and applications are made at \
             <a href=\"/account/tokens\">your account</a>; a device's code is typed <a href=\"/oauth/device\">here</a>.</p>\n\
             {}{}{}</main>\n",
            events(&state.directory),
            people(&state.directory),
            groups(&state.directory)
        )
    });
    page("Directory", "wide", &body, "")
}

fn table(title: &str, columns: &[&str], rows: &str) -> String {
    let mut head = String::new();
    for column in columns {
        write!(head, "<th scope=\"col\">{column}</th>").ok(); // Writing to a String cannot fail.
    }
    format!(
        "<h2>{title}</h2>\n<div class=\"table\" role=\"region\" aria-label=\"{title}\" tabindex=\"0\"><table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody></table></div>\n"
    )
}

fn row(cells: &[String]) -> String {
    let cells: String = cells.iter().map(|cell| format!("<td>{cell}</td>")).collect();
    format!("<tr>{cells}</tr>\n")
}

fn people(directory: &Directory) -> String {
    let people = directory.people(&PeopleFilter::default());
    let mut rows = String::new();
    for person in &people {
        let manager = person.manager.as_deref().and_then(|id| directory.person(id).ok());
        let seen = person.last_seen.map_or("never".to_owned(), |date| date.to_string());
        let status = person.status.name();
        rows += &row(&[
            escaped(&person.name),
            escaped(&person.title),
            escaped(&person.department),
            format!("<span class=\"{status}\">{status}</span>"),
            seen,
            escaped(manager.map_or("", |manager| &manager.name)),
        ]);
    }
    let title = format!("People ({})", people.len());
    table(&title, &["Name", "Title", "Department", "Status", "Last seen", "Manager"], &rows)
}

fn groups(directory: &Directory) -> String {
    let mut rows = String::new();
    for group in directory.groups(None) {
        rows += &row(&[escaped(&group.name), escaped(&group.description), group.member_ids.len().to_string()]);
    }
    table("Groups", &["Name", "Description", "Members"], &rows)
}

fn events(directory: &Directory) -> String {
    let text = |value: &serde_json::Value| escaped(value["name"].as_str().unwrap_or_default());
    let mut rows = String::new();
    for event in directory.events_from(0).rev().take(EVENTS_SHOWN) {
        let what =
            format!("{} {} {}", text(&event.data["person"]), event.event_type.words(), text(&event.data["group"]));
        rows += &row(&[what, escaped(&event.timestamp)]);
    }
    if rows.is_empty() { String::new() } else { table("Lately", &["What happened", "When"], &rows) }
}
