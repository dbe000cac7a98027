//! "Connect your applications", told as a test: connected ahead, several accounts by nickname, used by every flow
//! without entering anything again, lost and reauthorized.
//!
//! Must never do what the story does not tell.
//! Tests: these are they.

use flowdeck_tests::need;
use flowdeck_tests::people::{self, ADMIN, OTHER};
use flowdeck_tests::world::World;

use crate::flows::count_groups;

const GROUPS: &str = "/api/v1/groups";

#[test]
fn connect_your_applications() {
    let world = need!(World::new(people::usual()));

    // Authenticate once, ahead of any flow; the domain is pasted as it stands in the browser.
    let form = world.form();
    let pasted = format!("domain={}/admin/dashboard", world.org.proxy.url());
    let words: Vec<&str> = ["connect", "okta", "--as", "Okta admin", "--set", &pasted]
        .into_iter()
        .chain(form[2..].iter().map(String::as_str))
        .collect();
    let connected = world.consent(&words, ADMIN);
    assert_eq!(connected.code, Some(0), "{connected}");
    let admin = world.connection("Okta admin");
    assert_eq!((&admin["account"], &admin["state"]), (&ADMIN.into(), &"active".into()), "{admin}");
    assert!(world.org.proxy.url().ends_with(admin["fields"]["domain"].as_str().unwrap().trim_start_matches("http://")));

    // A nickname allows for multiple accounts of one app.
    world.connect("Okta end user", OTHER, &[]);

    // Any flow uses a connection without anything being entered again; each names the one it wants.
    for (name, slot) in [
        ("as-admin", "{ app: okta, nickname: Okta admin }"),
        ("as-user", "{ app: okta, nickname: Okta end user }"),
        ("as-admin-too", "{ app: okta, nickname: Okta admin }"),
    ] {
        let file = format!("{name}.flow.yaml");
        world.deck.write(&file, &count_groups(name, slot));
        world.finishes(&["run", &file]);
    }
    let accounts = |from: usize| -> Vec<String> {
        let acted = world.org.proxy.acted("GET", GROUPS);
        acted[from..].iter().filter_map(|s| s.account.clone()).collect()
    };
    assert_eq!(accounts(0), [ADMIN, OTHER, ADMIN]);
    assert_eq!(world.org.proxy.count("GET", "/oauth2/v1/authorize"), 2);

    // The connection is lost: the flow prompts; the other account is not touched.
    world.org.proxy.revoke(ADMIN, true);
    let stopped = world.stops(&["run", "as-admin.flow.yaml"]);
    assert_eq!((&stopped.prompt()["reason"], &stopped.prompt()["nickname"]), (&"lost".into(), &"Okta admin".into()));
    world.finishes(&["run", "as-user.flow.yaml"]);

    // Reauthorized as the page says, on the same connection: nothing is typed but the consent.
    let again = world.consent(&["connect", "okta", "--as", "Okta admin"], ADMIN);
    assert_eq!(again.code, Some(0), "{again}");
    assert_eq!(world.connection("Okta admin")["id"], admin["id"]);
    world.assert_finished(&stopped.run);
    assert_eq!(accounts(3), [OTHER, ADMIN]);
    assert!(world.open_prompts().is_empty());
}
