//! `flowdeck cards`: every operation a flow can use, and one in full.
//!
//! Must never differ from what `check` knows.
//! Tests: `crates/cli/tests/check.rs`.

use anyhow::{Result, bail};
use clap::{Args, Subcommand};
use flowdeck::functions::reference;
use flowdeck::model::{CardDecl, CardRole, Catalogue, EffectClass, FieldDecl};

use crate::end::{End, usage};
use crate::options::Globals;
use crate::out;
use crate::screen::markdown::markdown;
use crate::screen::style::{Style, beside, width, wrap};
use crate::screen::table::table;
use crate::session::Session;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  flowdeck cards list
  flowdeck cards list string
  flowdeck cards show okta/suspendUser")]
pub(crate) struct Cards {
    #[command(subcommand)]
    command: CardsCommand,
    /// One JSON object a line, instead of screens.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum CardsCommand {
    /// Lists cards, all or of one family.
    List {
        /// An app or a family of functions, as `okta` or `string`.
        family: Option<String>,
    },
    /// Shows a card: what it does, its inputs and outputs.
    Show {
        /// The card, as `string/compose`.
        card: String,
    },
}

pub(crate) fn run(command: &Cards, globals: &Globals) -> Result<End> {
    let cards = Session::cards_of(globals)?;
    let all = cards.cards();
    match &command.command {
        CardsCommand::List { family } => {
            let found: Vec<_> =
                all.iter().filter(|c| family.as_ref().is_none_or(|f| c.name.family() == f.as_str())).collect();
            if found.is_empty() {
                let mut families: Vec<&str> = all.iter().map(|c| c.name.family()).collect();
                families.dedup();
                bail!(usage(format!("there are no such cards; families are {}", families.join(", "))));
            }
            if command.json {
                found.iter().for_each(|c| out::json(c.as_ref()));
            } else {
                let rows: Vec<Vec<String>> =
                    found.iter().map(|c| vec![c.name.to_string(), c.title.clone(), c.summary.clone()]).collect();
                out::text(&table(&["card", "title", "about"], &rows, out::style()));
            }
        }
        CardsCommand::Show { card } => {
            let Some(found) = all.iter().find(|c| c.name.as_str() == card) else {
                bail!(usage(format!("there is no card `{card}`; `flowdeck cards list` names them")));
            };
            if command.json {
                out::json(found.as_ref());
            } else if let Some(function) = cards.functions().function(&found.name) {
                out::text(&markdown(&reference::page(function, 1), out::style(), 0));
            } else {
                out::text(&show(found, out::style()));
            }
        }
    }
    Ok(End::Fine)
}

fn show(card: &CardDecl, style: Style) -> String {
    let mut out = format!("{}  {}\n", style.bold(card.name.as_str()), card.title);
    out.push_str(&wrap(&card.summary, style.text_width(), 2));
    if !card.help.is_empty() {
        out.push_str(&markdown(&card.help, style, 2));
    }
    let role = match card.role {
        CardRole::Event => "event",
        CardRole::Action => "action",
        CardRole::Function => "function",
    };
    let effect = match card.effect {
        EffectClass::Pure => "changes nothing",
        EffectClass::Observe => "only looks",
        EffectClass::Idempotent => "changes something; doing it twice is the same as once",
        EffectClass::Write => "changes something; is never repeated unasked",
        EffectClass::Table => "works on tables of this runtime",
    };
    out.push_str(&format!("  {}\n", style.dim(&format!("{role}; {effect}"))));
    if !card.scopes.is_empty() {
        out.push_str(&format!("  {}\n", style.dim(&format!("scopes: {}", card.scopes.join(", ")))));
    }
    for (title, fields, more) in
        [("Inputs", &card.inputs, &card.more_inputs), ("Outputs", &card.outputs, &card.more_outputs)]
    {
        if fields.is_empty() && more.is_none() {
            continue;
        }
        out.push_str(&format!("\n{}\n", style.dim(title)));
        fields.iter().for_each(|f| out.push_str(&field(f, style)));
        if let Some(kind) = more {
            out.push_str(&format!("  any other name: {}\n", kind.word()));
        }
    }
    out
}

fn field(field: &FieldDecl, style: Style) -> String {
    let mut words = field.kind.word();
    if field.required {
        words.push_str(", needed");
    }
    if let Some(default) = &field.default {
        words.push_str(&format!(", {default} unless given"));
    }
    if !field.choices.is_empty() {
        words.push_str(&format!(", one of {}", field.choices.join(", ")));
    }
    let text = if field.help.is_empty() { words } else { format!("{words}. {}", field.help) };
    let taken = 2 + width(&field.key);
    beside(
        &format!("  {}", style.key(&field.key)),
        taken,
        if style.is_narrow() { 6 } else { 26 },
        &text,
        style.text_width(),
    )
}
