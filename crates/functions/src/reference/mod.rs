//! The reference, made of declarations, examples and decisions: a page for each card, and the pages of `docs/`.
//!
//! Must never say what the cards do not say themselves.
//! Tests: `tests/reference.rs`.

mod kernel;
mod page;
mod steering;

use std::fmt::Write;

use crate::{Decision, Function, Functions};

pub use kernel::{DOCUMENTED, Home, KERNEL, Kernel};
pub use page::page;
pub use steering::{STEERING, Steering};

/// Families in the order of the reference: the part of the card's name, and its title.
const FAMILIES: &[(&str, &str)] = &[
    ("string", "Text"),
    ("math", "Number"),
    ("boolean", "True/False"),
    ("date", "Date & Time"),
    ("list", "List"),
    ("object", "Object"),
    ("control", "Flow Control"),
    ("json", "JSON"),
    ("xml", "XML"),
    ("csv", "CSV"),
    ("url", "URL"),
    ("crypto", "Encryption"),
    ("jwt", "JWT"),
    ("filefunctions", "File"),
    ("utility", "Utility"),
];

const MADE: &str = "<!-- made by `cargo xtask docs`; do not edit -->\n";

/// A file of the reference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// Its path below `docs/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// All files of the reference.
#[must_use]
pub fn documents(functions: &Functions) -> Vec<Document> {
    let mut out = vec![index(functions), compatibility(functions)];
    for (family, title) in families(functions) {
        let mut text = format!("{MADE}# {title} cards\n\n");
        for function in cards(functions, family) {
            let _ =
                writeln!(text, "- [`{}`](#{}): {}", function.decl().name, anchor(function), function.decl().summary);
        }
        for function in cards(functions, family) {
            text.push('\n');
            text.push_str(&page(function, 2));
        }
        out.push(Document { path: format!("cards/{family}.md"), text });
    }
    out
}

/// What becomes of cards that nothing here offers, and which documented ones are among them.
const NOT_HERE: &str = "
## Apps and cards that are not here

An export may use an app that no file here describes, or a card that the app's file lacks. Nothing is guessed and nothing is sent in its place:

- The flow is imported with all else. The card keeps its name and all its fields, and is marked `unbound: true`; its connection stays a slot.
- `flowdeck check` warns with `unbound-card`: it names the app and the card, says whether the app or only the card is missing, and what to do. Its
  last line counts these cards, so an export with some never looks like one without.
- `flowdeck import` lists them under *Not bound yet*; `import-report.json` has them in `unbound` (`app`, `name`, `flow`, `card`, `why`, `remedy`).
- A run goes as far as the card and fails there with `unknown-card`. A flow that such an event starts does not start by itself.
- Once an app file offers the card (`export_names` where its own name differs), exports bind to it, and `check` says that `unbound` can go.

Documented by Okta, but not offered:

| card | why |
|---|---|
| Paginate, Pause, Pause Raw of the API Connector | Only the Connector Builder offers them; loops over pages belong to app files here. |
| Export Folder | A folder is a folder of files here: the flows in it are their own export. |
";

/// The known families, then any other.
fn families(functions: &Functions) -> Vec<(&str, &str)> {
    let mut out: Vec<(&str, &str)> = FAMILIES.to_vec();
    for function in functions.all() {
        let family = function.decl().name.family();
        if !out.iter().any(|(known, _)| *known == family) {
            out.push((family, family));
        }
    }
    out
}

fn cards<'f>(functions: &'f Functions, family: &'f str) -> impl Iterator<Item = &'f Function> {
    functions.all().iter().filter(move |f| f.decl().name.family() == family)
}

/// The anchor of a card's heading, as renderers of Markdown make it.
fn anchor(function: &Function) -> String {
    page::heading(function)
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

fn index(functions: &Functions) -> Document {
    let mut text = format!(
        "{MADE}# Function cards\n\n{} cards. `flowdeck cards show CARD` shows the same pages in the terminal.\n\n",
        functions.all().len()
    );
    text.push_str("| family | cards |\n|---|---|\n");
    for (family, title) in families(functions) {
        let links: Vec<String> =
            cards(functions, family).map(|f| format!("[`{}`]({family}.md#{})", f.decl().name, anchor(f))).collect();
        let _ = writeln!(text, "| [{title}]({family}.md) | {} |", links.join(" "));
    }
    let _ = write!(
        text,
        "\n## Patterns\n\n{}\n\n## Dates\n\n{}\n\nTime zones are embedded: names such as `Europe/Berlin`, and offsets.\n",
        crate::text::pattern::DIALECT,
        crate::date::tokens::HELP
    );
    Document { path: "cards/README.md".into(), text }
}

fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}

fn compatibility(functions: &Functions) -> Document {
    let mut text = format!(
        "{MADE}# Okta compatibility\n\nFunction cards keep Okta's names and fields. Where Okta's documents leave a question open, this is what flowdeck does.\n\n## Decisions\n\n| card | question | our answer |\n|---|---|---|\n"
    );
    let mut row = |card: &str, decision: &Decision| {
        let _ = writeln!(text, "| `{card}` | {} | {} |", cell(decision.question), cell(decision.answer));
    };
    for (family, _) in families(functions) {
        for function in cards(functions, family) {
            function.decisions().iter().for_each(|d| row(function.decl().name.as_str(), d));
        }
    }
    for steering in STEERING {
        row(steering.card, &steering.decision);
    }
    text.push_str("\n## Kernel cards\n\nThe kernel cards of exports, one by one, and what serves them.\n\n| card | title in Okta | served by |\n|---|---|---|\n");
    for kernel in KERNEL.iter().chain(DOCUMENTED) {
        let by = match kernel.home {
            Home::Function { .. } => {
                format!("the function card of that name, [{}](cards/{}.md)", kernel.title, family_of(kernel.card))
            }
            Home::Flow(form) => format!("{form} in the flow"),
            Home::App(app) => app.to_owned(),
        };
        let _ = writeln!(text, "| `{}` | {} | {by} |", kernel.card, kernel.title);
    }
    let (all, functions) = (KERNEL.len(), KERNEL.iter().filter(|k| matches!(k.home, Home::Function { .. })).count());
    let _ = writeln!(
        text,
        "\n{all} cards are known from exports: {functions} are function cards, {} are forms of the flow or apps. {} more are documented.",
        all - functions,
        DOCUMENTED.len()
    );
    text.push_str(NOT_HERE);
    Document { path: "okta-compatibility.md".into(), text }
}

fn family_of(card: &str) -> &str {
    card.split_once('/').map_or(card, |(family, _)| family)
}
