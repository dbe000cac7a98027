//! Puts the catalogue into the library: the parts of each app joined, as JSON, which is read much faster than YAML.
//!
//! Must never change what a file says.
//! Tests: `tests/harness.rs` reads every app.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let folder = PathBuf::from(std::env::var("CARGO_MANIFEST_DIR")?).join("catalogue");
    println!("cargo:rerun-if-changed={}", folder.display());
    let mut apps: BTreeMap<String, Value> = BTreeMap::new();
    let mut entries: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|e| Ok(e?.path())).collect::<Result<_, Failure>>()?;
    entries.sort();
    for entry in entries {
        let name = entry.file_name().and_then(|n| n.to_str()).ok_or("a file of the catalogue has no name")?.to_owned();
        if entry.is_dir() {
            apps.insert(name, joined(&entry)?);
        } else if let Some(name) = name.strip_suffix(".app.yaml") {
            apps.insert(name.to_owned(), read(&entry)?);
        }
    }
    let pieces = read(&folder.join("shared.yaml"))?;
    apps.values_mut().try_for_each(|file| add_pieces(file, &pieces))?;
    let mut code = String::from("pub(crate) const BUILT_IN: &[(&str, &str)] = &[\n");
    for (name, file) in &apps {
        writeln!(code, "    ({name:?}, {:?}),", serde_json::to_string(file)?)?;
    }
    code.push_str("];\n");
    std::fs::write(PathBuf::from(std::env::var("OUT_DIR")?).join("catalogue.rs"), code)?;
    Ok(())
}

fn read(path: &Path) -> Result<Value, Failure> {
    println!("cargo:rerun-if-changed={}", path.display());
    let text = std::fs::read_to_string(path)?;
    serde_saphyr::from_str(&text).map_err(|e| format!("{}: {e}", path.display()).into())
}

/// `app.yaml` is the head; the other parts add shapes, shared pieces, actions and events, in order of their names.
fn joined(folder: &Path) -> Result<Value, Failure> {
    let mut head = read(&folder.join("app.yaml"))?;
    let mut parts: Vec<PathBuf> = std::fs::read_dir(folder)?.map(|e| Ok(e?.path())).collect::<Result<_, Failure>>()?;
    parts.sort();
    for path in parts.iter().filter(|p| !p.ends_with("app.yaml")) {
        let Value::Object(part) = read(path)? else { return Err(format!("{} is no object", path.display()).into()) };
        for (key, members) in part {
            if !["shared", "shapes", "actions", "events"].contains(&key.as_str()) {
                return Err(format!("{}: `{key}` belongs into app.yaml", path.display()).into());
            }
            let Value::Object(members) = members else { return Err(format!("{}: {key}", path.display()).into()) };
            let place = head
                .as_object_mut()
                .ok_or("app.yaml is no object")?
                .entry(key)
                .or_insert(Value::Object(Default::default()));
            for (name, value) in members {
                let place = place.as_object_mut().ok_or("app.yaml: a part is no object")?;
                if place.insert(name.clone(), value).is_some() {
                    return Err(format!("{}: `{name}` is there twice", path.display()).into());
                }
            }
        }
    }
    Ok(head)
}

/// Adds the pieces of `shared.yaml` that the app names, and those that these name.
fn add_pieces(file: &mut Value, pieces: &Value) -> Result<(), Failure> {
    loop {
        let text = serde_json::to_string(file)?;
        let has = |name: &str| file["shared"].get(name).is_some();
        let used = |name: &&String| text.contains(&format!("\"$use\":\"{name}\"")) && !has(name);
        let missing: Vec<String> =
            pieces.as_object().into_iter().flat_map(|p| p.keys()).filter(used).cloned().collect();
        if missing.is_empty() {
            return Ok(());
        }
        let top = file.as_object_mut().ok_or("an app file is no object")?;
        let shared = top.entry("shared").or_insert(Value::Object(Default::default()));
        for name in missing {
            shared[&name] = pieces[&name].clone();
        }
    }
}
