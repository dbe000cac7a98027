//! What `serve` says of watched folders.
//!
//! Must never hide why a file is not served.
//! Tests: `crates/cli/tests/serve.rs`.

use flowdeck::FileNews;
use flowdeck_server::wire::ServedFlow;
use serde_json::json;

use super::told::Told;

/// Tells the news of a look. At the first one the flows are listed anyway.
pub(super) fn tell(told: &Told, news: &[FileNews], first: bool) {
    for one in news {
        match one {
            FileNews::Published(served) => {
                if !first || told.is_json() {
                    told.published(&ServedFlow::from((**served).clone()));
                }
            }
            FileNews::Found(source, diagnostics) => {
                let rendered: Vec<String> =
                    diagnostics.iter().map(|d| d.render(source, told.style.colour).trim_end().to_owned()).collect();
                let is_wrong = diagnostics.iter().any(|d| d.severity == flowdeck::Severity::Error);
                let mut text = rendered.join("\n");
                if is_wrong {
                    text.push_str(&format!("\n{} is not published; the version before goes on", source.name));
                }
                let diagnostics: Vec<_> = diagnostics.iter().map(|d| d.to_json()).collect();
                let kind = if is_wrong { "refused" } else { "warned" };
                told.line(&text, || json!({ "type": kind, "file": source.name, "diagnostics": diagnostics }));
            }
            FileNews::Refused(file, why) => {
                let text = format!("{} is not published: {why}", file.display());
                told.line(&told.style.bad(&text), || json!({ "type": "refused", "file": file, "message": why }));
            }
            FileNews::SwitchedOff(name) => told.switched_off(name),
            FileNews::Export(file) => {
                let file = file.display();
                let text = format!("{file} is an export and is not served as it is: flowdeck import {file}");
                told.line(&text, || json!({ "type": "export", "file": file.to_string() }));
            }
            FileNews::Unreadable(why) => {
                let text = format!("{why}; everything goes on as it was");
                told.line(&told.style.bad(&text), || json!({ "type": "unreadable", "message": why }));
            }
        }
    }
}
