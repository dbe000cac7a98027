//! What every command takes: where the data is, who may be spoken to, how much is said.
//!
//! Must never read a file.
//! Tests: `crates/cli/tests/arguments.rs`.

use std::path::PathBuf;

use clap::Args;

/// The redirect port where none is named.
pub(crate) const REDIRECT_PORT: u16 = 8917;

/// Options of every command.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Globals {
    /// Data folder; otherwise the nearest folder above with `.flowdeck`, or a new one here.
    #[arg(long, global = true, value_name = "DIR", env = "FLOWDECK_DATA", hide_env = true)]
    pub(crate) data: Option<PathBuf>,
    /// File with the key that seals secrets; otherwise `flowdeck/key` in the configuration folder.
    #[arg(long, global = true, value_name = "FILE", env = "FLOWDECK_KEY_FILE", hide_env = true)]
    pub(crate) key_file: Option<PathBuf>,
    /// Port of the redirect URI that is registered with apps.
    #[arg(
        long,
        global = true,
        value_name = "PORT",
        env = "FLOWDECK_REDIRECT_PORT",
        hide_env = true,
        default_value_t = REDIRECT_PORT
    )]
    pub(crate) redirect_port: u16,
    /// Host that may be spoken to over plain http and may be private: localhost:4400.
    #[arg(
        long,
        global = true,
        value_name = "HOST[:PORT]",
        env = "FLOWDECK_ALLOW_HTTP",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) allow_http: Vec<String>,
    /// Private host or network that may be spoken to over https: wiki.corp, 10.0.0.0/8.
    #[arg(
        long,
        global = true,
        value_name = "HOST|CIDR[:PORT]",
        env = "FLOWDECK_ALLOW_PRIVATE",
        hide_env = true,
        value_delimiter = ','
    )]
    pub(crate) allow_private: Vec<String>,
    /// Proxy for everything public: http://proxy.corp:3128. HTTP_PROXY and the like are not used.
    #[arg(long, global = true, value_name = "URL", env = "FLOWDECK_PROXY", hide_env = true)]
    pub(crate) proxy: Option<String>,
    /// Address of a stand-in for an app's own: slack.api=http://localhost:4003/api (`apps show` lists the names).
    #[arg(
        long,
        global = true,
        value_name = "APP.NAME=URL",
        env = "FLOWDECK_APP_ADDRESS",
        hide_env = true,
        value_delimiter = ',',
        value_parser = app_address
    )]
    pub(crate) app_address: Vec<(String, String)>,
    /// Where browsers come back when the server has a public address.
    #[arg(skip)]
    pub(crate) redirect_base: Option<String>,
    /// Ask nothing; what needs a person stops with exit code 75 and the command that answers.
    #[arg(long, global = true)]
    pub(crate) no_input: bool,
    /// Write a log to standard error (FLOWDECK_LOG chooses: `debug`, `flowdeck_egress=trace`).
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

fn app_address(text: &str) -> Result<(String, String), String> {
    let wrong = || "write APP.NAME=URL, as slack.api=http://localhost:4003/api".to_owned();
    let (name, address) = text.split_once('=').ok_or_else(wrong)?;
    let is_named = name.split_once('.').is_some_and(|(app, name)| !app.is_empty() && !name.is_empty());
    let is_address = address.starts_with("https://") || address.starts_with("http://");
    if is_named && is_address { Ok((name.to_owned(), address.to_owned())) } else { Err(wrong()) }
}
