//! Real Okta exports, where their folder is there: each loads, prints, and reads back as the same flows.
//!
//! Must never need the folder: without it the test says so and ends.
//! Tests: this is one. `FLOWDECK_CORPUS` names the folder; else `../shared/corpus` beside the checkout.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use flowdeck::Cards;
use flowdeck_format::{Source, import, print, read};
use flowdeck_sim::did_not_run;
use indexmap::IndexMap;

fn corpus() -> Option<PathBuf> {
    let beside = || {
        let mut folder = Path::new(env!("CARGO_MANIFEST_DIR")).to_path_buf();
        (0..5).find_map(|_| {
            folder.pop();
            Some(folder.join("shared/corpus")).filter(|f| f.is_dir())
        })
    };
    std::env::var_os("FLOWDECK_CORPUS").map(PathBuf::from).or_else(beside)
}

fn samples(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_path_buf()];
    while let Some(folder) = left.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                left.push(path);
            } else if path.extension().is_some_and(|e| e == "flopack" || e == "folder" || e == "flow") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// Files of an import that do not lead to the same flows, through the helpers that they name by file.
fn files_that_differ(name: &str, export: &import::Export, cards: &Cards) -> Vec<String> {
    let files: BTreeMap<String, String> = export.files().into_iter().map(|f| (f.name, f.text)).collect();
    let load = |path: &str| {
        files.get(path).map(|text| Source::new(path, text)).ok_or_else(|| "there is no such file".to_owned())
    };
    let mut wrong = Vec::new();
    for flow in &export.flows {
        let file = format!("{}.flow.yaml", flow.name);
        let checked = flowdeck_format::read_with(&load(&file).unwrap(), Some(cards), &load);
        let linked = checked.flows.into_iter().next().map(|mut flow| {
            flow.helpers.sort_keys();
            flow
        });
        let helpers_wrong = checked.diagnostics.iter().any(|d| d.code == "helper-file");
        if linked != export.whole(flow.name.as_str()) && !helpers_wrong {
            wrong.push(format!(
                "{name}: the file {file} is another flow: {:?}",
                checked.diagnostics.first().map(|d| &d.message)
            ));
        } else if helpers_wrong && std::env::var_os("SHOW").is_some() {
            println!(
                "HELPER {name} {file}: {:?}",
                checked.diagnostics.iter().find(|d| d.code == "helper-file").map(|d| &d.message)
            );
        }
    }
    wrong
}

fn first_difference(a: &str, b: &str) -> String {
    let differs = a.lines().zip(b.lines()).position(|(a, b)| a != b).unwrap_or(0);
    let part = |text: &str| text.lines().skip(differs.saturating_sub(3)).take(6).collect::<Vec<_>>().join("\n");
    format!("imported:\n{}\nread back:\n{}", part(a), part(b))
}

#[test]
fn every_sample_reads_back_as_it_was_imported() {
    let Some(folder) = corpus() else {
        did_not_run("every_sample_reads_back_as_it_was_imported: there is no folder of exports (FLOWDECK_CORPUS)");
        return;
    };
    let cards = Cards::with_files(&IndexMap::new(), &[]).unwrap();
    let mut wrong = Vec::new();
    let mut codes: BTreeMap<String, usize> = BTreeMap::new();
    let (mut files, mut flows, mut count) = (0, 0, 0);
    for path in samples(&folder) {
        files += 1;
        let name = path.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let bytes = std::fs::read(&path).unwrap();
        assert!(import::is_export(&bytes), "{name}");
        let (export, diagnostics) = import::read(&name, &bytes, &cards);
        for diagnostic in &diagnostics {
            *codes.entry(format!("import {} {:?}", diagnostic.code, diagnostic.severity)).or_default() += 1;
        }
        let Some(export) = export else {
            wrong.push(format!("{name}: {diagnostics:?}"));
            continue;
        };
        count += export.report.cards.len();
        for note in &export.report.lost {
            if std::env::var_os("SHOW").is_some() {
                println!("LOST {name} {} {}: {}", note.flow, note.card, note.what);
            }
        }
        wrong.extend(files_that_differ(&name, &export, &cards));
        for flow in &export.flows {
            flows += 1;
            let whole = export.whole(flow.name.as_str()).unwrap();
            let text = print(&whole);
            let checked = read(&Source::new("back.flow.yaml", &text), Some(&cards));
            if checked.flows.first() != Some(&whole) {
                let back = checked.flows.first().map_or_else(String::new, |f| format!("{f:#?}"));
                let said = checked.diagnostics.first().map(|d| d.line_text("f"));
                wrong.push(format!(
                    "{name} {}: {said:?} {}",
                    flow.name,
                    first_difference(&format!("{whole:#?}"), &back)
                ));
            }
            for diagnostic in checked.diagnostics {
                let key = format!("check {} {:?}", diagnostic.code, diagnostic.severity);
                *codes.entry(key).or_default() += 1;
                if std::env::var_os("SHOW").is_some() {
                    println!("CHECK {name} {} {} | {}", flow.name, diagnostic.path, diagnostic.line_text("f"));
                }
            }
        }
    }
    println!("{files} exports, {flows} flows, {count} cards");
    for (code, n) in codes {
        println!("  {n:5} {code}");
    }
    assert!(wrong.is_empty(), "{} wrong:\n{}", wrong.len(), wrong.join("\n"));
}
