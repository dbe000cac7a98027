//! The files of the reference are as the cards make them, and every field of a kernel card binds.
//!
//! Must never write a file: `cargo xtask docs` does.
//! Tests: this file is one.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;

use flowdeck_functions::Functions;
use flowdeck_functions::reference::{DOCUMENTED, Home, KERNEL, STEERING, documents};
use flowdeck_model::{CardName, FieldDecl};

fn docs() -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

#[test]
fn the_files_are_not_stale() {
    let documents = documents(&Functions::new());
    for document in &documents {
        let found = std::fs::read_to_string(docs().join(&document.path)).unwrap_or_default();
        assert!(found == document.text, "docs/{} is stale: run `cargo xtask docs`", document.path);
    }
    let known: BTreeSet<_> = documents.iter().map(|d| d.path.clone()).collect();
    for entry in std::fs::read_dir(docs().join("cards")).unwrap() {
        let name = format!("cards/{}", entry.unwrap().file_name().to_string_lossy());
        assert!(known.contains(&name), "docs/{name} belongs to no family: remove it");
    }
}

/// Whether a field of an export finds one of these, as the importer binds: `Group.Key` first, then the key alone.
fn binds(fields: &[FieldDecl], key: &str) -> bool {
    let alone = key.rsplit_once('.').map_or(key, |(_, key)| key);
    fields.iter().any(|f| f.export_key.as_deref() == Some(key))
        || fields.iter().any(|f| f.export_key.is_none() && (f.key == key || f.key == alone))
}

#[test]
fn every_field_of_a_kernel_card_binds() {
    let functions = Functions::new();
    let mut names = HashSet::new();
    let mut wrong = Vec::new();
    for kernel in KERNEL {
        assert!(names.insert(kernel.card), "{} is there twice", kernel.card);
        let Home::Function { inputs, outputs } = kernel.home else { continue };
        let Some(decl) = functions.card(&CardName::new(kernel.card).unwrap()) else {
            wrong.push(format!("{} is no function card", kernel.card));
            continue;
        };
        if decl.title != kernel.title {
            wrong.push(format!("{} is called {} in Okta, {} here", kernel.card, kernel.title, decl.title));
        }
        for (side, keys, fields, more) in [
            ("input", inputs, &decl.inputs, decl.more_inputs.is_some()),
            ("output", outputs, &decl.outputs, decl.more_outputs.is_some()),
        ] {
            for key in keys.split(',').filter(|k| !k.is_empty()) {
                let named = key == "*" || key.ends_with(".*");
                if if named { !more } else { !binds(fields, key) } {
                    wrong.push(format!("{}: the {side} `{key}` binds to nothing", kernel.card));
                }
            }
        }
    }
    assert_eq!(KERNEL.len(), 103);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn decisions_about_steering_are_of_cards_that_have_no_page() {
    for steering in STEERING {
        // Expand is part of the mappings of others.
        let is_page = |k: &&flowdeck_functions::reference::Kernel| {
            matches!(k.home, Home::Function { .. }) && k.card != "object/expand"
        };
        let kernel = KERNEL.iter().chain(DOCUMENTED).find(|k| k.card == steering.card);
        assert!(kernel.is_some() || steering.card.starts_with("stash/"), "{}", steering.card);
        assert!(kernel.filter(is_page).is_none(), "{} has a page of its own", steering.card);
        assert!(steering.decision.question.ends_with('?') && steering.decision.answer.ends_with('.'));
    }
}
