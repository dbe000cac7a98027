//! Okta's cards: requests by their documentation, values that cannot leave their place, look-ups.
//!
//! Must never leave loopback.
//! Tests: this is the test; against a server by others in `tests/emulate/`.

use flowdeck_engine::ports::{CardOutcome, LookUp};
use serde_json::{Value, json};

use crate::actions::support::*;

#[tokio::test]
async fn every_action_sends_what_the_documentation_says() {
    let server = Server::start(|_| reply(200, "", &json!({}))).await;
    let rows: Vec<(&str, Value, &str, &str)> = vec![
        ("readUser", json!({"ID or Login": "a@b.c"}), "GET /api/v1/users/a%40b.c", ""),
        (
            "createUser",
            json!({"login": "a@b.c", "email": "a@b.c", "firstName": "A", "lastName": "B", "Activate": false, "department": "Sales", "Password": null}),
            "POST /api/v1/users?activate=false",
            r#"{"profile":{"login":"a@b.c","email":"a@b.c","firstName":"A","lastName":"B","department":"Sales"}}"#,
        ),
        (
            "updateUser",
            json!({"ID": "u1", "title": "Boss", "lastName": ""}),
            "POST /api/v1/users/u1",
            r#"{"profile":{"lastName":"","title":"Boss"}}"#,
        ),
        ("suspendUser", json!({"id": "u1"}), "POST /api/v1/users/u1/lifecycle/suspend", ""),
        ("unsuspendUser", json!({"id": "u1"}), "POST /api/v1/users/u1/lifecycle/unsuspend", ""),
        (
            "activateUser",
            json!({"id": "u1", "sendEmail": "Yes"}),
            "POST /api/v1/users/u1/lifecycle/activate?sendEmail=true",
            "",
        ),
        (
            "deactivateUser",
            json!({"id": "u1", "sendEmail": "No"}),
            "POST /api/v1/users/u1/lifecycle/deactivate?sendEmail=false",
            "",
        ),
        ("unlockUser", json!({"id": "u1"}), "POST /api/v1/users/u1/lifecycle/unlock", ""),
        ("expirePassword", json!({"id": "u1"}), "POST /api/v1/users/u1/lifecycle/expire_password", ""),
        ("resetFactors", json!({"id": "u1"}), "POST /api/v1/users/u1/lifecycle/reset_factors", ""),
        (
            "resetPassword",
            json!({"userID": "u1", "email": false}),
            "POST /api/v1/users/u1/lifecycle/reset_password?sendEmail=false",
            "",
        ),
        ("deleteUser", json!({"ID": "u1"}), "DELETE /api/v1/users/u1", ""),
        (
            "clearUserSessions",
            json!({"ID": "u1", "Revoke oauthTokens?": true}),
            "DELETE /api/v1/users/u1/sessions?oauthTokens=true",
            "",
        ),
        ("getUsersGroups", json!({"ID": "u1"}), "GET /api/v1/users/u1/groups", ""),
        (
            "searchGroups",
            json!({"profile.name": "A \"b\"", "type": "OKTA_GROUP"}),
            "GET /api/v1/groups?search=profile.name+eq+%22A+%5C%22b%5C%22%22+and+type+eq+%22OKTA_GROUP%22",
            "",
        ),
        ("searchGroups", json!({"Query": "Every"}), "GET /api/v1/groups?q=Every", ""),
        ("readGroup", json!({"ID": "g1"}), "GET /api/v1/groups/g1", ""),
        ("createGroup", json!({"Name": "N"}), "POST /api/v1/groups", r#"{"profile":{"name":"N"}}"#),
        (
            "updateGroup",
            json!({"ID": "g1", "Name": "N", "Description": "D"}),
            "PUT /api/v1/groups/g1",
            r#"{"profile":{"name":"N","description":"D"}}"#,
        ),
        ("deleteGroup", json!({"ID": "g1"}), "DELETE /api/v1/groups/g1", ""),
        ("listGroupMembers", json!({"groupId": "g1", "Limit": 10}), "GET /api/v1/groups/g1/users?limit=10", ""),
        ("addNewUserToGroup", json!({"Group id": "g1", "User id": "u1"}), "PUT /api/v1/groups/g1/users/u1", ""),
        ("removeUserFromGroup", json!({"Group id": "g1", "User id": "u1"}), "DELETE /api/v1/groups/g1/users/u1", ""),
        ("searchApplications", json!({"Query": "Pay"}), "GET /api/v1/apps?q=Pay&limit=200", ""),
        ("readApplication", json!({"applicationID": "a1"}), "GET /api/v1/apps/a1", ""),
        ("listUsersAssignedToApplication", json!({"applicationID": "a1"}), "GET /api/v1/apps/a1/users?limit=200", ""),
        ("listGroupsAssignedToApplication", json!({"applicationID": "a1"}), "GET /api/v1/apps/a1/groups?limit=200", ""),
        (
            "listApplicationsAssignedToUser",
            json!({"userID": "u1"}),
            "GET /api/v1/apps?filter=user.id+eq+%22u1%22&limit=200",
            "",
        ),
        (
            "assignUserToApplicationForSSO",
            json!({"applicationID": "a1", "id": "u1", "Scope": "USER"}),
            "POST /api/v1/apps/a1/users",
            r#"{"id":"u1","scope":"USER"}"#,
        ),
        (
            "assignUserToApplicationForSSO",
            json!({"applicationID": "a1", "id": "u1", "Username": "x"}),
            "POST /api/v1/apps/a1/users",
            r#"{"id":"u1","credentials":{"userName":"x"}}"#,
        ),
        (
            "removeUserFromApplication",
            json!({"applicationID": "a1", "id": "u1"}),
            "DELETE /api/v1/apps/a1/users/u1",
            "",
        ),
        (
            "assignGroupToApplication",
            json!({"applicationID": "a1", "groupID": "g1"}),
            "PUT /api/v1/apps/a1/groups/g1",
            "{}",
        ),
        (
            "searchSystemLogs",
            json!({"since": "2026-01-01T00:00:00Z", "order": "ASCENDING"}),
            "GET /api/v1/logs?since=2026-01-01T00%3A00%3A00Z&sortOrder=ASCENDING&limit=1000",
            "",
        ),
        ("searchUsers", json!({"Query": "ann"}), "GET /api/v1/users?q=ann&limit=200", ""),
        ("listUsersWithFilter", json!({}), "GET /api/v1/users?limit=200", ""),
        (
            "listUsersWithFilter",
            json!({"profile.email": "a@b.c", "limit": 5}),
            "GET /api/v1/users?limit=5&filter=profile.email+eq+%22a%40b.c%22",
            "",
        ),
        (
            "listUsersWithSearch",
            json!({"Custom Search Criteria": "status pr", "status": "ACTIVE"}),
            "GET /api/v1/users?limit=200&search=%28status+pr%29+and+status+eq+%22ACTIVE%22",
            "",
        ),
        (
            "listUsersWithSearch",
            json!({"status": "ACTIVE", "sortBy": "profile.lastName"}),
            "GET /api/v1/users?limit=200&search=status+eq+%22ACTIVE%22&sortBy=profile.lastName",
            "",
        ),
        (
            "hTTPRequest",
            json!({"requestType": "POST", "Relative URL": "/api/v1/zones", "Query": {"a": 1}, "Body": {"x": null}}),
            "POST /api/v1/zones?a=1",
            r#"{"x":null}"#,
        ),
        (
            "reactivateUser",
            json!({"id": "u1", "sendEmail": "Yes"}),
            "POST /api/v1/users/u1/lifecycle/reactivate?sendEmail=true",
            "",
        ),
        ("listUserFactors", json!({"User ID": "u1"}), "GET /api/v1/users/u1/factors", ""),
        ("resetFactor", json!({"User ID": "u1", "Factor ID": "f1"}), "DELETE /api/v1/users/u1/factors/f1", ""),
        ("listUserRoles", json!({"User ID": "u1"}), "GET /api/v1/users/u1/roles", ""),
        (
            "assignRoleToUser",
            json!({"User ID": "u1", "Role": "READ_ONLY_ADMIN"}),
            "POST /api/v1/users/u1/roles",
            r#"{"type":"READ_ONLY_ADMIN"}"#,
        ),
        ("removeRoleFromUser", json!({"User ID": "u1", "Role ID": "r1"}), "DELETE /api/v1/users/u1/roles/r1", ""),
        ("listGroupApplications", json!({"groupId": "g1"}), "GET /api/v1/groups/g1/apps?limit=200", ""),
        ("activateGroupRule", json!({"Rule ID": "r1"}), "POST /api/v1/groups/rules/r1/lifecycle/activate", ""),
        ("deactivateGroupRule", json!({"Rule ID": "r1"}), "POST /api/v1/groups/rules/r1/lifecycle/deactivate", ""),
        ("activateApplication", json!({"applicationID": "a1"}), "POST /api/v1/apps/a1/lifecycle/activate", ""),
        (
            "deactivateApplication",
            json!({"applicationID": "", "application": "a1"}),
            "POST /api/v1/apps/a1/lifecycle/deactivate",
            "",
        ),
        ("getAssignedUserForApplication", json!({"application": "a1", "id": "u1"}), "GET /api/v1/apps/a1/users/u1", ""),
        (
            "assignUserToApplicationForSSOAndProvisioning",
            json!({"application": "a1", "id": "u1", "role": "boss"}),
            "POST /api/v1/apps/a1/users",
            r#"{"id":"u1","profile":{"role":"boss"}}"#,
        ),
        (
            "updateAssignedUserForApplication",
            json!({"applicationID": "a1", "id": "u1", "role": "boss"}),
            "POST /api/v1/apps/a1/users/u1",
            r#"{"profile":{"role":"boss"}}"#,
        ),
        (
            "removeGroupFromApplication",
            json!({"applicationID": "a1", "application": "-- Enter Application ID --", "groupID": "g1"}),
            "DELETE /api/v1/apps/a1/groups/g1",
            "",
        ),
        ("createAnImportSession", json!({"application": "a1"}), "POST /api/v1/identity-sources/a1/sessions", ""),
        ("listImportSessions", json!({"application": "a1"}), "GET /api/v1/identity-sources/a1/sessions", ""),
        (
            "deleteImportSession",
            json!({"application": "a1", "sessionId": "s1"}),
            "DELETE /api/v1/identity-sources/a1/sessions/s1",
            "",
        ),
        (
            "bulkUserImport",
            json!({"application": "a1", "sessionId": "s1", "Users": [{"externalId": "1"}]}),
            "POST /api/v1/identity-sources/a1/sessions/s1/bulk-upsert",
            r#"{"entityType":"USERS","profiles":[{"externalId":"1"}]}"#,
        ),
        (
            "bulkUserImport",
            json!({"application": "a1", "sessionId": "s1", "importOperation": "delete", "Users": []}),
            "POST /api/v1/identity-sources/a1/sessions/s1/bulk-delete",
            r#"{"entityType":"USERS","profiles":[]}"#,
        ),
        (
            "triggerImportSession",
            json!({"application": "a1", "sessionId": "s1"}),
            "POST /api/v1/identity-sources/a1/sessions/s1/start-import",
            "",
        ),
        ("searchRealms", json!({}), "GET /api/v1/realms?limit=200", ""),
        ("listRealmUsers", json!({"id": "r1"}), "GET /api/v1/users?limit=200&search=realmId+eq+%22r1%22", ""),
        ("suspendDevice", json!({"Device ID": "d1"}), "POST /api/v1/devices/d1/lifecycle/suspend", ""),
        ("deactivateDevice", json!({"Device ID": "d1"}), "POST /api/v1/devices/d1/lifecycle/deactivate", ""),
        ("readDevice", json!({"Device ID": "d1"}), "GET /api/v1/devices/d1", ""),
    ];
    let mut seen: Vec<&str> = rows.iter().map(|row| row.0).collect();
    for (card, inputs, line, body) in rows {
        done(&server.url, &format!("okta/{card}"), inputs).await;
        assert_eq!(server.last(), (line.to_owned(), body.to_owned()), "{card}");
    }
    seen.dedup();
    let host = host(&server.url);
    let app = host.apps().app("okta").unwrap();
    let asks = app.file.actions.iter().filter(|(_, action)| action.request.is_some());
    let declared: Vec<&str> = asks.map(|(name, _)| name.as_str()).collect();
    let missing: Vec<&&str> = declared.iter().filter(|card| !seen.contains(card)).collect();
    assert!(missing.is_empty(), "no row for {missing:?}");
}

#[tokio::test]
async fn users_have_readable_names_and_custom_attributes() {
    let user = json!({"id": "u1", "status": "ACTIVE", "lastLogin": null, "profile": {"login": "a@b.c", "firstName": "Ann", "costCenter": "42", "ID": "shadow"}});
    let server = Server::start(move |_| reply(200, "", &user)).await;
    let user = done(&server.url, "okta/readUser", json!({"ID or Login": "u1"})).await;
    let rows = [
        ("ID", json!("u1")),
        ("Last Login", Value::Null),
        ("Login", json!("a@b.c")),
        ("First name", json!("Ann")),
        ("costCenter", json!("42")),
    ];
    for (key, expected) in rows {
        assert_eq!(user.get(key), &expected, "{key}");
    }
}

#[tokio::test]
async fn values_cannot_leave_their_place() {
    let server = Server::start(|_| reply(200, "", &json!({}))).await;
    done(&server.url, "okta/readUser", json!({"ID or Login": "a/../../x?y#z"})).await;
    assert_eq!(server.last().0, "GET /api/v1/users/a%2F..%2F..%2Fx%3Fy%23z");
    done(&server.url, "okta/listUsersWithFilter", json!({"status": "X\" or status pr or \""})).await;
    assert!(server.last().0.ends_with("filter=status+eq+%22X%5C%22+or+status+pr+or+%5C%22%22"), "{:?}", server.last());
    let asked = server.count();
    for bad in ["", "..", "."] {
        let outcome = call(&server.url, "okta/readUser", json!({"ID or Login": bad}), None).await;
        assert!(matches!(outcome, CardOutcome::Failed { .. }), "{bad}");
    }
    assert_eq!(server.count(), asked, "something was sent");
}

#[tokio::test]
async fn a_write_in_doubt_is_looked_up() {
    let check = async |card: &str, inputs: Value, status: u16, body: Value, expected: &str| {
        let server = Server::start(move |_| reply(status, "", &body)).await;
        let found = match look_up(&server.url, card, inputs).await {
            LookUp::Happened(_) => "happened",
            LookUp::DidNot => "did not",
            LookUp::CannotTell => "cannot tell",
            LookUp::Refused(_) => "refused",
        };
        assert_eq!(found, expected, "{card} {status}");
        assert!(server.last().0.starts_with("GET "), "{card}: a look-up only looks");
    };
    let id = || json!({"id": "u1"});
    check("okta/suspendUser", id(), 200, json!({"status": "SUSPENDED"}), "happened").await;
    check("okta/suspendUser", id(), 200, json!({"status": "ACTIVE"}), "did not").await;
    check("okta/suspendUser", id(), 404, json!({}), "cannot tell").await;
    check("okta/suspendUser", id(), 401, json!({"errorCode": "E0000011"}), "refused").await;
    check("okta/suspendUser", id(), 500, json!({}), "cannot tell").await;
    check("okta/unsuspendUser", id(), 200, json!({"status": "SUSPENDED"}), "did not").await;
    check("okta/deactivateUser", id(), 200, json!({"status": "DEPROVISIONED"}), "happened").await;
    let login = || json!({"login": "a@b.c"});
    check("okta/createUser", login(), 200, json!({"id": "u9"}), "happened").await;
    check("okta/createUser", login(), 404, json!({}), "did not").await;
    check("okta/createGroup", json!({"Name": "N"}), 200, json!([{"id": "g", "profile": {"name": "N"}}]), "happened")
        .await;
    check("okta/createGroup", json!({"Name": "N"}), 200, json!([]), "cannot tell").await;
}

#[tokio::test]
async fn the_idempotency_key_is_sent_where_the_app_honours_one() {
    let server = Server::start(|_| reply(201, "", &json!({"id": "per_1"}))).await;
    let person = || json!({"name": "A", "email": "a@b.c"});
    let key = |server: &Server| {
        let asked = server.asked.lock().unwrap().last().unwrap().to_lowercase();
        asked.lines().find_map(|line| line.strip_prefix("idempotency-key: ").map(str::to_owned)).unwrap()
    };
    done(&server.url, "playground/createPerson", person()).await;
    let first = key(&server);
    let mut again = card_call(&server.url, "playground/createPerson", person(), None);
    again.attempt = 2;
    host(&server.url).perform(again.clone()).await;
    assert_eq!(key(&server), first, "the same key at the next attempt");
    again.idempotency_key = "run/step/1".into();
    host(&server.url).perform(again).await;
    assert_ne!(key(&server), first, "another key after a manual retry");
}
