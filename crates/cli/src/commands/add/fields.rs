//! The fields of a card, one after the other: what is needed first, what may be left out on request.
//!
//! Must never keep a value that the check refuses.
//! Tests: `crates/cli/tests/builder.rs`.

use anyhow::{Result, bail};
use flowdeck::model::{FieldDecl, FieldType, Value};
use flowdeck::{Diagnostic, Source};

use super::{Values, With, errors, refuse};
use crate::build::complete::Suggestion;
use crate::build::picker::{Line, Picked};
use crate::build::value::of_text;
use crate::end::usage;
use crate::screen::style::wrap;
use crate::terminal::Terminal;

/// Most questions about one field, and most fields of a card.
const TRIES_MAX: usize = 20;
const FIELDS_MAX: usize = 200;

/// Says what is wrong with values so far, and the file that they would make.
pub(crate) type Judge<'a> = dyn Fn(&Values) -> Result<(Source, Vec<Diagnostic>)> + 'a;

/// What the fields of a card are, and how they are judged.
pub(crate) struct Form<'a> {
    /// Its fields; those of a helper depend on which it is.
    pub(crate) fields: &'a dyn Fn(&Values) -> Vec<FieldDecl>,
    /// Whether those without a default are asked for, needed or not: functions are little without them.
    pub(crate) asks_all: bool,
    /// The type of fields under names of one's own.
    pub(crate) more: Option<FieldType>,
    /// What may fill a field.
    pub(crate) suggest: &'a dyn Fn(&FieldDecl, &Values) -> Vec<Suggestion>,
    /// What is wrong with the values so far.
    pub(crate) check: &'a Judge<'a>,
}

/// Values that options gave.
#[derive(Debug, Default)]
pub(crate) struct Given(Values);

impl Given {
    /// Reads `--set` options.
    ///
    /// # Errors
    /// A usage error that names the fields there are.
    pub(crate) fn of_options(
        name: &str,
        with: &With,
        fields: &dyn Fn(&Values) -> Vec<FieldDecl>,
        more: Option<&FieldType>,
    ) -> Result<Self> {
        let mut values = Values::new();
        for pair in &with.set {
            let (key, text) =
                pair.split_once('=').ok_or_else(|| usage(format!("--set wants FIELD=VALUE, not `{}`", short(pair))))?;
            let fields = fields(&values);
            let declared = fields.iter().find(|f| f.key == key);
            let Some(kind) = declared.map(|f| &f.kind).or(more) else {
                let known: Vec<&str> = fields.iter().map(|f| f.key.as_str()).collect();
                let known =
                    if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
                bail!(usage(format!("`{name}` has no field `{}`; {known}", short(key))));
            };
            if declared.is_some_and(|f| f.secret) && !text.contains("${") {
                bail!(usage(format!(
                    "`{key}` is secret and does not belong into a file; make it an input of the flow with `secret: \
                     true`, and use --set {key}='${{input.{key}}}'"
                )));
            }
            values.insert(key.to_owned(), of_text(text, kind));
        }
        Ok(Self(values))
    }

    /// Whether nothing that is needed is missing, where nobody can be asked.
    ///
    /// # Errors
    /// A usage error with the options to add.
    pub(crate) fn has_all(&self, name: &str, fields: &dyn Fn(&Values) -> Vec<FieldDecl>) -> Result<()> {
        let missing: Vec<String> = fields(&self.0)
            .iter()
            .filter(|f| is_needed(f) && !self.0.contains_key(&f.key))
            .map(|f| format!("--set {}=… ({}) {}", f.key, f.kind.word(), f.help))
            .collect();
        if missing.is_empty() {
            return Ok(());
        }
        bail!(usage(format!("`{name}` needs\n  {}", missing.join("\n  "))))
    }
}

fn short(text: &str) -> String {
    text.chars().take(60).collect()
}

/// Whether a card cannot do without it.
fn is_needed(field: &FieldDecl) -> bool {
    field.required && field.default.is_none()
}

/// A default that says nothing.
fn is_blank(default: Option<&Value>) -> bool {
    match default {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(Value::Object(map)) => map.is_empty(),
        Some(Value::Bool(_) | Value::Number(_)) => false,
    }
}

/// Fills the fields: asks where somebody is there, else takes what was given. Nothing where they turned away.
pub(crate) async fn ask(form: &Form<'_>, given: Given, terminal: &mut Terminal) -> Result<Option<Values>> {
    let Given(mut values) = given;
    let was_given = !values.is_empty();
    if !terminal.interactive() {
        return Ok(Some(values));
    }
    if was_given {
        let (source, found) = (form.check)(&values)?;
        if !errors(&found).is_empty() {
            return Err(refuse(&source, &found, terminal));
        }
    }
    let asks_all = form.asks_all && !was_given;
    let mut asked: Vec<String> = Vec::new();
    for _ in 0..FIELDS_MAX {
        let is_next = |f: &FieldDecl| {
            (is_needed(f) || (asks_all && is_blank(f.default.as_ref())))
                && !values.contains_key(&f.key)
                && !asked.contains(&f.key)
        };
        let Some(field) = (form.fields)(&values).into_iter().find(is_next) else { break };
        let Some(value) = one(form, &field, &values, terminal).await? else { return Ok(None) };
        values.extend(value.map(|value| (field.key.clone(), value)));
        asked.push(field.key);
    }
    // Whoever gave fields ahead knows which; others are shown what else there is.
    if !was_given && others(form, &mut values, terminal).await?.is_none() {
        return Ok(None);
    }
    Ok(Some(values))
}

/// Fields that may be left out, as many as somebody wants.
async fn others(form: &Form<'_>, values: &mut Values, terminal: &mut Terminal) -> Result<Option<()>> {
    for _ in 0..FIELDS_MAX {
        let fields: Vec<FieldDecl> =
            (form.fields)(values).into_iter().filter(|f| !values.contains_key(&f.key)).collect();
        if fields.is_empty() && form.more.is_none() {
            return Ok(Some(()));
        }
        let mut lines = vec![Line::new("done", "add the card as it is")];
        lines.extend(fields.iter().map(|f| Line::new(&f.key, about(f))));
        if let Some(kind) = &form.more {
            lines.push(Line::new("new…", format!("a field under a name of your own, {}", kind.word())));
        }
        let field = match terminal.choose("More fields", &lines).await {
            Picked::Away | Picked::Text(_) => return Ok(None),
            Picked::Line(0) => return Ok(Some(())),
            Picked::Line(at) => match fields.get(at - 1) {
                Some(field) => field.clone(),
                None => match terminal.text_of("Its name", &[]).await {
                    Picked::Text(name) if !name.trim().is_empty() => {
                        FieldDecl::new(name.trim(), form.more.clone().unwrap_or_default())
                    }
                    _ => continue,
                },
            },
        };
        if let Some(Some(value)) = one(form, &field, values, terminal).await? {
            values.insert(field.key.clone(), value);
        }
    }
    Ok(Some(()))
}

fn about(field: &FieldDecl) -> String {
    let default = field.default.as_ref().map(|d| format!(", {d} unless given")).unwrap_or_default();
    format!("{}{default}  {}", field.kind.word(), field.help)
}

/// One field: `Some(None)` leaves it out, nothing turns away.
async fn one(
    form: &Form<'_>,
    field: &FieldDecl,
    values: &Values,
    terminal: &mut Terminal,
) -> Result<Option<Option<Value>>> {
    let style = terminal.style();
    let needed = if is_needed(field) { "" } else { ", may stay empty" };
    let label = if field.label() == field.key { String::new() } else { format!(" {}", style.dim(field.label())) };
    let head = format!("{}{label}  {}", style.bold(&field.key), style.dim(&format!("{}{needed}", field.kind.word())));
    terminal.say(&format!("  {head}\n{}", wrap(&field.help, style.text_width(), 4)));
    let mut lines: Vec<Line> = field.choices.iter().map(|choice| Line::new(choice, "")).collect();
    if lines.is_empty() && field.kind == FieldType::Boolean {
        lines = ["true", "false"].map(|word| Line::new(word, "")).into();
    }
    lines.extend((form.suggest)(field, values).into_iter().map(|s| {
        let about = s.value.map_or_else(|| s.kind.clone(), |value| format!("{value}  {}", s.kind));
        Line::new(s.text, about)
    }));
    for _ in 0..TRIES_MAX {
        let typed = match terminal.text_of(&field.key, &lines).await {
            Picked::Away => return Ok(None),
            Picked::Line(at) => lines.get(at).map(|line| line.label.clone()).unwrap_or_default(),
            Picked::Text(text) => text,
        };
        if typed.trim().is_empty() {
            if !is_needed(field) {
                return Ok(Some(None));
            }
            terminal
                .say(&format!("  {}\n", style.bad(&format!("{} is needed; Esc leaves without a change", field.key))));
            continue;
        }
        let value = of_text(&typed, &field.kind);
        let mut with = values.clone();
        with.insert(field.key.clone(), value.clone());
        let (source, found) = (form.check)(&with)?;
        let (_, before) = (form.check)(values)?;
        let found: Vec<Diagnostic> = found
            .into_iter()
            .filter(|d| !before.iter().any(|b| (b.code, &b.message) == (d.code, &d.message)))
            .collect();
        found.iter().for_each(|d| terminal.say(&d.render(&source, style.colour)));
        if errors(&found).is_empty() {
            terminal.say(&format!("    {} {}\n", style.sign("→", "="), style.key(&typed)));
            return Ok(Some(Some(value)));
        }
    }
    Ok(None)
}
