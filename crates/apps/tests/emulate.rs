//! Okta's cards against a stateful Okta API that others wrote: npm `emulate`, pinned in `tests/npm`.
//!
//! Must never leave loopback.
//! Tests: this is the test. `cargo xtask setup` fetches the package; `FLOWDECK_NPM` names its folder.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use flowdeck_apps::{AppHost, Apps};
use flowdeck_egress::{Egress, Policy};
use flowdeck_engine::ports::{Authorized, CardCall, CardOutcome};
use flowdeck_model::{Ambient, CardName, ConnectionId, Fields, Millis, RunId, StepPath, Value};
use indexmap::IndexMap;
use serde_json::json;

/// Longest time for the server to come up.
const START_TIMEOUT: Duration = Duration::from_secs(60);

struct Okta {
    child: Child,
    url: String,
    host: AppHost,
    _folder: tempfile::TempDir,
}

impl Drop for Okta {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn program() -> Option<PathBuf> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/npm");
    let folder = std::env::var_os("FLOWDECK_NPM").map_or(root, PathBuf::from);
    let file = folder.join("node_modules/emulate/dist/index.js");
    if file.is_file() {
        return Some(file);
    }
    let allowed = std::env::var_os("FLOWDECK_ALLOW_MISSING").is_some();
    assert!(allowed, "{} is missing; run `cargo xtask setup`, or set FLOWDECK_ALLOW_MISSING=1", file.display());
    println!("MISSING npm package emulate: not run");
    None
}

impl Okta {
    async fn start() -> Option<Self> {
        let program = program()?;
        let folder = tempfile::tempdir().unwrap();
        let users: Vec<Value> = (1..=7)
            .map(|n| json!({"okta_id": format!("00u{n}"), "login": format!("p{n}@example.com"), "first_name": "P", "last_name": n.to_string()}))
            .collect();
        let seed = json!({"okta": {
            "users": users,
            "groups": [{"okta_id": "00g1", "name": "Newcomers", "description": "New here"}],
            "apps": [{"okta_id": "0oa1", "name": "payroll", "label": "Payroll"}],
        }});
        let file = folder.path().join("seed.json");
        std::fs::write(&file, seed.to_string()).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("node");
        command.arg(program).args(["start", "--service", "okta", "--port", &port.to_string(), "--seed"]).arg(file);
        let child = command.current_dir(folder.path()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().expect("start node");
        let policy = Policy { allow_private: vec!["localhost".parse().unwrap()], ..Policy::default() };
        let variables = IndexMap::from([("playground_url".to_owned(), "http://127.0.0.1:1".to_owned())]);
        let host = AppHost::new(Arc::new(Apps::built_in(&variables).unwrap()), Egress::new(policy).unwrap());
        let okta = Self { child, url: format!("http://localhost:{port}"), host, _folder: folder };
        let started = Instant::now();
        while !matches!(okta.call("searchApplications", json!({}), None).await, CardOutcome::Done { .. }) {
            assert!(started.elapsed() < START_TIMEOUT, "emulate did not come up");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        Some(okta)
    }

    async fn call(&self, card: &str, mut inputs: Value, page: Option<Value>) -> CardOutcome {
        let name = CardName::new(&format!("okta/{card}")).unwrap();
        // The driver fills defaults in; here it is done by hand.
        for field in &self.host.apps().card(&name).unwrap().inputs {
            if let (Some(default), None) = (&field.default, inputs.get(&field.key)) {
                inputs[&field.key] = default.clone();
            }
        }
        let authorized = Authorized {
            connection: ConnectionId::new(Millis(1), 1),
            generation: 1,
            subject: None,
            account: None,
            fields: Arc::new(BTreeMap::from([("domain".to_owned(), self.url.clone())])),
            handle: Arc::new(Arc::new(Token) as Arc<dyn flowdeck_egress::Credential>),
        };
        let call = CardCall {
            run: RunId::new(Millis(1), 1),
            path: StepPath::root(),
            card: name,
            inputs: Fields::from_value(inputs),
            idempotency_key: "run/step/0".into(),
            attempt: 1,
            ambient: Ambient { now: Millis(0), seed: 1 },
            deadline: Millis(20_000),
            page,
            all_pages: false,
            authorized: Some(authorized),
        };
        self.host.perform(call).await
    }

    async fn done(&self, card: &str, inputs: Value) -> Fields {
        match self.call(card, inputs, None).await {
            CardOutcome::Done { outputs, .. } => outputs,
            other => panic!("{card}: {other:?}"),
        }
    }

    async fn status(&self, id: &str) -> Value {
        self.done("readUser", json!({"ID or Login": id})).await.get("Status").clone()
    }
}

/// The emulated API takes any bearer.
struct Token;

impl flowdeck_egress::Credential for Token {
    fn covers(&self, _: &url::Url) -> bool {
        true
    }
    fn apply(&self, request: &mut flowdeck_egress::Outgoing) -> Result<(), flowdeck_egress::EgressError> {
        request.set_header("Authorization", "SSWS any")
    }
    fn connection(&self) -> &str {
        "con_1"
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
