//! GitHub's cards against an emulated GitHub.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use serde_json::json;

use crate::emulate::emulator::Emulator;

#[tokio::test]
async fn a_change_goes_from_branch_to_pull_request() {
    let seed = json!({
        "users": [{"login": "octocat", "name": "Octo", "email": "octocat@example.com"}, {"login": "ann", "name": "Ann", "email": "ann@example.com"}],
        "repos": [{"owner": "octocat", "name": "site", "auto_init": true}],
    });
    let Some(github) = Emulator::start("github", seed, &[("github.api", "")]).await else { return };
    let found =
        github.done("github/searchUsers", json!({"Public Email": "ann@example.com", "org": "-- Not In Org --"})).await;
    assert_eq!(found.get("Username"), "ann");
    let added = json!({"Username": "ann", "Owner": "octocat", "Name": "site"});
    assert!(github.done("github/addUserToRepository", added).await.get("Status Code").as_u64().unwrap() < 300);
    let site = json!({"org": "octocat", "repo": "site"});
    let with = |more: serde_json::Value| {
        let mut all = site.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let main = github.done("github/searchBranches", with(json!({"Name": "main"}))).await;
    let branch = json!({"Branch Name": "docs/new", "Commit SHA": main.get("Commit SHA")});
    let branch = github.done("github/createBranch", with(branch)).await;
    assert_eq!(branch.get("Branch Full Name"), "refs/heads/docs/new");
    let file =
        |text: &str| json!({"Path": "docs/a b.md", "File Content": text, "Message": "docs", "Branch Name": "docs/new"});
    let made = github.done("github/createFileContent", with(file("one"))).await;
    assert_eq!(made.get("File Path"), "docs/a b.md");
    let changed = github.done("github/updateFileContent", with(file("two"))).await;
    assert_ne!(changed.get("Content SHA"), made.get("Content SHA"));
    let pull = json!({"Title": "Docs", "Description": "New", "BASE Branch": "main", "HEAD Branch": "docs/new"});
    let pull = github.done("github/createPullRequest", with(pull)).await;
    assert_eq!((pull.get("State"), pull.get("HEAD Branch")), (&json!("open"), &json!("docs/new")));
}
