//! Which hosts a credential may travel to, and which may be spoken to over plain http.
//!
//! Must never match by suffix unless the declaration says `*.`; scheme, host and port all count.
//! Tests: below.

use std::collections::BTreeMap;

use flowdeck_egress::{AllowedHosts, AllowedTarget};
use flowdeck_model::app::AppAuth;
use url::Url;

use crate::fields::fill;

/// Hosts that may be spoken to over plain http.
#[derive(Debug, Clone, Default)]
pub(crate) struct HttpHosts {
    listed: Vec<String>,
    loopback: bool,
}

impl HttpHosts {
    /// The operator's list, and loopback where the app is declared to live there.
    pub(crate) fn new(listed: &[String], loopback: bool) -> Self {
        Self { listed: listed.to_vec(), loopback }
    }

    pub(crate) fn allows(&self, url: &Url) -> bool {
        let Some(host) = url.host_str() else { return false };
        let port = url.port_or_known_default().unwrap_or(80);
        (self.loopback && is_loopback(url)) || self.listed.iter().any(|l| l == host || *l == format!("{host}:{port}"))
    }
}

pub(crate) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(a)) => a.is_loopback(),
        Some(url::Host::Ipv6(a)) => a.is_loopback(),
        None => false,
    }
}

#[derive(Debug, Clone)]
struct Rule {
    https: bool,
    host: String,
    below: bool,
    port: u16,
}

/// Where one connection's credential may travel.
#[derive(Debug, Clone, Default)]
pub(crate) struct HostRules {
    rules: Vec<Rule>,
    private: AllowedHosts,
}

impl HostRules {
    /// The app's hosts with this connection's fields filled in.
    pub(crate) fn new(auth: &AppAuth, fields: &BTreeMap<String, String>, listed: &[String]) -> Result<Self, String> {
        let http = HttpHosts::new(listed, auth.private_hosts);
        let mut rules = Vec::new();
        let mut private = Vec::new();
        for template in &auth.hosts {
            // An optional field that was left empty names no host.
            let Ok(text) = fill(template, fields) else { continue };
            let text = if text.contains("://") { text } else { format!("https://{text}") };
            let below = text.contains("://*.");
            let url =
                Url::parse(&text.replacen("://*.", "://", 1)).map_err(|_| format!("`{template}` names no host"))?;
            let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
                return Err(format!("`{template}` names no host"));
            };
            let https = url.scheme() == "https";
            if !https && !http.allows(&url) {
                return Err(format!("{host} is not allowed over plain http"));
            }
            if auth.private_hosts || http.allows(&url) {
                private.extend(format!("{host}:{port}").parse::<AllowedTarget>());
            }
            rules.push(Rule { https, host: host.trim_end_matches('.').to_owned(), below, port });
        }
        Ok(Self { rules, private: private.into_iter().collect() })
    }

    /// Whether the credential may travel to this URL.
    pub(crate) fn cover(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return false };
        let host = host.trim_end_matches('.');
        self.rules.iter().any(|rule| {
            let named = if rule.below {
                host.strip_suffix(&rule.host).is_some_and(|h| h.len() > 1 && h.ends_with('.'))
            } else {
                host == rule.host
            };
            named && port == rule.port && (url.scheme() == "https") == rule.https
        })
    }

    /// Private targets among them.
    pub(crate) fn private(&self) -> AllowedHosts {
        self.private.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn declared(hosts: &[&str]) -> AppAuth {
        AppAuth {
            app: "okta".parse().unwrap(),
            title: String::new(),
            version: "1".into(),
            methods: vec![],
            scopes: Default::default(),
            default_scopes: vec![],
            hosts: hosts.iter().map(|host| (*host).to_owned()).collect(),
            private_hosts: false,
            probe: None,
            auth_errors: Default::default(),
            help: String::new(),
        }
    }

    #[test]
    fn only_apps_that_say_so_or_are_listed_reach_inside_and_only_at_their_port() {
        let private = |inside: bool, host: &str, listed: &[String]| -> Vec<String> {
            let auth = AppAuth { private_hosts: inside, ..declared(&["{domain}"]) };
            let fields = BTreeMap::from([("domain".to_owned(), host.to_owned())]);
            let rules = HostRules::new(&auth, &fields, listed).unwrap();
            rules.private().iter().map(ToString::to_string).collect()
        };
        assert!(private(false, "wiki.corp", &[]).is_empty());
        assert_eq!(private(true, "wiki.corp", &[]), ["wiki.corp:443"]);
        assert_eq!(private(false, "http://localhost:4400", &["localhost:4400".into()]), ["localhost:4400"]);
    }

    #[test]
    fn this_machine_is_called_localhost_or_by_its_address_and_by_no_name_beside() {
        for (url, expected) in [
            ("http://localhost/", true),
            ("http://127.8.9.1/", true),
            ("http://[::1]/", true),
            ("http://localhost.evil.example/", false),
            ("http://evil-localhost/", false),
            ("http://10.0.0.1/", false),
            ("http://[::2]/", false),
        ] {
            assert_eq!(is_loopback(&Url::parse(url).unwrap()), expected, "{url}");
        }
    }

    #[test]
    fn a_credential_travels_only_to_its_hosts() {
        let auth = declared(&["{domain}", "*.files.example", "{unset}"]);
        let fields = BTreeMap::from([("domain".to_owned(), "acme.okta.com".to_owned())]);
        let rules = HostRules::new(&auth, &fields, &[]).unwrap();
        for (url, expected) in [
            ("https://acme.okta.com/x", true),
            ("https://acme.okta.com./x", true),
            ("https://acme.okta.com:443/", true),
            ("http://acme.okta.com/", false),
            ("https://acme.okta.com:8443/", false),
            ("https://evil.acme.okta.com/", false),
            ("https://acme.okta.com.evil.example/", false),
            ("https://a.files.example/", true),
            ("https://files.example/", false),
            ("https://xfiles.example/", false),
            ("https://evilfiles.example/", false),
            ("https://.files.example/", false),
            ("http://127.0.0.1/", false),
        ] {
            assert_eq!(Url::parse(url).is_ok_and(|url| rules.cover(&url)), expected, "{url}");
        }
        let local = BTreeMap::from([("domain".to_owned(), "http://localhost:4400".to_owned())]);
        assert!(HostRules::new(&auth, &local, &[]).is_err());
        let rules = HostRules::new(&auth, &local, &["localhost:4400".into()]).unwrap();
        assert!(rules.cover(&Url::parse("http://localhost:4400/a").unwrap()));
        assert!(!rules.cover(&Url::parse("https://localhost:4400/a").unwrap()));
    }
}
