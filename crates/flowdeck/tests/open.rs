//! Opening: every reason to refuse is typed, names the place, and says what to do.
//!
//! Must never leave loopback.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::Path;

use flowdeck::{Runtime, RuntimeBuilder, RuntimeError};

fn builder(root: &Path) -> RuntimeBuilder {
    Runtime::builder().data(root.join(".flowdeck")).key_bytes([1; 32])
}

async fn refused(builder: RuntimeBuilder) -> RuntimeError {
    match builder.open().await {
        Ok(_) => panic!("it opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn a_held_folder_names_the_process_that_holds_it() {
    let root = tempfile::tempdir().unwrap();
    let first = builder(root.path()).open().await.unwrap();
    let error = refused(builder(root.path())).await;
    let RuntimeError::Held { pid, .. } = &error else { panic!("{error}") };
    assert_eq!((pid.as_str(), error.code()), (std::process::id().to_string().as_str(), "store.held"));
    first.stop().await.unwrap();
    drop(first);
    builder(root.path()).open().await.unwrap();
}

#[tokio::test]
async fn another_key_is_refused_before_anything_is_done() {
    let root = tempfile::tempdir().unwrap();
    drop(builder(root.path()).open().await.unwrap());
    let error = refused(builder(root.path()).key_bytes([2; 32])).await;
    assert!(matches!(&error, RuntimeError::Key { .. }) && error.to_string().contains("key file"), "{error}");
    builder(root.path()).open().await.unwrap();
}

#[tokio::test]
async fn a_key_is_needed_and_lies_outside_the_data_folder() {
    let root = tempfile::tempdir().unwrap();
    let data = root.path().join(".flowdeck");
    let none = refused(Runtime::builder().data(&data)).await;
    assert_eq!(none.code(), "key.unusable");
    for inside in [data.join("key"), data.join("deep/key"), root.path().join("x/../.flowdeck/key")] {
        fs::create_dir_all(root.path().join("x")).unwrap();
        fs::create_dir_all(&data).unwrap();
        let error = refused(Runtime::builder().data(&data).key_file(&inside)).await;
        assert!(error.to_string().contains("inside the data folder"), "{}: {error}", inside.display());
        assert!(!inside.exists());
    }
    let outside = root.path().join("keys/key");
    Runtime::builder().data(&data).key_file(&outside).open().await.unwrap();
    assert!(outside.exists());
}

#[tokio::test]
async fn damage_names_the_folder_and_the_remedy() {
    let root = tempfile::tempdir().unwrap();
    drop(builder(root.path()).open().await.unwrap());
    let log = root.path().join(".flowdeck/store/log");
    for file in fs::read_dir(&log).unwrap() {
        fs::remove_file(file.unwrap().path()).unwrap();
    }
    let error = refused(builder(root.path())).await;
    let RuntimeError::Damaged { folder, remedy, .. } = &error else { panic!("{error}") };
    assert!(folder.ends_with("store") && !remedy.is_empty(), "{error}");
}

#[tokio::test]
async fn settings_that_make_no_sense_are_named() {
    let nowhere = refused(Runtime::builder().key_bytes([1; 32])).await;
    assert!(nowhere.to_string().contains("`data`"), "{nowhere}");
    let host = refused(Runtime::builder().memory().allow_http("no host at all:99999999")).await;
    assert!(host.to_string().contains("99999999"), "{host}");
    let root = tempfile::tempdir().unwrap();
    let lock = flowdeck::store::try_lock(&root.path().join("elsewhere")).unwrap();
    assert!(matches!(builder(root.path()).open_locked(lock).await, Err(RuntimeError::Setting(_))));
}
