//! `flowdeck run --record`: the answers of apps in a run, as a test file that replays it offline.
//!
//! Must never write a secret, nor over a recording that is there.
//! Tests: `crates/cli/tests/record.rs`.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result};
use flowdeck::engine::{Entry, EntryKind};
use flowdeck::format::test_file;
use flowdeck::model::{Fields, Flow, RunId};
use flowdeck::testing::{Recorded, recorded};
use flowdeck::{Offline, Start, print};
use serde_json::json;

use super::Run;
use crate::api::Api;
use crate::options::Globals;
use crate::out;
use crate::session::Session;
use crate::terminal::Terminal;

/// Most entries of a run and its helpers that are looked through.
const ENTRIES_MAX: usize = 200_000;
/// Most helpers on their own whose answers are kept.
const RUNS_MAX: usize = 500;

/// The history of a run, then of the helpers that it started on their own and that have ended.
async fn histories(api: &Api, id: RunId) -> Result<Vec<Vec<Entry>>> {
    let mut all: Vec<Vec<Entry>> = Vec::new();
    let mut left = VecDeque::from([id]);
    let mut count = 0;
    while let Some(id) = left.pop_front() {
        let mut entries: Vec<Entry> = Vec::new();
        while count < ENTRIES_MAX {
            let page = api.entries(id, entries.last().map_or(0, |e| e.seq)).await?;
            if page.is_empty() {
                break;
            }
            count += page.len();
            entries.extend(page);
        }
        left.extend(entries.iter().filter_map(|entry| match entry.what {
            EntryKind::ChildStarted { run } => Some(run),
            _ => None,
        }));
        all.push(entries);
        if all.len() >= RUNS_MAX {
            break;
        }
    }
    Ok(all)
}

/// Writes the recording of a run that has ended; one that waits has none yet.
pub(super) async fn record(
    api: &Api,
    terminal: &mut Terminal,
    run: &Run,
    globals: &Globals,
    (flow, input): (&Flow, &Fields),
    id: RunId,
) -> Result<()> {
    let Some(folder) = &run.record else { return Ok(()) };
    let view = api.run(id).await?;
    if !view.status.is_ended() {
        return told(terminal, run, None, &[format!("{id} has not ended, so it is not recorded")]);
    }
    let histories = histories(api, id).await?;
    let secret = Start::new(Arc::new(flow.clone()), input.clone());
    let Recorded { mut test, mut notes } = recorded(&view, &histories, api.session().cards(), &secret);
    let folder = if folder.as_os_str().is_empty() { api.session().data().join("recordings") } else { folder.clone() };
    std::fs::create_dir_all(&folder).with_context(|| format!("make the folder {}", folder.display()))?;
    let folder = folder.canonicalize().with_context(|| format!("find the folder {}", folder.display()))?;
    let stem = format!("{}-{}", flow.name, id.to_string().trim_start_matches("run_"));
    test.file = Some(match run.file.canonicalize() {
        Ok(file) if run.file != Path::new("-") => between(&folder, &file),
        _ => {
            let name = format!("{stem}.flow.yaml");
            std::fs::write(folder.join(&name), print(flow)).with_context(|| format!("write {name}"))?;
            name
        }
    });
    test.flow = Some(flow.name.to_string());
    let real = test.expected["status"].clone();
    // What a replay gives is what later replays are held against.
    let offline = Offline::new(Session::offline_cards(globals)?);
    let replayed = flowdeck::testing::test(&offline, &test, &secret.flow).await?;
    if real != replayed.status {
        notes.push(format!("replayed offline it comes out as {}, not as {real}: look at it", replayed.status));
    }
    if let Some(missing) = replayed.missing.first() {
        notes.push(format!("history does not hold the answer to {} at {}", missing.card, missing.step));
    }
    test.expected = if replayed.missing.is_empty() { replayed.came } else { json!({ "status": real }) };
    let path = folder.join(format!("{stem}.test.yaml"));
    let text = format!(
        "# A recording. Secrets are taken out; it may hold personal data: look before you share it.\n{}",
        test_file::print(&test)
    );
    std::fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
    told(terminal, run, Some(&path), &notes)
}

fn told(terminal: &mut Terminal, run: &Run, path: Option<&PathBuf>, notes: &[String]) -> Result<()> {
    if run.json {
        // Before the run's own line, which is the last one.
        out::error(&notes.iter().map(|note| format!("recording: {note}\n")).collect::<String>());
        if let Some(path) = path {
            out::error(&format!("recording: {}\n", path.display()));
        }
        return Ok(());
    }
    let mut text = String::new();
    if let Some(path) = path {
        text.push_str(&format!("\nRecorded in {}\n", path.display()));
        text.push_str("  Secrets are taken out; it may hold personal data: look before you share it.\n");
        text.push_str(&format!("  {}\n", terminal.style().key(&format!("flowdeck test {}", path.display()))));
    }
    text.extend(notes.iter().map(|note| format!("  {note}\n")));
    terminal.say(&text);
    Ok(())
}

/// A file as seen from a folder; both absolute.
fn between(folder: &Path, file: &Path) -> String {
    let common = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let up = folder.components().skip(common).map(|_| PathBuf::from(".."));
    let down = file.components().skip(common).map(|part| PathBuf::from(part.as_os_str()));
    up.chain(down).collect::<PathBuf>().display().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_found_from_a_folder_beside_it() {
        let seen = |folder: &str, file: &str| between(Path::new(folder), Path::new(file));
        assert_eq!(seen("/p/.flowdeck/recordings", "/p/flows/a.flow.yaml"), "../../flows/a.flow.yaml");
        assert_eq!(seen("/p/flows", "/p/flows/a.flow.yaml"), "a.flow.yaml");
    }
}
