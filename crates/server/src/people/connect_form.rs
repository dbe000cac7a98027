//! The forms of one prompt, a form for each way to connect, and what was typed into one that was refused.
//!
//! Must never show a secret again, nor a mistake beside a field of another form.
//! Tests: `tests/connect_pages.rs`.

use std::collections::BTreeMap;

use flowdeck::connections::SecretText;
use flowdeck::model::app::{AuthField, FieldShape};
use flowdeck::model::connect::{PromptMethod, PromptView};

use super::connect::{NICKNAME, OWN_FIELD};
use super::help;
use super::html::{Notice, coded, escaped, sentence};
use crate::wire::Problem;

/// A form that was sent and refused.
pub(super) struct Refused<'a> {
    pub(super) notice: Notice,
    sent: &'a [(String, SecretText)],
    fields: BTreeMap<String, String>,
    nickname: Option<String>,
}

impl<'a> Refused<'a> {
    pub(super) fn new(problem: &Problem, sent: &'a [(String, SecretText)]) -> Self {
        let notice = match problem.fields.is_empty() {
            true => Notice::refused(problem),
            // Each mistake is told beside its field.
            false => Notice::refused(&Problem { title: "Look at the marked fields".into(), ..problem.clone() }),
        };
        let taken = (problem.code == "connect.nickname_taken").then(|| problem.title.clone());
        let nickname = taken.or_else(|| problem.fields.get(NICKNAME).cloned());
        Self { notice, sent, fields: problem.fields.clone(), nickname }
    }

    /// What was typed, and not meant to be kept from view.
    fn typed(&self, name: &str) -> Option<&str> {
        self.sent.iter().find(|(key, _)| key == name).map(|(_, value)| value.expose())
    }

    fn is_of(&self, method: &PromptMethod) -> bool {
        self.typed("method") == Some(method.key.as_str())
    }
}

pub(super) fn one_method(
    view: &PromptView,
    number: usize,
    method: &PromptMethod,
    refused: Option<&Refused<'_>>,
) -> String {
    let mut form = format!(
        "<h2>{}</h2>\n<form method=\"post\">\n<input type=\"hidden\" name=\"method\" value=\"{}\">\n",
        escaped(&method.title),
        escaped(&method.key)
    );
    if !method.help.is_empty() {
        form.push_str(&format!("<details><summary>Need help?</summary>\n{}</details>\n", help::rendered(&method.help)));
    }
    if let Some(uri) = &method.redirect_uri {
        form.push_str(&format!("<p>Register this redirect URI at the app: <code>{}</code></p>\n", escaped(uri)));
    }
    if view.connection.is_none() {
        form.push_str(&nickname(view, number, method, refused));
    }
    for field in &method.fields {
        form.push_str(&one_field(view, number, method, field, refused.filter(|refused| refused.is_of(method))));
    }
    let next = if method.browser { "Go on" } else { "Connect" };
    form.push_str(&format!("<button type=\"submit\">{next}</button>\n</form>\n"));
    form
}

fn nickname(view: &PromptView, number: usize, method: &PromptMethod, refused: Option<&Refused<'_>>) -> String {
    // The name is meant for the account, whichever way it is connected.
    let value = refused.and_then(|refused| refused.typed(NICKNAME)).unwrap_or(view.nickname.as_str());
    let wrong = refused.filter(|refused| refused.is_of(method)).and_then(|refused| refused.nickname.as_deref());
    let (invalid, hint) = match wrong {
        Some(wrong) => (
            format!(" aria-invalid=\"true\" aria-describedby=\"m{number}-nickname-hint\""),
            format!("<p class=\"hint\" id=\"m{number}-nickname-hint\">{}</p>\n", alert(wrong)),
        ),
        None => Default::default(),
    };
    format!(
        "<label for=\"m{number}-nickname\">Nickname, your name for this connection</label>\n\
         <input id=\"m{number}-nickname\" name=\"{NICKNAME}\" value=\"{}\" autocomplete=\"off\"{invalid} required>\n\
         {hint}",
        escaped(value)
    )
}

fn alert(wrong: &str) -> String {
    format!("<span role=\"alert\">{}</span>", coded(&sentence(wrong)))
}

fn one_field(
    view: &PromptView,
    number: usize,
    method: &PromptMethod,
    field: &AuthField,
    refused: Option<&Refused<'_>>,
) -> String {
    let wrong = refused.and_then(|refused| refused.fields.get(&field.key)).map(String::as_str);
    let id = format!("m{number}-{}", escaped(&field.key));
    let name = format!("{OWN_FIELD}{}", field.key);
    let kept = field.secret && view.connection.is_some();
    let stored = method.known.get(&field.key).or(field.default.as_ref()).map(String::as_str);
    let known = refused.and_then(|refused| refused.typed(&name)).or(stored).filter(|_| !field.secret);
    let required = if field.optional || kept || stored.is_some() { "" } else { " required" };
    let mut hints = vec![field.help.clone()];
    hints.extend((!field.example.is_empty()).then(|| format!("As {}.", field.example)));
    hints.extend(kept.then(|| "Empty keeps the stored one.".to_owned()));
    let gone = field.secret && refused.and_then(|refused| refused.typed(&name)).is_some_and(|text| !text.is_empty());
    hints.extend(gone.then(|| "Enter it again.".to_owned()));
    hints.retain(|hint| !hint.is_empty());
    let mut told: Vec<String> = wrong.map(alert).into_iter().collect();
    told.extend((!hints.is_empty()).then(|| escaped(&hints.join(" "))));
    let (described, hint) = match told.is_empty() {
        true => Default::default(),
        false => (
            format!(" aria-describedby=\"{id}-hint\""),
            format!("<p class=\"hint\" id=\"{id}-hint\">{}</p>\n", told.join(" ")),
        ),
    };
    let invalid = if wrong.is_some() { " aria-invalid=\"true\"" } else { "" };
    let about = format!("id=\"{id}\" name=\"{}\"{described}{invalid}{required}", escaped(&name));
    let input = match &field.shape {
        FieldShape::Choice(choices) => {
            let options = choices.iter().map(|choice| {
                let selected = if known == Some(choice) { " selected" } else { "" };
                format!("<option{selected}>{}</option>", escaped(choice))
            });
            format!("<select {about}>{}</select>", options.collect::<String>())
        }
        FieldShape::Text | FieldShape::Domain { .. } | FieldShape::Url => {
            let kind = if field.secret { "password" } else { "text" };
            let value = known.map_or_else(String::new, |known| format!(" value=\"{}\"", escaped(known)));
            format!("<input {about} type=\"{kind}\" autocomplete=\"off\"{value}>")
        }
    };
    format!("<label for=\"{id}\">{}</label>\n{input}\n{hint}", escaped(&field.title))
}
