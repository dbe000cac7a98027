//! Google: an export that sends mail with a token that ends in the middle, and a flow whose consent was too narrow.
//!
//! Must never take a card's word for a mail, an event or a file: Google has it or not.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::ADMIN;
use flowdeck_tests::proxy::{Fault, Rule, Service};
use serde_json::json;

use crate::export::{Flow, export, fixed};
use crate::seeds::{self, MIA};

const SEND: &str = "/gmail/v1/users/me/messages/send";
const EVENTS: &str = "/calendar/v3/calendars/primary/events";

fn mail() -> String {
    let (mut flow, start) = Flow::helper(&["id"]);
    let user = flow.card("@okta/readUser", "Read User", &[(("User", "ID or Login"), start.out(("", "id")))]);
    let to = flow.card("list/construct", "To", &[(("", "first"), user.out(("Profile Properties", "email")))]);
    let body = flow.compose("Your status is {{{s}}}.", &[("s", user.out(("System Properties", "Status")))]);
    let sent = flow.card(
        "@gmail/sendEmail2",
        "Send Email",
        &[
            (("Email", "To"), to.out(("", "list"))),
            (("Email", "Subject"), fixed("Status: g\u{fc}ltig")),
            (("Email", "Body"), body),
            (("parameters", "bodyIsHtml"), fixed("No")),
        ],
    );
    flow.returns(&[("id", sent.out(("Email", "Message ID")))]);
    export(&[("f-mail", "Mail the status", flow.data())])
}

#[test]
fn an_export_sends_its_mail_once_though_the_token_ends_before() {
    let stage = need!(seeds::stage());
    stage.write("mail.flopack", &mail());
    stage.connect("okta", "okta", ADMIN, &[]);
    stage.connect("gmail", "gmail", MIA, &[]);
    let google = stage.proxy(Service::Google);
    google.rule(Rule::new("POST", SEND, Fault::Revoke { refresh: false }).nth(1));

    let output = stage.finishes(&["run", "mail.flopack", "--input", "id=00ufayfresh"]);
    assert!(stage.open_prompts().is_empty(), "it was renewed without anybody");
    assert_eq!((google.count("POST", SEND), google.acted("POST", SEND).len()), (2, 1));
    assert_eq!(google.count("POST", "/oauth2/token"), 2, "one for the consent, one for the renewal");
    let id = output["id"].as_str().unwrap();
    let mail = stage.suite.at(Service::Google, &format!("/gmail/v1/users/me/messages/{id}"));
    let headers = mail["payload"]["headers"].as_array().unwrap();
    let header = |name: &str| headers.iter().find(|h| h["name"] == name).map(|h| h["value"].clone());
    assert_eq!(header("To"), Some("fay.fresh@acme.test".into()), "{mail}");
    assert!(mail["snippet"].as_str().unwrap().contains("Your status is ACTIVE."), "{mail}");
}

const MEETING: &str = r#"
flow: meeting
slots: { calendar: googlecalendar, drive: googledrive }
cards:
  - id: meeting
    card: googlecalendar/createEvent
    slot: calendar
    with: { Title: Review, Start: "2026-05-04T09:00:00Z", End: "2026-05-04T09:30:00Z" }
  - id: notes
    card: googledrive/uploadFile
    slot: drive
    with: { Name: "Notes of ${meeting.Title}.txt", File Content ID: { name: notes, type: text/plain, content: SGVsbG8= } }
  - id: listed
    card: googlecalendar/listEvents
    slot: calendar
    with: { Query: Review }
  - return: { event: "${meeting['Event ID']}", file: "${notes['File ID']}", events: "${size(listed.Events)}" }
"#;

#[test]
fn a_consent_that_was_too_narrow_is_widened_and_the_second_app_connected_in_turn() {
    let stage = need!(seeds::stage());
    stage.write("meeting.flow.yaml", MEETING);
    let form = stage.form("googlecalendar");
    let words = ["connect", "googlecalendar", "--as", "calendar"].into_iter().chain(form.iter().map(String::as_str));
    let narrow = stage.consent_to(&words.collect::<Vec<_>>(), MIA, &["openid", "email"]);
    assert_eq!(narrow.code, Some(0), "{narrow}");
    let connection = stage.connection("calendar");

    let stopped = stage.stops(&["run", "meeting.flow.yaml"]);
    let of =
        |app: &str| stopped.prompts.iter().find(|p| p["app"] == app).unwrap_or_else(|| panic!("{}", stopped.outcome));
    assert_eq!(of("googlecalendar")["reason"], "scope");
    assert_eq!(stopped.last["waits"][0]["path"], "meeting", "{}", stopped.last);
    assert_eq!(stage.suite.at(Service::Google, EVENTS)["items"], json!([]));

    let calendar = of("googlecalendar")["id"].as_str().unwrap();
    let widened = stage.consent(&["prompts", "answer", calendar], MIA);
    assert_eq!(stage.connection("calendar")["id"], connection["id"], "{widened}");
    // The next card's app is not connected: the run waits there now.
    assert_eq!(stage.run(&stopped.run)["status"], "waiting", "{widened}");
    let [drive] = &stage.open_prompts()[..] else { panic!("one prompt: {:?}", stage.open_prompts()) };
    assert_eq!((&drive["app"], &drive["reason"]), (&"googledrive".into(), &"missing".into()));
    assert_eq!(stage.proxy(Service::Google).acted("POST", EVENTS).len(), 1);

    let answered = stage.answer(drive["id"].as_str().unwrap(), "googledrive", MIA);
    assert_eq!(answered.code, Some(0), "{answered}");
    stage.assert_finished(&stopped.run);
    let output = stage.run(&stopped.run)["output"].clone();
    let events = stage.suite.at(Service::Google, EVENTS);
    let events = events["items"].as_array().unwrap();
    assert_eq!((events.len(), &events[0]["id"], &output["events"]), (1, &output["event"], &json!(1)), "{output}");
    let file = stage.suite.at(Service::Google, &format!("/drive/v3/files/{}", output["file"].as_str().unwrap()));
    assert_eq!(file["name"], "Notes of Review.txt");
    assert_eq!(stage.proxy(Service::Google).acted("POST", EVENTS).len(), 1, "the event is made once");
}
