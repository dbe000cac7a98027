//! Values for the inputs of a flow: given on the command line, or asked for.
//!
//! Must never take a secret from the command line.
//! Tests: `crates/cli/tests/arguments.rs`.

use anyhow::{Result, bail};
use clap::Args;
use flowdeck::connections::SecretText;
use flowdeck::model::{FieldDecl, Fields, FlowName, Value};

use crate::answer::options::{read_secret, refused};
use crate::end::usage;
use crate::files;
use crate::terminal::{Terminal, Typed};

// Values on the command line. A doc comment would replace what the command says of itself.
#[derive(Debug, Args)]
pub(crate) struct Inputs {
    /// Value of an input of the flow.
    #[arg(long, value_name = "KEY=VALUE")]
    input: Vec<String>,
    /// Value of a secret input, read from a file.
    #[arg(long, value_name = "KEY=FILE")]
    secret: Vec<String>,
}

/// The inputs given, and those asked for where somebody is there.
///
/// # Errors
/// A wrong command line: an input that the flow does not have, a secret in plain sight, one that is missing.
pub(crate) async fn given(
    inputs: &Inputs,
    flow: &FlowName,
    fields: &[FieldDecl],
    terminal: &mut Terminal,
) -> Result<Fields> {
    let mut input = Fields::new();
    for text in &inputs.input {
        let (key, value) = files::pair(text)?;
        if declared(flow, fields, &key)?.secret {
            return Err(refused(&key));
        }
        input.set(key, value);
    }
    for text in &inputs.secret {
        let (key, file) = text.split_once('=').ok_or_else(|| usage("--secret wants KEY=FILE"))?;
        declared(flow, fields, key)?;
        let (name, path) = (key.to_owned(), file.to_owned());
        let secret = files::apart(move || read_secret(&name, &path)).await?;
        input.set(key, Value::String(secret.expose().to_owned()));
    }
    for field in fields.iter().filter(|f| f.required && f.default.is_none()) {
        if input.has(&field.key) {
            continue;
        }
        if !terminal.interactive() {
            let how = if field.secret {
                format!("--secret {}=FILE", field.key)
            } else {
                format!("--input {}=…", field.key)
            };
            bail!(usage(format!("the flow needs {}: {how}  {}", field.label(), field.help)));
        }
        let question = format!("{} {}: ", field.label(), terminal.style().dim(&field.help));
        let typed = if field.secret { terminal.ask_secret(&question).await } else { terminal.ask(&question).await };
        match typed {
            Typed::Line(line) => input.set(&field.key, Value::String(SecretText::new(line).expose().to_owned())),
            Typed::End => bail!(usage(format!("the flow needs {}", field.label()))),
        }
    }
    Ok(input)
}

fn declared<'a>(flow: &FlowName, fields: &'a [FieldDecl], key: &str) -> Result<&'a FieldDecl> {
    let known: Vec<&str> = fields.iter().map(|f| f.key.as_str()).collect();
    let known = if known.is_empty() { "it has none".into() } else { format!("it has {}", known.join(", ")) };
    let key_shown: String = key.chars().take(40).collect();
    fields.iter().find(|f| f.key == key).ok_or_else(|| usage(format!("{flow} has no input `{key_shown}`; {known}")))
}
