//! Writes seeds for the targets: `seeds FROM TO`, from the exports and flow files below a folder.
//!
//! Must never write into the repository: what comes from somebody's exports stays in the build folder.
//! Tests: `cargo xtask soak fuzz`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use flowdeck_format::{Source, import, print, values_of};
use flowdeck_fuzz::known;
use serde_json::Value;

/// Largest seed; the fuzzer learns little from larger ones.
const BYTES_MAX: usize = 60_000;

fn main() -> Result<()> {
    let mut args = std::env::args().skip(1);
    let (from, to) = args.next().zip(args.next()).context("seeds FROM TO")?;
    let mut files = Vec::new();
    collect(Path::new(&from), 0, &mut files)?;
    let (mut native, mut exports, mut expressions, mut crons) = (vec![], vec![], BTreeSet::new(), BTreeSet::new());
    for file in files {
        let bytes = std::fs::read(&file).with_context(|| format!("read {}", file.display()))?;
        if import::is_export(&bytes) {
            let (found, _) = import::read("a.flopack", &bytes, known());
            native.extend(found.iter().flat_map(|f| &f.flows).map(print));
            exports.push(String::from_utf8_lossy(&bytes).into_owned());
        } else {
            native.push(String::from_utf8_lossy(&bytes).into_owned());
        }
    }
    for text in &native {
        let mut left: Vec<Value> = values_of(&Source::new("a.yaml", text));
        while let Some(value) = left.pop() {
            match value {
                Value::String(text) if text.contains("${") => {
                    let inner = text.strip_prefix("${").and_then(|t| t.strip_suffix('}')).map(str::to_owned);
                    expressions.extend(inner.into_iter().chain([text]));
                }
                Value::Array(items) => left.extend(items),
                Value::Object(members) => {
                    crons.extend(members.get("cron").and_then(Value::as_str).map(str::to_owned));
                    left.extend(members.into_iter().map(|(_, value)| value));
                }
                _ => {}
            }
        }
    }
    let to = Path::new(&to);
    write(to, "native", native)?;
    write(to, "export", exports)?;
    write(to, "expression", expressions)?;
    write(to, "cron", crons)
}

fn collect(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder).with_context(|| format!("read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() && depth < 10 {
            collect(&path, depth + 1, files)?;
        } else if path.extension().is_some_and(|e| ["flopack", "folder", "flow", "yaml"].iter().any(|x| e == *x)) {
            files.push(path);
        }
    }
    files.sort();
    Ok(())
}

fn write(to: &Path, target: &str, seeds: impl IntoIterator<Item = String>) -> Result<()> {
    let folder = to.join(target);
    std::fs::create_dir_all(&folder).with_context(|| format!("make {}", folder.display()))?;
    for (nth, seed) in seeds.into_iter().filter(|s| s.len() <= BYTES_MAX).enumerate() {
        std::fs::write(folder.join(format!("{nth:05}")), seed).context("write a seed")?;
    }
    Ok(())
}
