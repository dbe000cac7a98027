//! What the store is built like: one thread changes sled, in one tree, by whole batches.
//!
//! Must never rest on what another test of this program does at the same time.
//! Tests: these.

use std::path::Path;
use std::sync::Arc;

use flowdeck_engine::ports::store::{Delta, Space, Store};
use flowdeck_store::{Options, SledStore};

use crate::support::options;

/// Calls that change sled, and the only files that make them: the writer, and those that make a tree nobody uses yet.
const CHANGES: &[(&str, &[&str])] = &[
    (".apply_batch(", &["writer.rs", "rebuild.rs"]),
    ("db.insert(", &["open.rs", "rebuild.rs"]),
    ("db.remove(", &[]),
    ("db.clear(", &[]),
    (".compare_and_swap(", &[]),
    (".fetch_and_update(", &[]),
    (".update_and_fetch(", &[]),
    (".transaction(", &[]),
    (".open_tree(", &[]),
    (".merge(", &[]),
];

fn sources(folder: &Path, found: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            found.push((name, std::fs::read_to_string(path).unwrap()));
        }
    }
}

#[test]
fn only_the_writer_changes_sled_and_only_by_batches_in_one_tree() {
    let mut found = Vec::new();
    sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    for (call, allowed) in CHANGES {
        let mut files: Vec<_> =
            found.iter().filter(|(_, text)| text.contains(call)).map(|(name, _)| name.as_str()).collect();
        files.sort_unstable();
        let mut allowed = allowed.to_vec();
        allowed.sort_unstable();
        assert_eq!(files, allowed, "who calls `{call}`");
    }
    let spawns = |name: &str| found.iter().filter(|(_, text)| text.contains(&format!("name(\"{name}\""))).count();
    assert_eq!(spawns("flowdeck-store"), 1, "one place starts a writer");
}

/// The log is written and synced, and its groups applied, by the thread of the store, whoever commits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_group_is_written_and_applied_on_the_one_writer_thread() {
    let on_the_writer = |point: &'static str| {
        let thread = std::thread::current();
        // An opening commits on its own thread, which is this test's; it ends the writer, and with it every commit.
        let allowed = |name: &str| name == "flowdeck-store" || name.contains("structure::");
        assert!(thread.name().is_some_and(allowed), "{point} on {:?}", thread.name());
    };
    let root = tempfile::tempdir().unwrap();
    let options = Options { points: Some(on_the_writer), segment_bytes: 20_000, ..options() };
    let store = Arc::new(SledStore::open(root.path().join("store"), options).unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..8_u8 {
        let store = store.clone();
        writers.spawn(async move {
            for n in 0..20_u8 {
                let mut delta = Delta::new(store.epoch());
                delta.put(Space::Runs, [writer, n], vec![n; 500]);
                store.commit(delta).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
}
