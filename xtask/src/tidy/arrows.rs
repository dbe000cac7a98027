//! Which crate of ours may use which, and who may speak HTTP to others.
//!
//! Must never allow by default: a crate without a line is refused.
//! Tests: below, each rule with a case it must refuse.

use std::collections::{BTreeMap, BTreeSet};

use cargo_metadata::{DependencyKind, Metadata};

/// What each crate of ours may depend on. Dev-dependencies are free, but `playground` and `sim` serve only tests and
/// the command.
const ARROWS: &[(&str, &[&str])] = &[
    ("flowdeck-model", &[]),
    ("flowdeck-format", &["flowdeck-model"]),
    ("flowdeck-engine", &["flowdeck-model"]),
    ("flowdeck-store", &["flowdeck-engine", "flowdeck-model"]),
    ("flowdeck-egress", &[]),
    ("flowdeck-connections", &["flowdeck-model", "flowdeck-engine", "flowdeck-egress"]),
    ("flowdeck-functions", &["flowdeck-model", "flowdeck-engine"]),
    ("flowdeck-apps", &["flowdeck-model", "flowdeck-engine", "flowdeck-egress"]),
    (
        "flowdeck",
        &[
            "flowdeck-model",
            "flowdeck-format",
            "flowdeck-engine",
            "flowdeck-store",
            "flowdeck-egress",
            "flowdeck-connections",
            "flowdeck-functions",
            "flowdeck-apps",
        ],
    ),
    ("flowdeck-server", &["flowdeck", "flowdeck-model"]),
    ("flowdeck-cli", &["flowdeck", "flowdeck-model", "flowdeck-server", "flowdeck-playground"]),
    ("flowdeck-playground", &[]),
    ("flowdeck-sim", &["flowdeck-model", "flowdeck-engine"]),
    ("flowdeck-tests", &["flowdeck", "flowdeck-model"]),
    // A tool like the command, over the parts: it runs exports against stand-in apps.
    (
        "flowdeck-corpus",
        &["flowdeck", "flowdeck-model", "flowdeck-format", "flowdeck-engine", "flowdeck-apps", "flowdeck-sim"],
    ),
    // What fuzzing holds the readers to.
    ("flowdeck-fuzz", &["flowdeck-format", "flowdeck-functions", "flowdeck-model"]),
    ("xtask", &[]),
];

/// The HTTP client, and the only crate that may use it: every request passes its guard.
const CLIENT: (&str, &str) = ("reqwest", "flowdeck-egress");

type Edges = BTreeMap<String, BTreeSet<String>>;

/// Dependencies between our crates that are not drawn.
pub(super) fn check(metadata: &Metadata) -> Vec<String> {
    let mut broken = wrong_arrows(&edges(metadata, |d| d.path.is_some()));
    broken.extend(other_clients(&edges(metadata, |d| d.name == CLIENT.0)));
    broken
}

/// What each of our crates uses when it is built, as far as `wanted` cares.
fn edges(metadata: &Metadata, wanted: impl Fn(&cargo_metadata::Dependency) -> bool) -> Edges {
    let of = |package: &cargo_metadata::Package| {
        let used = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal && wanted(d));
        used.map(|d| d.name.clone()).collect()
    };
    metadata.workspace_packages().into_iter().map(|package| (package.name.to_string(), of(package))).collect()
}

fn wrong_arrows(edges: &Edges) -> Vec<String> {
    let mut broken = Vec::new();
    for (from, targets) in edges {
        let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| name == from) else {
            broken.push(format!("{from} has no line in the table of arrows"));
            continue;
        };
        for to in targets.iter().filter(|to| !allowed.contains(&to.as_str())) {
            broken.push(format!("{from} must not depend on {to}"));
        }
    }
    broken
}

fn other_clients(edges: &Edges) -> Vec<String> {
    let users = edges.iter().filter(|(from, used)| *from != CLIENT.1 && used.contains(CLIENT.0));
    users.map(|(from, _)| format!("{from} uses {} beside {}", CLIENT.0, CLIENT.1)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str) -> Edges {
        BTreeMap::from([(from.to_owned(), BTreeSet::from([to.to_owned()]))])
    }

    #[test]
    fn an_arrow_that_is_not_drawn_is_refused() {
        assert!(wrong_arrows(&edge("flowdeck-engine", "flowdeck-model")).is_empty());
        assert_eq!(wrong_arrows(&edge("flowdeck-model", "flowdeck-engine")).len(), 1);
        assert_eq!(wrong_arrows(&edge("flowdeck-new", "flowdeck-model")).len(), 1);
        assert_eq!(wrong_arrows(&edge("flowdeck-engine", "flowdeck-sim")).len(), 1);
    }

    #[test]
    fn a_second_user_of_the_http_client_is_refused() {
        assert!(other_clients(&edge("flowdeck-egress", "reqwest")).is_empty());
        assert_eq!(
            other_clients(&edge("flowdeck-apps", "reqwest")),
            ["flowdeck-apps uses reqwest beside flowdeck-egress"]
        );
    }
}
