//! App files of a user: taken from the data folder, never in place of what comes with flowdeck.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::fs;

use flowdeck::model::Catalogue;
use flowdeck::{Runtime, RuntimeError};

fn app(name: &str) -> String {
    format!(
        "app: {name}\ntitle: T\nsummary: S.\nversion: \"1\"\nbase_url: \"http://127.0.0.1:1\"\nactions:\n  ping:\n    title: Ping\n    summary: Pings.\n    effect: observe\n    request: {{ method: GET, path: / }}\n"
    )
}

async fn with(files: &[(&str, &str)]) -> Result<Runtime, RuntimeError> {
    let mut builder = Runtime::builder().memory();
    for (name, text) in files {
        builder = builder.app_file(name, text);
    }
    builder.open().await
}

#[tokio::test]
async fn names_that_are_taken_are_refused() {
    for (name, why) in [
        ("okta", "comes with flowdeck"),
        ("playground", "comes with flowdeck"),
        ("tables", "family of cards"),
        ("date", "family of cards"),
    ] {
        let error = with(&[("mine.app.yaml", &app(name))]).await.unwrap_err();
        assert!(matches!(&error, RuntimeError::AppFile { file, .. } if file == "mine.app.yaml"), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
    let error = with(&[("a.app.yaml", &app("mine")), ("b.app.yaml", &app("mine"))]).await.unwrap_err();
    assert!(error.to_string().contains("a.app.yaml too"), "{error}");
    let error = with(&[("a.app.yaml", "app: [")]).await.unwrap_err();
    assert_eq!(error.code(), "app.file");
}

#[tokio::test]
async fn files_in_the_data_folder_are_taken_in_order() {
    let root = tempfile::tempdir().unwrap();
    let apps = root.path().join(".flowdeck/apps");
    fs::create_dir_all(&apps).unwrap();
    fs::write(apps.join("mine.app.yaml"), app("mine")).unwrap();
    fs::write(apps.join("notes.txt"), "not an app").unwrap();
    fs::write(apps.join(".hidden.app.yaml"), "not: [read").unwrap();
    let open = || Runtime::builder().data(root.path().join(".flowdeck")).key_bytes([1; 32]).open();
    let runtime = open().await.unwrap();
    assert!(runtime.cards().card(&"mine/ping".parse().unwrap()).is_some());
    runtime.stop().await.unwrap();
    drop(runtime);
    fs::write(apps.join("big.app.yaml"), vec![b' '; (4 << 20) + 1]).unwrap();
    assert!(open().await.unwrap_err().to_string().contains("larger than"));
}
