//! Every action makes a request of sample inputs, to a host that its app declares; and some, exactly those of the docs.
//!
//! Must never send one.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::sync::Arc;

use flowdeck_apps::{App, AppHost, Apps, Preview};
use flowdeck_egress::{Egress, Policy};
use flowdeck_engine::ports::{Authorized, CardCall};
use flowdeck_model::app::FieldShape;
use flowdeck_model::{
    Ambient, CardName, ConnectionId, Fault, FieldDecl, FieldType, Fields, Millis, RunId, StepPath, Value,
};
use indexmap::IndexMap;
use serde_json::json;

fn host() -> AppHost {
    let variables = IndexMap::from([("playground_url".to_owned(), "http://127.0.0.1:1".to_owned())]);
    AppHost::new(Arc::new(Apps::built_in(&variables).unwrap()), Egress::new(Policy::default()).unwrap())
}

/// A connection's form as a person might fill it.
fn form(app: &App) -> BTreeMap<String, String> {
    let fields = app.auth.iter().flat_map(|a| &a.methods).flat_map(|m| &m.fields);
    let sample = |field: &flowdeck_model::app::AuthField| match (&field.default, &field.shape) {
        (Some(default), _) => default.clone(),
        (None, FieldShape::Domain { .. }) => "acme.example.com".into(),
        (None, _) => "acme".into(),
    };
    fields.filter(|f| !f.secret).map(|f| (f.key.clone(), sample(f))).collect()
}

fn sample(field: &FieldDecl) -> Value {
    if let Some(default) = &field.default {
        return default.clone();
    }
    if let Some(choice) = field.choices.first() {
        return choice.as_str().into();
    }
    of(&field.kind)
}

fn of(kind: &FieldType) -> Value {
    match kind {
        FieldType::Any | FieldType::Text => json!("a b/c"),
        FieldType::Number => json!(7),
        FieldType::Boolean => json!(true),
        FieldType::Date => json!("2026-01-31T09:30:00Z"),
        FieldType::Object(_) => json!({"id": 1, "name": "x", "productId": "p", "skuId": "s"}),
        FieldType::File => json!({"name": "a.csv", "type": "text/csv", "size": 2, "content": "SGk="}),
        FieldType::List(item) => json!([of(item)]),
    }
}

fn preview(host: &AppHost, card: &str, inputs: Value) -> Result<Option<Preview>, Fault> {
    let name = CardName::new(card).unwrap();
    let app = Arc::clone(host.apps().app(name.family()).unwrap());
    let authorized = Authorized {
        connection: ConnectionId::new(Millis(1), 1),
        generation: 1,
        subject: None,
        account: None,
        fields: Arc::new(form(&app)),
        handle: Arc::new(()),
    };
    host.preview(&CardCall {
        run: RunId::new(Millis(1), 1),
        path: StepPath::root(),
        card: name,
        inputs: Fields::from_value(inputs),
        idempotency_key: "run/step/0".into(),
        attempt: 1,
        ambient: Ambient { now: Millis(1_790_000_000_000), seed: 1 },
        deadline: Millis(20_000),
        page: None,
        all_pages: false,
        authorized: Some(authorized),
    })
}

#[test]
fn every_request_goes_where_the_credential_may() {
    let host = host();
    let mut count = 0;
    for app in host.apps().apps() {
        let form = form(app);
        let filled = |text: &String| form.iter().fold(text.clone(), |t, (k, v)| t.replace(&format!("{{{k}}}"), v));
        let hosts: Vec<String> = app.auth.iter().flat_map(|a| &a.hosts).map(filled).collect();
        for (name, action) in &app.file.actions {
            let card = format!("{}/{name}", app.file.app);
            let mut inputs = serde_json::Map::new();
            for field in &action.inputs {
                let raw = action.request.as_ref().is_some_and(|r| r.method.starts_with("${"));
                let value = match field.key.to_lowercase().as_str() {
                    "relative url" | "relative_url" | "path" if raw => json!("/x"),
                    "url" if app.auth.is_none() => json!("https://acme.example.com/x"),
                    "url" if app.file.app.as_str() == "httpfunctions" => json!("https://acme.example.com/x"),
                    "method" | "requesttype" | "request_type" => json!("GET"),
                    "days" => json!("3"),
                    "region" => json!("us-east-1"),
                    "recordtype" => json!("Contact"),
                    _ => sample(field),
                };
                inputs.insert(field.key.clone(), value);
            }
            let made = preview(&host, &card, Value::Object(inputs));
            let Some(made) = made.unwrap_or_else(|fault| panic!("{card}: {fault:?}")) else { continue };
            count += 1;
            if app.auth.is_none() || !action.connection {
                continue;
            }
            let there = made.url.host_str().unwrap();
            let covers = |host: &String| {
                let host = host.trim_start_matches("https://").trim_start_matches("http://");
                let host = host.split(['/', ':']).next().unwrap();
                host == there || host.strip_prefix("*.").is_some_and(|end| there.ends_with(&format!(".{end}")))
            };
            assert!(hosts.iter().any(covers), "{card} goes to {there}, which is none of {hosts:?}");
        }
    }
    assert!(count > 200, "{count}");
}

#[test]
fn some_requests_are_those_of_the_documentation() {
    let host = host();
    let rows: Vec<(&str, Value, &str, &str)> = vec![
        (
            "slack/sendMessageToChannel",
            json!({"channel": "C1", "Text": "Hi", "links": "No", "Icon Emoji": "bell"}),
            "POST https://slack.com/api/chat.postMessage",
            r#"{"text":"Hi","unfurl_links":false,"unfurl_media":false,"channel":"C1","icon_emoji":":bell:"}"#,
        ),
        (
            "box/searchForUser",
            json!({"User Details": "a@b.c"}),
            "GET https://api.box.com/2.0/users?filter_term=a%40b.c&limit=200&fields=id%2Ctype",
            "",
        ),
        (
            "box/deleteUser",
            json!({"User ID": "7", "fileTransferDestination": "Transfer user’s files to another user"}),
            "DELETE https://api.box.com/2.0/users/7?force=false",
            "",
        ),
        (
            "salesforce/createRecord",
            json!({"recordType": "Contact", "LastName": "Ann"}),
            "POST https://acme.example.com/services/data/v60.0/sobjects/Contact",
            r#"{"LastName":"Ann"}"#,
        ),
        (
            "salesforce/searchRecords",
            json!({"recordType": "Contact", "Email": "it's@b.c"}),
            "GET https://acme.example.com/services/data/v60.0/query?q=SELECT+FIELDS%28STANDARD%29+FROM+Contact+WHERE+Email+%3D+%27it%5C%27s%40b.c%27",
            "",
        ),
        (
            "salesforce/deactivateUser",
            json!({"User ID": "005"}),
            "PATCH https://acme.example.com/services/data/v60.0/sobjects/User/005",
            r#"{"IsActive":false}"#,
        ),
        (
            "marketo/createLead",
            json!({"mode": "createOnly", "Email Address": "a@b.c", "score": 3}),
            "POST https://acme.mktorest.com/rest/v1/leads.json",
            r#"{"action":"createOnly","input":[{"email":"a@b.c","score":3}]}"#,
        ),
        (
            "marketo/searchLeads",
            json!({"Values": ["a@b.c", "d@e.f"], "searchField": "email"}),
            "GET https://acme.mktorest.com/rest/v1/leads.json?filterType=email&filterValues=a%40b.c%2Cd%40e.f",
            "",
        ),
        (
            "marketo/addLeadsToList",
            json!({"List ID": 4, "Lead IDs": [1, 2]}),
            "POST https://acme.mktorest.com/rest/v1/lists/4/leads.json?id=1&id=2",
            "",
        ),
        (
            "marketo/customAPICall",
            json!({"requestType": "post", "Relative URL": "/asset/v1/staticLists.json", "Headers": {"Content-Type": "application/x-www-form-urlencoded"}, "Body": {"name": "a b"}}),
            "POST https://acme.mktorest.com/rest/asset/v1/staticLists.json",
            "name=a+b",
        ),
        (
            "opsgenie/addTeamMember",
            json!({"teamIdentifier": "ops", "userIdentifier": "a@b.c", "userIdentifierType": "Username", "role": "Admin"}),
            "POST https://api.opsgenie.com/v2/teams/ops/members?teamIdentifierType=name",
            r#"{"user":{"username":"a@b.c"},"role":"admin"}"#,
        ),
        (
            "opsgenie/updateScheduleRotation",
            json!({"scheduleIdentifier": "s", "scheduleRotationID": "r", "updateTimeRestriction": "Time Only", "timeRestriction": {"startHour": 1}}),
            "PATCH https://api.opsgenie.com/v2/schedules/s/rotations/r?scheduleIdentifierType=name",
            r#"{"timeRestriction":{"type":"time-of-day","restriction":{"startHour":1}}}"#,
        ),
        (
            "servicenow/createIncident",
            json!({"Short description": "s", "u_team": "x"}),
            "POST https://acme.example.com/api/now/table/incident",
            r#"{"short_description":"s","u_team":"x"}"#,
        ),
        (
            "servicenow/updateTask",
            json!({"System ID": "9", "task_type": "sc_task", "state": 3}),
            "PATCH https://acme.example.com/api/now/table/sc_task/9",
            r#"{"state":3}"#,
        ),
        (
            "office365admin/disableUserAccount",
            json!({"id": "a@b.c"}),
            "PATCH https://graph.microsoft.com/v1.0/users/a%40b.c",
            r#"{"accountEnabled":false}"#,
        ),
        (
            "office365admin/searchGroups",
            json!({"filter_type": "eq", "mail": "it's"}),
            "GET https://graph.microsoft.com/v1.0/groups?%24top=200&%24filter=mail+eq+%27it%27%27s%27",
            "",
        ),
        (
            "office365admin/assignLicenseToUser",
            json!({"id": "u", "skuId": "s"}),
            "POST https://graph.microsoft.com/v1.0/users/u/assignLicense",
            r#"{"addLicenses":[{"skuId":"s","disabledPlans":[]}],"removeLicenses":[]}"#,
        ),
        (
            "googledirectory/deactivateUser",
            json!({"ID": "a@b.c"}),
            "PUT https://admin.googleapis.com/admin/directory/v1/users/a%40b.c",
            r#"{"suspended":true}"#,
        ),
        (
            "googledirectory/unassignLicenseFromUser",
            json!({"id": "a@b.c", "licenses": [{"productId": "Google-Apps", "skuId": "1010"}]}),
            "DELETE https://licensing.googleapis.com/apps/licensing/v1/product/Google-Apps/sku/1010/user/a%40b.c",
            "",
        ),
        (
            "googledirectory/customApiAction",
            json!({"apiType": "Directory", "requestType": "GET", "Relative URL": "/users?query=email:a"}),
            "GET https://admin.googleapis.com/admin/directory/v1/users?query=email:a",
            "",
        ),
        (
            "googlesheets/createRow",
            json!({"spreadsheet": "s1", "worksheet": "Sheet1", "1-b": "B", "0-a": "A"}),
            "POST https://sheets.googleapis.com/v4/spreadsheets/s1/values/Sheet1:append?valueInputOption=USER_ENTERED&insertDataOption=INSERT_ROWS",
            r#"{"values":[["A","B"]]}"#,
        ),
        (
            "jamf/sendComputerMDMCommand",
            json!({"id": 7, "command_name": "DeviceLock", "Passcode": "123456"}),
            "POST https://acme.example.com/JSSResource/computercommands/command/DeviceLock/passcode/123456/id/7",
            "",
        ),
        (
            "shopify/addAddressToCustomer",
            json!({"Customer ID": 7, "city": "Rome", "makeDefault": true}),
            "POST https://acme.example.com/admin/api/2025-01/customers/7/addresses.json",
            r#"{"address":{"city":"Rome","default":true}}"#,
        ),
        (
            "awslambda/invoke",
            json!({"name": "f", "invocationType": "RequestResponse", "payload": {"a": 1}}),
            "POST https://lambda.us-east-1.amazonaws.com/2015-03-31/functions/f/invocations",
            r#"{"a":1}"#,
        ),
        (
            "awssso/addAWSEntitlements",
            json!({"instances": "arn:i", "region": "us-west-2", "accounts": "-- Enter Account ID --", "Account ID": "1", "Principal Type": "USER", "Principal ID": "p", "Permission Sets": ["arn:s"]}),
            "POST https://sso.us-west-2.amazonaws.com/",
            r#"{"InstanceArn":"arn:i","TargetId":"1","TargetType":"AWS_ACCOUNT","PermissionSetArn":"arn:s","PrincipalId":"p","PrincipalType":"USER"}"#,
        ),
        (
            "auth0/searchUsers",
            json!({"email": "a@b.c", "last_login": "[* TO 2026]"}),
            "GET https://acme.example.com/api/v2/users?per_page=100&search_engine=v3&q=email%3A%22a%40b.c%22+AND+last_login%3A%5B*+TO+2026%5D",
            "",
        ),
        (
            "pagerduty/createIncident",
            json!({"Service Key": "k", "Event Type": "trigger", "Description": "d"}),
            "POST https://events.pagerduty.com/generic/2010-04-15/create_event.json",
            r#"{"service_key":"k","event_type":"trigger","description":"d"}"#,
        ),
        (
            "openai/createChatCompletion",
            json!({"model": "m", "messages": [{"role": "user", "content": "Hi"}], "stop": ""}),
            "POST https://api.openai.com/v1/chat/completions",
            r#"{"model":"m","messages":[{"role":"user","content":"Hi"}]}"#,
        ),
        (
            "darwinbox/listEmployees",
            json!({"days": "1", "api_key": "k", "dataset_key": "d"}),
            "POST https://acme.example.com/masterapi/employee",
            r#"{"api_key":"k","datasetKey":"d","last_modified":"20-09-2026 00:00:00"}"#,
        ),
    ];
    for (card, inputs, line, body) in rows {
        let made = preview(&host, card, inputs).unwrap().unwrap();
        let got = format!("{} {}", made.method, made.url);
        assert!(got.starts_with(line), "{card}: {got}");
        assert_eq!(String::from_utf8_lossy(&made.body), body, "{card}");
    }
}
