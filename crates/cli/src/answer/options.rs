//! Answers given as options, the same for `connect` and `prompts answer`.
//!
//! Must never take a secret out of an argument, nor repeat what looks like one in a message.
//! Tests: below and `crates/cli/tests/arguments.rs`.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result};
use clap::{Args, ValueEnum};
use flowdeck::connections::SecretText;
use flowdeck::model::Nickname;
use flowdeck::model::connect::PromptMethod;
use flowdeck_server::wire::SurfaceName;
use zeroize::Zeroizing;

use crate::again::quoted;
use crate::end::usage;
use crate::files;

/// Largest secret, in bytes (a private key fits).
const SECRET_BYTES_MAX: u64 = 64 << 10;

/// Yes or no.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum YesNo {
    /// Yes.
    Yes,
    /// No.
    No,
}

/// How to connect, given ahead.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct AnswerOptions {
    /// Nickname of the connection; one that exists is authorized again.
    #[arg(long = "as", value_name = "NICKNAME")]
    pub(crate) nickname: Option<Nickname>,
    /// Way to authorize, as `flowdeck apps show APP` names it: oauth, api_token.
    #[arg(long, value_name = "KEY")]
    pub(crate) method: Option<String>,
    /// A field of the form that is not secret: --set domain=acme.okta.com.
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) set: Vec<String>,
    /// A secret field, read from a file, or from standard input with `-`: --secret client_secret=FILE.
    #[arg(long, value_name = "KEY=FILE")]
    pub(crate) secret: Vec<String>,
    /// Scopes to ask for instead of the usual ones; what waiting runs need is always added.
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    pub(crate) scopes: Option<Vec<String>>,
    /// Consent in a browser on this machine.
    #[arg(long, group = "how")]
    pub(crate) browser: bool,
    /// Show a code to type on another device.
    #[arg(long, group = "how")]
    pub(crate) device: bool,
    /// Print the address, read the one that the browser ends at.
    #[arg(long, group = "how")]
    pub(crate) paste: bool,
    /// Whether the connection may speak for another account than before.
    #[arg(long, value_name = "yes|no")]
    pub(crate) switch_account: Option<YesNo>,
}

impl AnswerOptions {
    /// How to authorize, where it was said.
    pub(crate) fn surface(&self) -> Option<SurfaceName> {
        match (self.browser, self.device, self.paste) {
            (true, _, _) => Some(SurfaceName::Browser),
            (_, true, _) => Some(SurfaceName::Device),
            (_, _, true) => Some(SurfaceName::Paste),
            _ => None,
        }
    }

    /// Whether nothing was said about how to connect.
    pub(crate) fn is_empty(&self) -> bool {
        let Self { nickname, method, set, secret, scopes, browser, device, paste, switch_account } = self;
        nickname.is_none()
            && method.is_none()
            && set.is_empty()
            && secret.is_empty()
            && scopes.is_none()
            && !(*browser || *device || *paste)
            && switch_account.is_none()
    }

    /// A command with what was said already, so that it can be typed again as it is shown. Nicknames are the
    /// caller's.
    pub(crate) fn said(&self, command: &str) -> String {
        let mut text = command.to_owned();
        let mut add = |option: &str, value: &str| text.push_str(&format!(" {option} {}", quoted(value)));
        self.method.iter().for_each(|method| add("--method", method));
        self.set.iter().for_each(|pair| add("--set", pair));
        self.secret.iter().for_each(|pair| add("--secret", pair));
        self.scopes.iter().for_each(|scopes| add("--scopes", &scopes.join(",")));
        text
    }

    /// The form that the options fill.
    ///
    /// # Errors
    /// A usage error for what the method has no field for, a secret in an argument, a file that cannot be read.
    pub(crate) async fn form(&self, method: &PromptMethod) -> Result<BTreeMap<String, SecretText>> {
        let mut form = BTreeMap::new();
        for pair in &self.set {
            let (key, value) = pair.split_once('=').ok_or_else(|| usage("--set wants KEY=VALUE"))?;
            let field = self.field(method, key)?;
            if field.secret {
                return Err(refused(key));
            }
            form.insert(key.to_owned(), SecretText::new(value));
        }
        for pair in &self.secret {
            let (key, file) =
                pair.split_once('=').ok_or_else(|| usage("--secret wants KEY=FILE, or KEY=- for standard input"))?;
            self.field(method, key)?;
            let (name, path) = (key.to_owned(), file.to_owned());
            form.insert(key.to_owned(), files::apart(move || read_secret(&name, &path)).await?);
        }
        Ok(form)
    }

    fn field<'a>(&self, method: &'a PromptMethod, key: &str) -> Result<&'a flowdeck::model::app::AuthField> {
        let known: Vec<&str> = method.fields.iter().map(|f| f.key.as_str()).collect();
        let known = if known.is_empty() { "it has no fields".into() } else { format!("it has {}", known.join(", ")) };
        let wrong =
            || usage(format!("`{}` has no field `{}`; {known}", method.key, key.chars().take(40).collect::<String>()));
        method.fields.iter().find(|f| f.key == key).ok_or_else(wrong)
    }
}

/// A secret given as an argument. The value itself is not repeated.
pub(crate) fn refused(key: &str) -> anyhow::Error {
    usage(format!(
        "`{key}` is secret, and arguments can be read by everybody on this machine; give it with \
         `--secret {key}=FILE`, or `--secret {key}=-` for standard input. Change a secret that was typed like this"
    ))
}

/// Reads a secret from a file or standard input; one line end at its end goes.
pub(crate) fn read_secret(key: &str, file: &str) -> Result<SecretText> {
    let mut text = Zeroizing::new(String::new());
    if file == "-" {
        let taken = std::io::stdin().lock().take(SECRET_BYTES_MAX).read_to_string(&mut text);
        taken.with_context(|| format!("read `{key}` from standard input"))?;
    } else {
        let path = Path::new(file);
        // What looks like no file may be the secret itself: it is not shown.
        if !path.exists() {
            return Err(usage(format!(
                "--secret {key}=… names no file that is there. A secret is never an argument: put it into a file and \
                 name that, or use `--secret {key}=-` and type or pipe it in"
            )));
        }
        let opened = std::fs::File::open(path).with_context(|| format!("open the file for `{key}`"))?;
        let taken = opened.take(SECRET_BYTES_MAX).read_to_string(&mut text);
        taken.with_context(|| format!("read the file for `{key}`"))?;
    }
    Ok(SecretText::new(text.strip_suffix('\n').map_or(text.as_str(), |t| t.strip_suffix('\r').unwrap_or(t))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck::model::app::AuthField;

    fn method() -> PromptMethod {
        let field = |key: &str, secret| AuthField {
            key: key.into(),
            title: key.into(),
            help: String::new(),
            secret,
            optional: false,
            example: String::new(),
            default: None,
            shape: Default::default(),
        };
        PromptMethod {
            key: "oauth".into(),
            title: "OAuth".into(),
            fields: vec![field("domain", false), field("client_secret", true)],
            known: Default::default(),
            help: String::new(),
            redirect_uri: None,
            browser: true,
            device: false,
        }
    }

    async fn form(set: &[&str], secret: &[String]) -> Result<BTreeMap<String, SecretText>> {
        let set = set.iter().map(|s| (*s).to_owned()).collect();
        AnswerOptions { set, secret: secret.to_vec(), ..AnswerOptions::default() }.form(&method()).await
    }

    #[tokio::test]
    async fn a_secret_comes_from_a_file_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "hush-1\n").unwrap();
        let filled =
            form(&["domain=acme.okta.com"], &[format!("client_secret={}", file.path().display())]).await.unwrap();
        assert_eq!(filled["client_secret"].expose(), "hush-1");
        assert_eq!(filled["domain"].expose(), "acme.okta.com");
    }

    #[tokio::test]
    async fn a_secret_in_an_argument_is_refused_and_not_repeated() {
        for (set, secret) in
            [(&["client_secret=hush-2"][..], vec![]), (&[][..], vec!["client_secret=hush-2".to_owned()])]
        {
            let text = form(set, &secret).await.unwrap_err().to_string();
            assert!(!text.contains("hush-2"), "{text}");
            assert!(text.contains("--secret client_secret=-"), "{text}");
        }
    }

    #[test]
    fn what_was_said_is_said_again() {
        let options = AnswerOptions {
            method: Some("api_token".into()),
            set: vec!["title=it's me".into()],
            scopes: Some(vec!["a".into(), "b".into()]),
            ..AnswerOptions::default()
        };
        assert_eq!(options.said("go"), r"go --method api_token --set 'title=it'\''s me' --scopes a,b");
    }

    #[tokio::test]
    async fn unknown_fields_name_the_known_ones() {
        let text = form(&["domane=x"], &[]).await.unwrap_err().to_string();
        assert!(text.contains("domain, client_secret"), "{text}");
        assert!(form(&["domain"], &[]).await.is_err());
    }
}
