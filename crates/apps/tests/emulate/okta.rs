//! Okta's cards against a stateful Okta API that others wrote: npm `emulate`, pinned in `tests/npm`.
//!
//! Must never leave loopback.
//! Tests: this is the test. `cargo xtask setup` fetches the package; `FLOWDECK_NPM` names its folder.
use flowdeck_engine::ports::CardOutcome;
use flowdeck_model::{Fields, Value};
use serde_json::json;

use crate::emulate::emulator::Emulator;

struct Okta(Emulator);

impl Okta {
    async fn start() -> Option<Self> {
        let users: Vec<Value> = (1..=7)
            .map(|n| json!({"okta_id": format!("00u{n}"), "login": format!("p{n}@example.com"), "first_name": "P", "last_name": n.to_string()}))
            .collect();
        let seed = json!({
            "users": users,
            "groups": [{"okta_id": "00g1", "name": "Newcomers", "description": "New here"}],
            "apps": [{"okta_id": "0oa1", "name": "payroll", "label": "Payroll"}],
        });
        Emulator::start("okta", seed, &[]).await.map(Self)
    }

    async fn call(&self, card: &str, inputs: Value, page: Option<Value>) -> CardOutcome {
        self.0.call(&format!("okta/{card}"), inputs, page).await
    }

    async fn done(&self, card: &str, inputs: Value) -> Fields {
        self.0.done(&format!("okta/{card}"), inputs).await
    }

    async fn status(&self, id: &str) -> Value {
        self.done("readUser", json!({"ID or Login": id})).await.get("Status").clone()
    }
}

#[tokio::test]
async fn users_live_through_their_lifecycle() {
    let Some(okta) = Okta::start().await else { return };
    let person = json!({"login": "new@example.com", "email": "new@example.com", "firstName": "Ada", "lastName": "New", "Activate": false});
    let made = okta.done("createUser", person.clone()).await;
    assert_eq!((made.get("Status"), made.get("First name")), (&json!("STAGED"), &json!("Ada")));
    let id = made.get("ID").as_str().unwrap().to_owned();
    let again = okta.call("createUser", person, None).await;
    assert!(
        matches!(&again, CardOutcome::Failed { fault, .. } if fault.message.contains("already exists")),
        "{again:?}"
    );
    for (card, status) in [
        ("activateUser", "ACTIVE"),
        ("suspendUser", "SUSPENDED"),
        ("unsuspendUser", "ACTIVE"),
        ("deactivateUser", "DEPROVISIONED"),
    ] {
        assert_eq!(okta.done(card, json!({"id": id})).await.get("statusCode"), &json!(200), "{card}");
        assert_eq!(okta.status(&id).await, status, "{card}");
    }
    let changed = okta.done("updateUser", json!({"ID": id, "lastName": "Old"})).await;
    assert_eq!((changed.get("Last name"), changed.get("First name")), (&json!("Old"), &json!("Ada")), "others stay");
    assert_eq!(okta.done("deleteUser", json!({"ID": id})).await.get("Status Code"), &json!(204));
    let gone = okta.call("readUser", json!({"ID or Login": id}), None).await;
    assert!(matches!(&gone, CardOutcome::Failed { fault, .. } if fault.status == Some(404)), "{gone:?}");
}

#[tokio::test]
async fn lists_come_page_by_page_and_filtered() {
    let Some(okta) = Okta::start().await else { return };
    okta.done("suspendUser", json!({"id": "00u3"})).await;
    let (mut page, mut ids) = (None, Vec::new());
    let mut pages = 0;
    loop {
        let outcome = okta.call("listUsersWithFilter", json!({"limit": 3}), page).await;
        let CardOutcome::Done { outputs, next_page } = outcome else { panic!("{outcome:?}") };
        ids.extend(outputs.get("Users").as_array().unwrap().iter().map(|u| u["ID"].to_string()));
        pages += 1;
        page = next_page;
        if page.is_none() || pages > 20 {
            break;
        }
    }
    // The emulator counts pages of its own size, so how many there are is its affair; nobody may be lost or doubled.
    ids.sort();
    let all = ids.len();
    ids.dedup();
    assert_eq!(ids.len(), all, "somebody came twice in {pages} pages");
    assert!(ids.len() >= 7, "{ids:?}");
    let suspended = okta.done("listUsersWithFilter", json!({"status": "SUSPENDED"})).await;
    assert_eq!(suspended.get("Users")[0]["ID"], "00u3");
    assert_eq!(suspended.get("Users").as_array().unwrap().len(), 1);
    let found = okta.done("searchUsers", json!({"Query": "p5@"})).await;
    assert_eq!((found.get("ID"), found.get("Login")), (&json!("00u5"), &json!("p5@example.com")));
}

#[tokio::test]
async fn groups_and_applications_take_members() {
    let Some(okta) = Okta::start().await else { return };
    let group = okta.done("createGroup", json!({"Name": "Night shift", "Description": "At night"})).await;
    assert_eq!((group.get("Name"), group.get("Type")), (&json!("Night shift"), &json!("OKTA_GROUP")));
    let id = group.get("ID").clone();
    for _ in 0..2 {
        let added = okta.done("addNewUserToGroup", json!({"Group id": id, "User id": "00u2"})).await;
        assert_eq!(added.get("status"), &json!(204), "again changes nothing");
    }
    let members = okta.done("listGroupMembers", json!({"groupId": id})).await;
    assert_eq!(members.get("Users")[0]["Login"], "p2@example.com");
    assert_eq!(members.get("Users").as_array().unwrap().len(), 1);
    let groups = okta.done("getUsersGroups", json!({"ID": "00u2"})).await;
    assert!(groups.get("Groups").as_array().unwrap().iter().any(|g| g["Name"] == "Night shift"), "{groups:?}");
    assert_eq!(okta.done("searchGroups", json!({"Query": "Night"})).await.get("ID"), &id);
    okta.done("updateGroup", json!({"ID": id, "Name": "Late shift", "Description": "Late"})).await;
    assert_eq!(okta.done("readGroup", json!({"ID": id})).await.get("Description"), &json!("Late"));
    okta.done("removeUserFromGroup", json!({"Group id": id, "User id": "00u2"})).await;
    assert_eq!(okta.done("listGroupMembers", json!({"groupId": id})).await.get("Users"), &json!([]));
    for expected in [204, 404] {
        assert_eq!(okta.done("deleteGroup", json!({"ID": id})).await.get("Status Code"), &json!(expected));
    }
    assert_eq!(okta.done("searchApplications", json!({"Query": "pay"})).await.get("Label"), &json!("Payroll"));
    assert_eq!(okta.done("readApplication", json!({"applicationID": "0oa1"})).await.get("Name"), &json!("payroll"));
    let raw = json!({"requestType": "PUT", "Relative URL": "/api/v1/apps/0oa1/users/00u4"});
    assert_eq!(okta.done("hTTPRequest", raw).await.get("Status Code"), &json!(204));
    let assigned = okta.done("listUsersAssignedToApplication", json!({"applicationID": "0oa1"})).await;
    assert_eq!(assigned.get("Users")[0]["Username"], "p4@example.com");
    okta.done("removeUserFromApplication", json!({"applicationID": "0oa1", "id": "00u4"})).await;
    let assigned = okta.done("listUsersAssignedToApplication", json!({"applicationID": "0oa1"})).await;
    assert_eq!(assigned.get("Users"), &json!([]));
}

/// What emulate 0.11.2 does not have; their requests are tested against a scripted server in `tests/actions/okta.rs`.
#[tokio::test]
async fn what_the_emulator_lacks_is_known() {
    let Some(okta) = Okta::start().await else { return };
    let rows = [
        ("unlockUser", json!({"id": "00u1"})),
        ("expirePassword", json!({"id": "00u1"})),
        ("resetFactors", json!({"id": "00u1"})),
        ("resetPassword", json!({"userID": "00u1"})),
        ("clearUserSessions", json!({"ID": "00u1"})),
        ("searchSystemLogs", json!({})),
        ("assignUserToApplicationForSSO", json!({"applicationID": "0oa1", "id": "00u1"})),
        ("assignGroupToApplication", json!({"applicationID": "0oa1", "groupID": "00g1"})),
        ("listGroupsAssignedToApplication", json!({"applicationID": "0oa1"})),
    ];
    for (card, inputs) in rows {
        let outcome = okta.call(card, inputs, None).await;
        let lacks = matches!(&outcome, CardOutcome::Failed { fault, .. } if fault.status == Some(404));
        assert!(lacks, "{card} is answered now: move it to a test of its own: {outcome:?}");
    }
}
