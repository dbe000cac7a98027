//! What `deny.toml` says of dependencies: licences, sources, bans.
//!
//! Must never hold a list of its own: `deny.toml` is read, and a rule that is missing there is an error.
//! Tests: below, each rule with a case it must refuse.

use std::collections::BTreeSet;

use anyhow::{Context, Result, bail};
use cargo_metadata::Metadata;
use toml::{Table, Value};

use crate::shell;

/// A package that is not ours.
struct Foreign {
    name: String,
    /// With its version, as it is shown.
    shown: String,
    source: String,
    licence: Option<String>,
}

/// Every rule with what breaks it.
pub(super) fn checks(metadata: &Metadata) -> Result<Vec<(&'static str, Vec<String>)>> {
    let deny: Table = std::fs::read_to_string(shell::root().join("deny.toml"))?.parse()?;
    let foreign: Vec<Foreign> = metadata
        .packages
        .iter()
        .filter_map(|p| {
            let source = p.source.as_ref()?.repr.clone();
            let shown = format!("{} {}", p.name, p.version);
            Some(Foreign { name: p.name.to_string(), shown, source, licence: p.license.clone() })
        })
        .collect();
    // What no build uses may still be named in the lock file.
    let used: BTreeSet<&str> = metadata
        .resolve
        .iter()
        .flat_map(|r| &r.nodes)
        .filter_map(|node| metadata.packages.iter().find(|p| p.id == node.id))
        .map(|p| p.name.as_str())
        .collect();
    Ok(vec![
        ("licences of dependencies", licences(&deny, &foreign)?),
        ("sources of dependencies", sources(&deny, &foreign)?),
        ("banned dependencies", bans(&deny, &foreign, &used)?),
    ])
}

fn part<'a>(deny: &'a Table, section: &str, key: &str) -> Result<&'a Value> {
    let value = deny.get(section).and_then(|section| section.get(key));
    value.with_context(|| format!("deny.toml has no {section}.{key}"))
}

fn licences(deny: &Table, foreign: &[Foreign]) -> Result<Vec<String>> {
    let allowed: Vec<&str> =
        part(deny, "licenses", "allow")?.as_array().context("a list")?.iter().filter_map(Value::as_str).collect();
    let wrong = foreign.iter().filter_map(|p| match &p.licence {
        Some(expression) if licence_allowed(expression, &allowed) => None,
        other => Some(format!("{}: {}", p.shown, other.as_deref().unwrap_or("no licence given"))),
    });
    Ok(wrong.collect())
}

/// Whether some choice of the expression is allowed: `OR` and `/` choose, `AND` needs both sides.
fn licence_allowed(expression: &str, allowed: &[&str]) -> bool {
    let flat = expression.replace(['(', ')'], " ").replace('/', " OR ");
    flat.split(" OR ").any(|choice| choice.split(" AND ").all(|part| allowed.contains(&part.trim())))
        || expression
            .replace(['(', ')'], " ")
            .split(" AND ")
            .all(|side| side.replace('/', " OR ").split(" OR ").any(|choice| allowed.contains(&choice.trim())))
}

/// A registry or repository that nobody allowed. Both kinds must be denied by default in `deny.toml`.
fn sources(deny: &Table, foreign: &[Foreign]) -> Result<Vec<String>> {
    for key in ["unknown-registry", "unknown-git"] {
        if part(deny, "sources", key)?.as_str() != Some("deny") {
            bail!("deny.toml: sources.{key} must be \"deny\"");
        }
    }
    let mut allowed = Vec::new();
    for key in ["allow-registry", "allow-git"] {
        let list = part(deny, "sources", key)?.as_array().with_context(|| format!("sources.{key} is a list"))?;
        allowed.extend(list.iter().filter_map(Value::as_str));
    }
    let known = |source: &str| {
        // `registry+URL` and `git+URL?branch=…#commit`.
        let url = source.split_once('+').map_or(source, |(_, url)| url);
        allowed.iter().any(|a| url == *a || url.strip_prefix(a).is_some_and(|rest| rest.starts_with(['?', '#'])))
    };
    let wrong = foreign.iter().filter(|p| !known(&p.source));
    Ok(wrong.map(|p| format!("{} comes from {}", p.shown, p.source)).collect())
}

fn bans(deny: &Table, foreign: &[Foreign], used: &BTreeSet<&str>) -> Result<Vec<String>> {
    let banned = part(deny, "bans", "deny")?.as_array().context("bans.deny is a list")?;
    let banned: Vec<&str> = banned.iter().filter_map(|entry| entry.get("crate")?.as_str()).collect();
    let wrong = foreign.iter().filter(|p| used.contains(p.name.as_str()) && banned.contains(&p.name.as_str()));
    Ok(wrong.map(|p| format!("{} is banned (deny.toml says why)", p.shown)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const DENY: &str = r#"
        licenses.allow = ["MIT"]
        bans.deny = [{ crate = "openssl" }]
        [sources]
        unknown-registry = "deny"
        unknown-git = "deny"
        allow-registry = ["https://registry.test/index"]
        allow-git = ["https://code.test/ours"]
    "#;

    fn deny() -> Table {
        DENY.parse().unwrap()
    }

    fn foreign(name: &str, source: &str, licence: Option<&str>) -> [Foreign; 1] {
        let licence = licence.map(str::to_owned);
        [Foreign { name: name.into(), shown: format!("{name} 1.0.0"), source: source.into(), licence }]
    }

    #[test]
    fn a_source_that_nobody_allowed_is_refused() {
        for (source, refused) in [
            ("registry+https://registry.test/index", false),
            ("registry+https://registry.test/index-of-another", true),
            ("git+https://code.test/ours?branch=main#0123", false),
            ("git+https://code.test/theirs#0123", true),
        ] {
            let broken = sources(&deny(), &foreign("a", source, None)).unwrap();
            assert_eq!(!broken.is_empty(), refused, "{source}");
        }
        for looser in
            [DENY.replace("unknown-git = \"deny\"", "unknown-git = \"allow\""), DENY.replace("unknown-git", "x")]
        {
            assert!(sources(&looser.parse().unwrap(), &[]).is_err());
        }
    }

    #[test]
    fn a_banned_dependency_is_refused_where_it_is_used() {
        let found = |name: &str, used: &[&str]| {
            bans(&deny(), &foreign(name, "", None), &used.iter().copied().collect()).unwrap()
        };
        assert_eq!(found("openssl", &["openssl"]), ["openssl 1.0.0 is banned (deny.toml says why)"]);
        assert!(found("openssl", &[]).is_empty());
        assert!(found("rustls", &["rustls"]).is_empty());
    }

    #[test]
    fn a_dependency_without_an_allowed_licence_is_refused() {
        for (licence, broken) in [(Some("MIT"), 0), (Some("GPL-3.0"), 1), (None, 1)] {
            assert_eq!(licences(&deny(), &foreign("a", "", licence)).unwrap().len(), broken, "{licence:?}");
        }
    }

    #[test]
    fn a_licence_must_have_an_allowed_choice() {
        let allowed = ["MIT", "Apache-2.0", "ISC"];
        for good in ["MIT", "MIT OR GPL-3.0", "MIT/Apache-2.0", "(MIT OR Apache-2.0) AND ISC", "ISC AND (MIT OR X)"] {
            assert!(licence_allowed(good, &allowed), "{good}");
        }
        for bad in ["GPL-3.0", "MIT AND GPL-3.0", ""] {
            assert!(!licence_allowed(bad, &allowed), "{bad}");
        }
    }
}
