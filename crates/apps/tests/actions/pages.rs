//! Further pages: each way of asking for them, and that they stay on their host.
//!
//! Must never leave loopback.
//! Tests: this is the test.

use flowdeck_engine::ports::CardOutcome;
use flowdeck_model::Value;
use serde_json::json;

use crate::actions::support::*;

/// Follows pages to the end and gives the paths asked for and the items.
async fn walk(server: &Server, card: &str, inputs: Value, output: &str) -> (Vec<String>, Vec<Value>) {
    let (mut paths, mut items, mut page) = (Vec::new(), Vec::new(), None);
    for _ in 0..10 {
        let outcome = call(&server.url, card, inputs.clone(), page).await;
        let CardOutcome::Done { outputs, next_page } = outcome else { panic!("{outcome:?}") };
        paths.push(server.last().0);
        items.extend(outputs.get(output).as_array().unwrap().clone());
        page = next_page;
        if page.is_none() {
            return (paths, items);
        }
    }
    panic!("no end: {paths:?}")
}

#[tokio::test]
async fn links_of_okta_are_followed_and_keep_the_filter() {
    let server = Server::start(|head| {
        let more = !head.contains("after=2");
        let link = "Link: </api/v1/users?limit=200>; rel=\"self\"\r\nLink: </api/v1/users?after=2&limit=200>; rel=\"next\"\r\n";
        reply(200, if more { link } else { "" }, &json!([{"id": if more { "u1" } else { "u2" }}]))
    })
    .await;
    let (paths, items) = walk(&server, "okta/listUsersWithFilter", json!({"status": "ACTIVE"}), "Users").await;
    assert_eq!(
        paths,
        ["GET /api/v1/users?limit=200&filter=status+eq+%22ACTIVE%22", "GET /api/v1/users?after=2&limit=200"]
    );
    assert_eq!(items.iter().map(|u| u["ID"].clone()).collect::<Vec<_>>(), ["u1", "u2"]);
}

#[tokio::test]
async fn the_first_is_one_and_the_first_two_hundred_are_no_more() {
    let server = Server::start(|_| {
        let groups: Vec<Value> = (0..300).map(|n| json!({"id": format!("g{n}"), "profile": {"name": "a"}})).collect();
        reply(200, "Link: </api/v1/groups?after=2>; rel=\"next\"\r\n", &json!(groups))
    })
    .await;
    for (set, most) in [("First Matching Record", 1), ("First 200 Matching Records", 200)] {
        let outcome = call(&server.url, "okta/searchGroups", json!({"Query": "a", "resultSet": set}), None).await;
        let CardOutcome::Done { outputs, next_page } = outcome else { panic!("{outcome:?}") };
        assert_eq!(outputs.get("Groups").as_array().unwrap().len(), most, "{set}");
        assert_eq!((outputs.get("ID"), next_page), (&json!("g0"), None), "{set}");
    }
    let outcome = call(&server.url, "okta/searchGroups", json!({"Query": "a"}), None).await;
    let CardOutcome::Done { outputs, next_page } = outcome else { panic!("{outcome:?}") };
    assert!(outputs.get("Groups").as_array().unwrap().len() == 300 && next_page.is_some());
}

#[tokio::test]
async fn cursors_of_the_playground_are_followed() {
    let server = Server::start(|head| {
        let next = if head.contains("cursor=c2") { Value::Null } else { json!("c2") };
        reply(200, "", &json!({"people": [{"id": "per"}], "next": next}))
    })
    .await;
    let (paths, items) = walk(&server, "playground/listPeople", json!({"q": "a"}), "people").await;
    assert_eq!(paths, ["GET /api/people?q=a&limit=100", "GET /api/people?q=a&limit=100&cursor=c2"]);
    assert_eq!(items.len(), 2);
}

#[tokio::test]
async fn a_next_page_on_another_host_is_refused() {
    for link in ["https://evil.example/api", "http://127.0.0.1:1/api", "//evil.example/x", "javascript:x", ""] {
        let header = format!("Link: <{link}>; rel=\"next\"\r\n");
        let server = Server::start(move |_| reply(200, &header, &json!([]))).await;
        let outcome = call(&server.url, "okta/listUsersWithFilter", json!({}), None).await;
        let leads_home = link.is_empty();
        assert_eq!(matches!(outcome, CardOutcome::Done { .. }), leads_home, "{link}: {outcome:?}");
    }
    let server = Server::start(|_| reply(200, "", &json!([]))).await;
    let page = Some(json!("https://evil.example/api"));
    let outcome = call(&server.url, "okta/listUsersWithFilter", json!({}), page).await;
    assert!(matches!(outcome, CardOutcome::Failed { .. }) && server.count() == 0, "{outcome:?}");
}

#[tokio::test]
async fn a_list_taken_whole_has_every_page_and_an_end() {
    let whole = async |server: &Server| {
        let mut call = card_call(&server.url, "playground/listPeople", json!({"q": "a"}), None);
        call.all_pages = true;
        host(&server.url).perform(call).await
    };
    let server = Server::start(|head| {
        let next = if head.contains("cursor=c2") { Value::Null } else { json!("c2") };
        reply(200, "", &json!({"people": [{"id": if next.is_null() { "p2" } else { "p1" }}], "next": next}))
    })
    .await;
    let CardOutcome::Done { outputs, next_page: None } = whole(&server).await else { panic!("not whole") };
    let ids: Vec<_> = outputs.get("people").as_array().unwrap().iter().map(|p| p["id"].clone()).collect();
    assert_eq!((ids, server.count()), (vec![json!("p1"), json!("p2")], 2));

    let endless = Server::start(|_| reply(200, "", &json!({"people": [], "next": "again"}))).await;
    let CardOutcome::Failed { fault, .. } = whole(&endless).await else { panic!("it ended") };
    assert!(fault.remedy.contains("pages"), "{fault}");

    // Trouble in the middle is the trouble of the whole: nothing is left out silently.
    let broken = Server::start(|head| {
        let status = if head.contains("cursor=c2") { 500 } else { 200 };
        reply(status, "", &json!({"people": [{"id": "p1"}], "next": "c2"}))
    })
    .await;
    assert!(matches!(whole(&broken).await, CardOutcome::Failed { transient: true, .. }));
}
