//! clippy over everything, once: warnings are errors, and tests may unwrap.
//!
//! Must never let a warning of code that ships pass.
//! Tests: below.

use std::path::Path;

use anyhow::Result;
use serde_json::Value;

use crate::shell;

/// Runs clippy and answers whether it found nothing. One run for code and tests: two with different flags would check
/// every crate of ours twice.
pub(crate) fn run() -> Result<bool> {
    let mut warnings = Vec::new();
    let arguments = ["clippy", "--workspace", "--all-targets", "--quiet", "--message-format=json"];
    let ok = shell::read(shell::cargo().args(arguments), |line| warnings.extend(broken(line)))?;
    // A file is in several targets of its crate.
    warnings.sort();
    warnings.dedup();
    for warning in &warnings {
        println!("{warning}");
    }
    Ok(ok && warnings.is_empty())
}

/// What a line of cargo's messages says against the house rules.
fn broken(line: &str) -> Option<String> {
    let message: Value = serde_json::from_str(line).ok()?;
    if message["reason"] != "compiler-message" {
        return None;
    }
    let message = &message["message"];
    let rendered = message["rendered"].as_str()?;
    // A summary ("3 warnings emitted") has no place in a file.
    let file = message["spans"][0]["file_name"].as_str()?;
    let unwraps = message["code"]["code"] == "clippy::unwrap_used";
    (!(unwraps && is_test(file))).then(|| rendered.to_owned())
}

/// A panic is how a test fails. Tests inside a source file are known to clippy (`clippy.toml`).
fn is_test(file: &str) -> bool {
    Path::new(file).components().any(|part| matches!(part.as_os_str().to_str(), Some("tests" | "benches" | "tests.rs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_tests_may_unwrap() {
        let line = |lint: &str, file: &str| {
            let message = serde_json::json!({ "rendered": "warning", "code": { "code": lint },
                "spans": [{ "file_name": file }] });
            serde_json::json!({ "reason": "compiler-message", "message": message }).to_string()
        };
        for (lint, file, bad) in [
            ("clippy::unwrap_used", "crates/store/src/open.rs", true),
            ("clippy::unwrap_used", "crates/store/tests/open.rs", false),
            ("clippy::unwrap_used", "tests/src/lib.rs", false),
            ("unused_variables", "crates/store/tests/open.rs", true),
        ] {
            assert_eq!(broken(&line(lint, file)).is_some(), bad, "{lint} in {file}");
        }
        assert_eq!(broken(r#"{"reason":"compiler-artifact"}"#), None);
        assert_eq!(broken("no JSON"), None);
    }
}
