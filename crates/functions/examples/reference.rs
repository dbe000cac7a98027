//! Writes the reference of the function cards: `cargo xtask docs`.
//!
//! Must never write outside of the folder it is given.
//! Tests: `tests/reference.rs` says whether the files are as this makes them.

use std::path::PathBuf;

fn main() -> std::io::Result<()> {
    let folder = std::env::args_os().nth(1).map_or_else(|| PathBuf::from("docs"), PathBuf::from);
    for document in flowdeck_functions::reference::documents(&flowdeck_functions::Functions::new()) {
        let path = folder.join(&document.path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent)?;
        }
        if std::fs::read_to_string(&path).ok().as_ref() != Some(&document.text) {
            std::fs::write(&path, &document.text)?;
            println!("written: {}", path.display());
        }
    }
    Ok(())
}
