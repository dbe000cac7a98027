//! Tidies form fields and fills the templates of an app's declaration from them.
//!
//! Must never repeat a value in an error: it may be a secret in the wrong field.
//! Tests: below.

use std::collections::BTreeMap;

use flowdeck_model::app::FieldShape;
use url::Url;

use crate::hosts::{HttpHosts, is_loopback};

/// A value as it will be kept, or what is wrong with it.
pub(crate) fn tidy(shape: &FieldShape, value: &str, http: &HttpHosts) -> Result<String, String> {
    let value = value.trim();
    if value.len() > 16_384 || value.chars().any(|c| c.is_control() && c != '\n') {
        return Err("it is too long, or has characters that cannot be typed".into());
    }
    match shape {
        FieldShape::Text => Ok(value.to_owned()),
        FieldShape::Domain { strip_suffixes } => domain(value, strip_suffixes, http),
        FieldShape::Url => url_text(value, http),
        FieldShape::Choice(choices) if choices.iter().any(|c| c == value) => Ok(value.to_owned()),
        FieldShape::Choice(choices) => Err(format!("choose one of {}", choices.join(", "))),
    }
}

/// How an operator allows plain http.
const ALLOW_HTTP: &str =
    "plain http must be allowed first: start flowdeck with `--allow-http HOST:PORT`, or set `FLOWDECK_ALLOW_HTTP`";

fn url_text(value: &str, http: &HttpHosts) -> Result<String, String> {
    let url = Url::parse(value).map_err(|_| "enter a URL such as https://api.example.com".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave the user name and password out of the URL".into());
    }
    if url.scheme() == "https" || (url.scheme() == "http" && http.allows(&url)) {
        Ok(value.trim_end_matches('/').to_owned())
    } else {
        Err(format!("the URL must begin with https://; {ALLOW_HTTP}"))
    }
}

fn domain(value: &str, strip_suffixes: &[String], http: &HttpHosts) -> Result<String, String> {
    let wrong = || "enter the domain only, such as acme.example.com".to_owned();
    // Out of a document or a chat it comes with quotes or brackets around it, and the end of a sentence behind it.
    let around = |c: char| matches!(c, '"' | '\'' | '<' | '>' | '`' | '\u{200b}') || c.is_whitespace();
    let value = value.trim_start_matches(around);
    let value = value.trim_end_matches(|c: char| around(c) || matches!(c, ',' | ';' | '.'));
    let plain = format!("http://{value}");
    let text = if value.contains("://") {
        value.to_owned()
    } else if Url::parse(&plain).is_ok_and(|url| http.allows(&url)) {
        plain
    } else {
        format!("https://{value}")
    };
    let url = Url::parse(&text).map_err(|_| wrong())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("leave the user name and password out of the domain".into());
    }
    let host = url.host_str().ok_or_else(wrong)?.trim_end_matches('.');
    match url.scheme() {
        "http" if http.allows(&url) => {
            return Ok(url.port().map_or_else(|| format!("http://{host}"), |port| format!("http://{host}:{port}")));
        }
        "http" | "https" => {}
        _ => return Err(wrong()),
    }
    let named = matches!(url.host(), Some(url::Host::Domain(_)));
    if !named || !host.contains('.') || !host.split('.').all(is_label) {
        let plain = url.scheme() == "http" || !value.contains("://") && is_loopback(&url);
        return Err(if plain { ALLOW_HTTP } else { "enter a full domain, such as acme.example.com" }.to_owned());
    }
    let (first, rest) = host.split_once('.').ok_or_else(wrong)?;
    let first =
        strip_suffixes.iter().find_map(|s| first.strip_suffix(s.as_str()).filter(|f| !f.is_empty())).unwrap_or(first);
    Ok(url.port().map_or_else(|| format!("{first}.{rest}"), |port| format!("{first}.{rest}:{port}")))
}

/// Part of a name between dots.
fn is_label(text: &str) -> bool {
    let sign = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    !text.is_empty() && text.chars().all(sign) && !text.starts_with('-') && !text.ends_with('-')
}

/// Fills `{key}` from the fields. A value that brings its own scheme replaces an `https://` before it.
///
/// # Errors
/// The missing key.
pub(crate) fn fill(template: &str, fields: &BTreeMap<String, String>) -> Result<String, String> {
    let mut out = String::with_capacity(template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let (key, tail) = after.split_once('}').ok_or_else(|| template.to_owned())?;
        let value = fields.get(key).ok_or_else(|| key.to_owned())?;
        out.push_str(before);
        if value.starts_with("http://") || value.starts_with("https://") {
            let kept = out.strip_suffix("https://").map(str::len);
            out.truncate(kept.unwrap_or(out.len()));
        }
        out.push_str(value);
        rest = tail;
    }
    out.push_str(rest);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_pasted_in_any_form_is_tidied() {
        let http = HttpHosts::new(&["localhost:4400".into()], false);
        let shape = FieldShape::Domain { strip_suffixes: vec!["-admin".into()] };
        let ok = "acme.okta.com";
        let table = [
            ("acme.okta.com", Some(ok)),
            (" acme.okta.com ", Some(ok)),
            ("ACME.Okta.com", Some(ok)),
            ("acme.okta.com.", Some(ok)),
            ("acme.okta.com/", Some(ok)),
            ("acme.okta.com,", Some(ok)),
            ("acme.okta.com .,", Some(ok)),
            ("\"acme.okta.com\";", Some(ok)),
            ("https://acme.okta.com/.", Some(ok)),
            (",acme.okta.com", None),
            ("acme,okta.com", None),
            ("acme.okta.com,/x", None),
            ("acme.ok!ta.com", None),
            ("acme.okta.com:443", Some(ok)),
            ("acme-admin.okta.com", Some(ok)),
            ("https://acme.okta.com", Some(ok)),
            ("http://acme.okta.com", Some(ok)),
            ("HTTPS://ACME.OKTA.COM", Some(ok)),
            ("https://acme.okta.com/", Some(ok)),
            ("https://acme.okta.com:443/x", Some(ok)),
            ("https://acme-admin.okta.com/admin/dashboard", Some(ok)),
            ("https://acme-admin.okta.com/admin?x=1#frag", Some(ok)),
            ("https://acme.okta.com?fromURI=x", Some(ok)),
            ("acme.okta.com#x", Some(ok)),
            ("acme-admin.okta.com/admin/users", Some(ok)),
            ("acme.oktapreview.com", Some("acme.oktapreview.com")),
            ("login.acme.com", Some("login.acme.com")),
            ("https://acme.okta.com:8443", Some("acme.okta.com:8443")),
            ("b\u{fc}ro.example", Some("xn--bro-hoa.example")),
            ("http://localhost:4400", Some("http://localhost:4400")),
            ("http://localhost:4400/x/y", Some("http://localhost:4400")),
            ("http://localhost:4401", None),
            ("https://localhost", None),
            ("localhost", None),
            ("acme", None),
            ("", None),
            ("https://", None),
            ("\"https://acme-admin.okta.com/\"", Some(ok)),
            ("<https://acme.okta.com/app/UserHome?iss=https%3A%2F%2Facme.okta.com>", Some(ok)),
            ("`acme.okta.com`", Some(ok)),
            ("\u{200b}acme.okta.com\u{a0}", Some(ok)),
            ("//acme.okta.com/", Some(ok)),
            ("acme.okta.com/admin:8080", Some(ok)),
            ("admin.okta.com", Some("admin.okta.com")),
            ("acme-admin.okta-emea.com", Some("acme.okta-emea.com")),
            ("acme-admin-admin.okta.com", Some("acme-admin.okta.com")),
            ("localhost:4400", Some("http://localhost:4400")),
            ("localhost:4400/admin/dashboard", Some("http://localhost:4400")),
            ("http://localhost:4400@evil.example", None),
            ("acme.okta.com, other.okta.com", None),
            ("https://acme.okta.com:99999", None),
            ("https://0x7f000001", None),
            ("2130706433", None),
            ("127.0.0.1", None),
            ("http://127.0.0.1:4400", None),
            ("169.254.169.254", None),
            ("[::1]", None),
            ("ftp://acme.okta.com", None),
            ("javascript://acme.okta.com", None),
            ("https://user:pw@acme.okta.com", None),
            ("a b.okta.com", None),
            ("acme..okta.com", None),
            ("-admin.okta.com", None),
        ];
        for (given, expected) in table {
            assert_eq!(tidy(&shape, given, &http).ok().as_deref(), expected, "{given}");
        }
    }

    #[test]
    fn an_address_that_must_be_allowed_first_says_how() {
        let http = HttpHosts::new(&[], false);
        let shape = FieldShape::Domain { strip_suffixes: vec![] };
        for (value, says) in [
            ("http://localhost:4400", true),
            ("localhost:4400", true),
            ("http://127.0.0.1:4400", true),
            ("http://10.0.0.9", true),
            ("https://localhost", false),
            ("acme", false),
        ] {
            let why = tidy(&shape, value, &http).unwrap_err();
            assert_eq!(why.contains("--allow-http") && why.contains("FLOWDECK_ALLOW_HTTP"), says, "{value}: {why}");
        }
        assert!(tidy(&FieldShape::Url, "http://localhost:1", &http).unwrap_err().contains("--allow-http"));
    }

    #[test]
    fn a_value_that_cannot_be_meant_is_refused() {
        let http = HttpHosts::new(&["localhost:4400".into()], false);
        let choice = FieldShape::Choice(vec!["eu".into(), "us".into()]);
        let long = "a".repeat(16_385);
        let table = [
            (&FieldShape::Text, &long[1..], true),
            (&FieldShape::Text, &long, false),
            (&FieldShape::Text, "a\u{7}b", false),
            (&FieldShape::Text, "a\nb", true),
            (&choice, "eu", true),
            (&choice, "EU", false),
            (&choice, "", false),
            (&FieldShape::Url, "https://api.example.com/v1", true),
            (&FieldShape::Url, "http://localhost:4400/v1", true),
            (&FieldShape::Url, "http://localhost:4401/v1", false),
            (&FieldShape::Url, "http://api.example.com", false),
            (&FieldShape::Url, "https://me@api.example.com", false),
            (&FieldShape::Url, "https://:pw@api.example.com", false),
            (&FieldShape::Url, "ftp://api.example.com", false),
        ];
        for (shape, value, fits) in table {
            assert_eq!(tidy(shape, value, &http).is_ok(), fits, "{shape:?} {}", value.get(..40).unwrap_or(value));
        }
        let whole = FieldShape::Domain { strip_suffixes: vec!["admin".into()] };
        assert_eq!(tidy(&whole, "admin.okta.com", &http).as_deref(), Ok("admin.okta.com"), "never an empty name");
    }

    #[test]
    fn templates_are_filled_and_a_missing_field_is_named() {
        let fields =
            BTreeMap::from([("domain".into(), "acme.okta.com".into()), ("local".into(), "http://localhost:1".into())]);
        assert_eq!(fill("https://{domain}/v1", &fields).unwrap(), "https://acme.okta.com/v1");
        assert_eq!(fill("https://{local}/v1", &fields).unwrap(), "http://localhost:1/v1");
        assert_eq!(fill("https://{nothing}", &fields).unwrap_err(), "nothing");
        assert!(fill("{open", &fields).is_err());
    }
}
