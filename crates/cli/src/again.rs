//! The commands that are shown to be typed next: with the options that this one was given, for they lead to the same
//! data folder and the same hosts.
//!
//! Must never repeat a secret: options hold none.
//! Tests: below, `crates/cli/tests/arguments.rs`.

use std::ffi::OsString;
use std::path::Path;

use flowdeck::model::{PromptId, RunId};

use crate::options::{Globals, REDIRECT_PORT};

/// What has to be said again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Again(String);

impl Again {
    /// The options of this command line; what the environment says, it says to the next command too.
    pub(crate) fn of(globals: &Globals, data: &Path) -> Self {
        Self::beside(globals, data, |name| std::env::var_os(name))
    }

    fn beside(globals: &Globals, data: &Path, known: impl Fn(&str) -> Option<OsString>) -> Self {
        let mut text = String::new();
        let mut add = |option: &str, variable: &str, given: Option<&str>, value: &str| {
            if let Some(given) = given
                && known(variable).is_none_or(|known| known != given)
            {
                text.push_str(&format!(" {option} {}", quoted(value)));
            }
        };
        let named = globals.data.as_ref().map(|path| path.to_string_lossy());
        // The folder itself: the next command may be typed elsewhere.
        add("--data", "FLOWDECK_DATA", named.as_deref(), &data.to_string_lossy());
        let key = globals.key_file.as_ref().map(|path| path.to_string_lossy());
        let absolute = globals.key_file.as_ref().and_then(|path| std::path::absolute(path).ok());
        let absolute = absolute.map(|path| path.to_string_lossy().into_owned()).unwrap_or_default();
        add("--key-file", "FLOWDECK_KEY_FILE", key.as_deref(), &absolute);
        let port = globals.redirect_port.to_string();
        let given = (globals.redirect_port != REDIRECT_PORT).then_some(port.as_str());
        add("--redirect-port", "FLOWDECK_REDIRECT_PORT", given, &port);
        let hosts = globals.allow_http.join(",");
        add("--allow-http", "FLOWDECK_ALLOW_HTTP", Some(hosts.as_str()).filter(|h| !h.is_empty()), &hosts);
        let private = globals.allow_private.join(",");
        add("--allow-private", "FLOWDECK_ALLOW_PRIVATE", Some(private.as_str()).filter(|p| !p.is_empty()), &private);
        let proxy = globals.proxy.as_deref().filter(|proxy| !proxy.is_empty());
        add("--proxy", "FLOWDECK_PROXY", proxy, proxy.unwrap_or_default());
        let addresses: Vec<String> = globals.app_address.iter().map(|(name, url)| format!("{name}={url}")).collect();
        let addresses = addresses.join(",");
        let given = Some(addresses.as_str()).filter(|a| !a.is_empty());
        add("--app-address", "FLOWDECK_APP_ADDRESS", given, &addresses);
        Self(text)
    }

    /// The whole command: `flowdeck`, these words, and the options.
    pub(crate) fn command(&self, words: &str) -> String {
        format!("flowdeck {words}{}", self.0)
    }

    /// Answers a prompt.
    pub(crate) fn answer(&self, prompt: PromptId) -> String {
        self.command(&format!("prompts answer {prompt}"))
    }

    /// Lets a run go on.
    pub(crate) fn resume(&self, run: RunId) -> String {
        self.command(&format!("runs resume {run}"))
    }
}

/// A word as a shell takes it.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn globals() -> Globals {
        Globals { redirect_port: REDIRECT_PORT, ..Globals::default() }
    }

    #[test]
    fn a_command_without_options_is_shown_without_any() {
        let again = Again::beside(&globals(), Path::new("/ada/.flowdeck"), |_| None);
        assert_eq!(again.command("runs resume run_1"), "flowdeck runs resume run_1");
    }

    #[test]
    fn what_leads_to_the_same_place_is_said_again() {
        let globals = Globals {
            data: Some("my data".into()),
            key_file: Some("/keys/one".into()),
            redirect_port: 9000,
            allow_http: vec!["localhost:4400".into(), "localhost:4401".into()],
            allow_private: vec!["10.0.0.0/8".into()],
            proxy: Some("http://proxy.corp:3128".into()),
            app_address: vec![("slack.api".into(), "http://localhost:4003/api".into())],
            ..globals()
        };
        let data = Path::new("/ada/my data");
        assert_eq!(
            Again::beside(&globals, data, |_| None).command("prompts list"),
            "flowdeck prompts list --data '/ada/my data' --key-file /keys/one --redirect-port 9000 --allow-http \
             localhost:4400,localhost:4401 --allow-private 10.0.0.0/8 --proxy http://proxy.corp:3128 --app-address slack.api=http://localhost:4003/api"
        );
        let known = |name: &str| (name == "FLOWDECK_DATA").then(|| "my data".into());
        let shown = Again::beside(&globals, data, known).command("prompts list");
        assert!(shown.starts_with("flowdeck prompts list --key-file"), "the environment says it: {shown}");
        let other = |name: &str| (name == "FLOWDECK_DATA").then(|| "another".into());
        let shown = Again::beside(&globals, data, other).command("prompts list");
        assert!(shown.contains("--data '/ada/my data'"), "the environment says something else: {shown}");
    }

    #[test]
    fn words_are_quoted_where_a_shell_would_take_them_apart() {
        assert_eq!(quoted("okta/prod-admin"), "okta/prod-admin");
        assert_eq!(quoted("it's me"), r"'it'\''s me'");
        assert_eq!(quoted(""), "''");
    }
}
