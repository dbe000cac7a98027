//! Helper flows in files of their own: finds them, has them read, and puts them into the flow that uses them.
//!
//! Must never open a file: the caller gives the texts.
//! Tests: `tests/link.rs`.

use std::ops::Range;

use flowdeck_model::{Catalogue, Flow, FlowName, Trigger};
use indexmap::IndexMap;

use crate::findings::Findings;
use crate::limits::{LINK_DEPTH_MAX, LINKS_MAX};
use crate::{Checked, Severity, Source};

/// Gives the text of a helper's file by its path, or says in a few words why not.
pub type Load<'l> = dyn Fn(&str) -> Result<Source, String> + 'l;

/// `helpers: { name: { file: path, flow: name } }`.
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) helper: FlowName,
    pub(crate) path: String,
    pub(crate) flow: Option<FlowName>,
    pub(crate) span: Range<usize>,
}

/// The files on the way to the one that is read, and how many were read in all.
pub(crate) struct Trail<'l> {
    pub(crate) load: &'l Load<'l>,
    pub(crate) files: Vec<String>,
    pub(crate) count: usize,
}

/// The path of a linked file as seen from where the linking one is seen.
fn resolve(from: &str, path: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|p| !p.is_empty() && *p != "..") => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// Puts the helpers of other files into a flow.
pub(crate) fn add(
    source: &Source,
    flow: &mut Flow,
    links: &[Link],
    catalogue: Option<&dyn Catalogue>,
    trail: &mut Trail<'_>,
    findings: &mut Findings,
) {
    for link in links {
        match found(source, link, catalogue, trail) {
            Ok(mut helper) => {
                let inner = std::mem::take(&mut helper.helpers);
                helper.on = Trigger::Manual;
                helper.name = link.helper.clone();
                put(flow, link, std::iter::once((link.helper.clone(), helper)).chain(inner).collect(), findings);
            }
            Err((code, message, remedy)) => findings.error_with(code, &link.span, message, remedy),
        }
    }
}

type Problem = (&'static str, String, String);

fn found(
    source: &Source,
    link: &Link,
    catalogue: Option<&dyn Catalogue>,
    trail: &mut Trail<'_>,
) -> Result<Flow, Problem> {
    let path = resolve(&source.name, &link.path);
    if link.path.starts_with('/') {
        let remedy = "write the path as seen from this file: `file: helpers/notify.flow.yaml`".to_string();
        return Err(("helper-file", format!("the helper's file `{}` is not a relative path", link.path), remedy));
    }
    if trail.files.contains(&path) {
        let remedy = "a file cannot be its own helper; put what both need into a third file".to_string();
        return Err(("helper-cycle", format!("the helper's file `{path}` leads back to itself"), remedy));
    }
    trail.count += 1;
    if trail.files.len() >= LINK_DEPTH_MAX || trail.count > LINKS_MAX {
        let message = format!("helpers in files of their own: at most {LINKS_MAX} files, {LINK_DEPTH_MAX} deep");
        return Err(("too-many-files", message, "put small helpers into one file".to_string()));
    }
    let text = (trail.load)(&path).map_err(|why| {
        ("helper-file", format!("the helper's file `{path}` cannot be read: {why}"), "check the path".to_string())
    })?;
    let checked = crate::read_on(&text, catalogue, trail, None);
    let remedy = format!("run `flowdeck check {path}`");
    if let Some(first) = checked.diagnostics.iter().find(|d| d.severity == Severity::Error) {
        let message = format!("the helper's file has errors; the first is {}", first.line_text(&path));
        return Err(("helper-file", message, remedy));
    }
    choose(link, &path, checked)
}

fn choose(link: &Link, path: &str, checked: Checked) -> Result<Flow, Problem> {
    let names = checked.flows.iter().map(|f| format!("`{}`", f.name)).collect::<Vec<_>>().join(", ");
    let mut flows = checked.flows;
    let at = match &link.flow {
        Some(name) => flows.iter().position(|f| f.name == *name),
        None if flows.len() == 1 => Some(0),
        None => None,
    };
    let message = format!("`{path}` holds {names}; which of them is the helper `{}`?", link.helper);
    at.map(|at| flows.swap_remove(at)).ok_or(("helper-file", message, "add `flow:` with one of the names".to_string()))
}

fn put(flow: &mut Flow, link: &Link, helpers: IndexMap<FlowName, Flow>, findings: &mut Findings) {
    for (name, helper) in helpers {
        match flow.helpers.get(&name) {
            Some(known) if *known != helper => {
                let message =
                    format!("`{}` brings a helper `{name}`, but there is another one of that name", link.path);
                findings.error_with("duplicate-helper", &link.span, message, "rename one of them".to_string());
            }
            Some(_) => {}
            None => drop(flow.helpers.insert(name, helper)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::resolve;

    #[test]
    fn paths_are_seen_from_the_linking_file() {
        let cases = [
            ("a.yaml", "b.yaml", "b.yaml"),
            ("flows/a.yaml", "b.yaml", "flows/b.yaml"),
            ("flows/a.yaml", "../lib/./b.yaml", "lib/b.yaml"),
            ("a.yaml", "../b.yaml", "../b.yaml"),
            ("../x/a.yaml", "../../b.yaml", "../../b.yaml"),
            ("/srv/a.yaml", "b.yaml", "/srv/b.yaml"),
        ];
        for (from, path, expected) in cases {
            assert_eq!(resolve(from, path), expected, "{path} from {from}");
        }
    }
}
