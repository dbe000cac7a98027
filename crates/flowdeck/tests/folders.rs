//! Watched folders: what comes is served, what is bad or half written never takes a good version's place.
//!
//! Must never wait for time: looks are made by hand.
//! Tests: this is the test.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use flowdeck::engine::ports::Store;
use flowdeck::store::MemoryStore;
use flowdeck::{FileNews, FlowFolder, Runtime, Served};

const GOOD: &str = "flow: hello\non: { endpoint: { access: public } }\ncards:\n  - return: { n: 1 }\n";

struct Place {
    folder: tempfile::TempDir,
    store: Arc<dyn Store>,
    runtime: Runtime,
    looks: FlowFolder,
}

async fn open(store: &Arc<dyn Store>) -> Runtime {
    Runtime::builder().store(store.clone()).key_bytes([7; 32]).open().await.unwrap()
}

impl Place {
    async fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(MemoryStore::default()) as Arc<dyn Store>;
        let runtime = open(&store).await;
        let looks = FlowFolder::new(vec![folder.path().to_owned()]);
        let place = Self { folder, store, runtime, looks };
        files.iter().for_each(|(name, text)| place.write(name, text));
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    /// The news of one look, in few words.
    async fn look(&mut self) -> Vec<String> {
        let news = self.looks.look(&self.runtime).await.unwrap();
        news.iter()
            .map(|one| match one {
                FileNews::Published(served) => format!("published {}", served.flow.name),
                FileNews::Found(_, found) => format!("found {}", found[0].code),
                FileNews::Refused(_, why) => format!("refused {why}"),
                FileNews::SwitchedOff(name) => format!("off {name}"),
                FileNews::Export(path) => format!("export {}", path.file_name().unwrap().display()),
                FileNews::Unreadable(_) => "unreadable".into(),
            })
            .collect()
    }

    async fn served(&self) -> Vec<Served> {
        self.runtime.served().await.unwrap()
    }

    /// As a new process on the same data.
    async fn restart(&mut self) {
        self.runtime.stop().await.unwrap();
        self.runtime = open(&self.store).await;
        self.looks = FlowFolder::new(vec![self.folder.path().to_owned()]);
    }
}

#[tokio::test]
async fn what_lies_there_is_served_and_on_and_a_change_is_taken_when_it_has_settled() {
    let mut place = Place::new(&[("a.flow.yaml", GOOD), ("x.test.yaml", "flow: no"), ("old.flopack", "{}")]).await;
    assert_eq!(place.look().await, ["export old.flopack", "published hello"]);
    let before = place.served().await.remove(0);
    assert!(before.on && before.file.as_deref().unwrap().ends_with("a.flow.yaml"));
    assert!(place.look().await.is_empty(), "nothing is told twice");
    place.write("a.flow.yaml", &GOOD.replace("n: 1", "n: 22"));
    assert!(place.look().await.is_empty(), "somebody may be writing it");
    assert_eq!(place.look().await, ["published hello"]);
    assert_ne!(place.served().await[0].hash, before.hash);
}

#[tokio::test]
async fn a_bad_file_never_replaces_a_good_version() {
    let mut place = Place::new(&[("a.flow.yaml", GOOD)]).await;
    place.look().await;
    let before = place.served().await.remove(0);
    for bad in ["flow: hello\ncards: [", "flow: hello\ncards:\n  - card: no/such\n"] {
        place.write("a.flow.yaml", bad);
        place.look().await;
        let news = place.look().await;
        assert!(news[0].starts_with("found"), "{news:?}");
        assert!(!news.iter().any(|one| one.starts_with("off") || one.starts_with("published")), "{news:?}");
        let now = place.served().await.remove(0);
        assert_eq!((now.hash, now.on), (before.hash, true));
        assert!(place.look().await.is_empty(), "it is told once");
    }
    // Also for a process that starts with the bad file.
    place.restart().await;
    place.look().await;
    let now = place.served().await.remove(0);
    assert_eq!((now.hash, now.on), (before.hash, true));
}

#[tokio::test]
async fn a_flow_whose_file_goes_is_switched_off_also_while_nobody_looked() {
    let mut place = Place::new(&[("a.flow.yaml", GOOD)]).await;
    place.look().await;
    fs::remove_file(place.path("a.flow.yaml")).unwrap();
    assert!(place.look().await.is_empty(), "an editor may be putting it back");
    assert_eq!(place.look().await, ["off hello"]);
    assert!(!place.served().await[0].on);
    place.write("a.flow.yaml", GOOD);
    place.look().await;
    assert_eq!(place.look().await, ["published hello"]);
    assert!(place.served().await[0].on);
    // A person's switch is theirs: a new version does not turn it.
    place.runtime.switch(&"hello".parse().unwrap(), false).await.unwrap();
    place.write("a.flow.yaml", &GOOD.replace("n: 1", "n: 333"));
    place.look().await;
    place.look().await;
    assert!(!place.served().await[0].on);
    place.runtime.switch(&"hello".parse().unwrap(), true).await.unwrap();
    fs::remove_file(place.path("a.flow.yaml")).unwrap();
    place.restart().await;
    assert_eq!(place.look().await, ["off hello"]);
}

#[tokio::test]
async fn a_flow_moves_to_another_file_and_two_files_do_not_fight_over_one() {
    let mut place = Place::new(&[("a.flow.yaml", GOOD), ("b.flow.yaml", &GOOD.replace("n: 1", "n: 2"))]).await;
    let news = place.look().await;
    assert_eq!(news[0], "published hello");
    assert!(news[1].contains("comes from") && news.len() == 2, "{news:?}");
    fs::remove_file(place.path("a.flow.yaml")).unwrap();
    place.look().await;
    let mut news = place.look().await;
    news.extend(place.look().await);
    assert_eq!(news, ["off hello", "published hello"]);
    let served = place.served().await.remove(0);
    assert!(served.on && served.file.unwrap().ends_with("b.flow.yaml"));
}

#[tokio::test]
async fn a_helper_in_its_own_file_is_part_of_the_flow() {
    let calls = "flow: outer\ncards:\n  - id: inner\n    call_flow: inner\n  - return: { n: \"${inner.n}\" }\nhelpers: { inner: { file: parts/inner.yaml } }\n";
    let inner = "flow: inner\noutputs: { n: number }\ncards:\n  - return: { n: 1 }\n";
    let mut place = Place::new(&[("outer.flow.yaml", calls)]).await;
    let news = place.look().await;
    assert!(news.len() == 1 && news[0].starts_with("found"), "its helper is missing: {news:?}");
    fs::create_dir(place.path("parts")).unwrap();
    place.write("parts/inner.yaml", inner);
    place.look().await;
    assert_eq!(place.look().await, ["published outer"]);
    let before = place.served().await[0].hash;
    place.write("parts/inner.yaml", &inner.replace("n: 1", "n: 22"));
    place.look().await;
    assert_eq!(place.look().await, ["published outer"]);
    assert_ne!(place.served().await[0].hash, before);
}

#[tokio::test]
async fn a_run_that_waits_calls_the_helper_as_its_file_was_when_the_run_began() {
    let calls = "flow: outer\ncards:\n  - wait: { signal: go }\n  - id: inner\n    call_flow: inner\n  - return: { n: \"${inner.n}\" }\nhelpers: { inner: { file: parts/inner.yaml } }\n";
    let inner = "flow: inner\noutputs: { n: number }\ncards:\n  - return: { n: 1 }\n";
    let mut place = Place::new(&[]).await;
    fs::create_dir(place.path("parts")).unwrap();
    place.write("parts/inner.yaml", inner);
    place.write("outer.flow.yaml", calls);
    let name = "outer".parse().unwrap();
    let mut runs = Vec::new();
    for n in [1, 22] {
        place.write("parts/inner.yaml", &inner.replace("n: 1", &format!("n: {n}")));
        while !place.look().await.contains(&"published outer".to_owned()) {}
        runs.push((place.runtime.start_served(&name, Default::default(), None, None).await.unwrap().unwrap(), n));
        place.runtime.run_until_idle().await.unwrap();
    }
    fs::remove_file(place.path("parts/inner.yaml")).unwrap();
    place.restart().await;
    for (run, n) in runs {
        place.runtime.signal(run, "go", serde_json::Value::Null).await.unwrap();
        place.runtime.run_until_idle().await.unwrap();
        assert_eq!(place.runtime.run_view(run).await.unwrap().output.unwrap().get("n"), &serde_json::json!(n));
    }
}

#[tokio::test]
async fn a_folder_that_cannot_be_read_is_not_an_empty_one() {
    let mut place = Place::new(&[("a.flow.yaml", GOOD)]).await;
    place.look().await;
    let (here, away) = (place.folder.path().to_owned(), place.folder.path().with_extension("away"));
    fs::rename(&here, &away).unwrap();
    assert_eq!(place.look().await, ["unreadable"]);
    assert!(place.look().await.is_empty() && place.look().await.is_empty());
    assert!(place.served().await[0].on);
    fs::rename(&away, &here).unwrap();
    assert!(place.look().await.is_empty());
}
