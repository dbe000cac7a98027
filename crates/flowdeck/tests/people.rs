//! People: set-up, signing in, sessions, tokens, and who may not do what. Time is moved by the test.
//!
//! Must never wait for real time.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

use std::net::IpAddr;
use std::sync::Arc;

use flowdeck::connections::{AuditKind, AuditRecord, SecretText};
use flowdeck::engine::ports::{Scan, Space, Store};
use flowdeck::people::{Area, NewToken, PasswordCost, People, PeopleError, PersonName, Role};
use flowdeck::store::MemoryStore;
use flowdeck::{Runtime, RuntimeError};
use flowdeck_sim::FakeClock;

const PASSWORD: &str = "correct horse battery";
const HOUR: u64 = 3_600_000;
const DAY: u64 = 24 * HOUR;

struct Place {
    people: People,
    runtime: Runtime,
    clock: Arc<FakeClock>,
    store: Arc<MemoryStore>,
}

async fn open(store: Arc<MemoryStore>, clock: Arc<FakeClock>) -> Place {
    let builder = Runtime::builder().store(store.clone()).key_bytes([7; 32]).clock(clock.clone());
    let runtime = builder.password_cost(PasswordCost::Small).open().await.unwrap();
    Place { people: runtime.people(), runtime, clock, store }
}

async fn empty() -> Place {
    open(Arc::new(MemoryStore::new()), Arc::new(FakeClock::default())).await
}

/// With the administrator Ada.
async fn place() -> Place {
    let place = empty().await;
    place.people.add_user(None, name("ada"), Role::Administrator, &secret(PASSWORD)).await.unwrap();
    place
}

fn secret(text: &str) -> SecretText {
    SecretText::new(text)
}

fn name(text: &str) -> PersonName {
    text.parse().unwrap()
}

fn here() -> Option<IpAddr> {
    Some("192.0.2.7".parse().unwrap())
}

#[track_caller]
fn refusal<T>(answer: Result<T, RuntimeError>) -> PeopleError {
    match answer {
        Err(RuntimeError::People(error)) => error,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("not refused"),
    }
}

impl Place {
    async fn sign_in(&self, password: &str) -> Result<SecretText, RuntimeError> {
        self.people.sign_in("ada", &secret(password), here()).await.map(|(_, session)| session)
    }

    async fn is_signed_in(&self, session: &SecretText) -> bool {
        self.people.session(session).await.unwrap().is_some()
    }

    async fn audit(&self) -> Vec<AuditRecord> {
        self.runtime.connections().audit(100, None).await.unwrap()
    }

    async fn count(&self, kind: AuditKind) -> usize {
        self.audit().await.iter().filter(|record| record.kind == kind).count()
    }
}

#[tokio::test]
async fn the_first_administrator_is_made_once_with_the_link_of_this_start() {
    let place = empty().await;
    let old = place.people.set_up_token().await.unwrap().unwrap();
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let set_up = |token: SecretText, password: &'static str| {
        let people = place.people.clone();
        async move { people.set_up(&token, "Ada", &secret(password)).await }
    };
    assert_eq!(refusal(set_up(old, PASSWORD).await), PeopleError::Setup, "another start's");
    assert_eq!(refusal(set_up(secret(""), PASSWORD).await), PeopleError::Setup);
    assert_eq!(refusal(set_up(token.clone(), "short").await), PeopleError::Password);
    let (user, session) = set_up(token.clone(), PASSWORD).await.unwrap();
    assert_eq!((user.name.as_str(), user.role), ("ada", Role::Administrator));
    assert!(place.is_signed_in(&session).await);
    assert_eq!(refusal(set_up(token, PASSWORD).await), PeopleError::Setup, "used");
    assert!(place.people.set_up_token().await.unwrap().is_none());
    assert_eq!(place.count(AuditKind::SetUp).await, 1);
}

#[tokio::test]
async fn a_set_up_link_lasts_an_hour_and_ends_with_the_process_or_the_first_user() {
    let place = empty().await;
    let token = place.people.set_up_token().await.unwrap().unwrap();
    place.clock.advance(HOUR - 1);
    assert!(place.people.can_set_up(&token).await.unwrap());
    place.clock.advance(1);
    assert!(!place.people.can_set_up(&token).await.unwrap());
    assert_eq!(refusal(place.people.set_up(&token, "ada", &secret(PASSWORD)).await), PeopleError::Setup);
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let again = open(place.store.clone(), place.clock.clone()).await;
    assert!(!again.people.can_set_up(&token).await.unwrap(), "a restart forgets it");
    let token = again.people.set_up_token().await.unwrap().unwrap();
    again.people.add_user(None, name("ada"), Role::Viewer, &secret(PASSWORD)).await.unwrap();
    assert_eq!(refusal(again.people.set_up(&token, "eve", &secret(PASSWORD)).await), PeopleError::Setup);
}

#[tokio::test]
async fn two_at_once_with_the_link_make_one_administrator() {
    let place = empty().await;
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let password = secret(PASSWORD);
    let both =
        tokio::join!(place.people.set_up(&token, "ada", &password), place.people.set_up(&token, "eve", &password));
    assert!(both.0.is_ok() != both.1.is_ok());
    assert_eq!(place.people.users().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_wrong_name_and_a_wrong_password_are_answered_the_same() {
    let place = place().await;
    place.people.add_user(None, name("off"), Role::Viewer, &secret(PASSWORD)).await.unwrap();
    place.people.set_disabled(None, &name("off"), true).await.unwrap();
    let mut answers = Vec::new();
    for (name, password) in [
        ("ada", "wrong"),
        ("nobody", PASSWORD),
        ("off", PASSWORD),
        ("no name!", PASSWORD),
        ("", ""),
        ("ada", &*"x".repeat(500)),
    ] {
        answers.push(refusal(place.people.sign_in(name, &secret(password), None).await).to_string());
    }
    answers.dedup();
    assert_eq!(answers, ["the name or the password is wrong"]);
    place.people.sign_in(" ADA ", &secret(PASSWORD), None).await.unwrap();
}

#[tokio::test]
async fn a_name_that_nobody_has_costs_the_same_work() {
    // Few passwords are hashed at once and few may wait: strangers' names meet that limit only where they are hashed.
    let place = place().await;
    let (people, wrong) = (&place.people, secret("wrong password"));
    let tries = (0..40).map(|n| {
        let (stranger, wrong) = (format!("nobody{n}"), &wrong);
        async move { refusal(people.sign_in(&stranger, wrong, None).await) }
    });
    let answers = futures_util::future::join_all(tries).await;
    let busy = answers.iter().filter(|answer| **answer == PeopleError::Busy).count();
    assert_eq!(answers.iter().filter(|answer| **answer == PeopleError::SignIn).count(), 40 - busy);
    assert!((1..40).contains(&busy), "{busy} of 40 were told to come again");
}

#[tokio::test]
async fn guesses_are_slowed_down_the_same_for_unknown_names() {
    for tried in ["ada", "nobody"] {
        let place = place().await;
        for _ in 0..5 {
            assert_eq!(refusal(place.people.sign_in(tried, &secret("wrong"), None).await), PeopleError::SignIn);
        }
        let slow = PeopleError::Throttled { after_ms: 1_000 };
        let right = place.people.sign_in(tried, &secret(PASSWORD), None).await;
        assert_eq!(refusal(right), slow, "also with the right password");
        place.clock.advance(1_000);
        assert_eq!(refusal(place.people.sign_in(tried, &secret("wrong"), None).await), PeopleError::SignIn);
        place.clock.advance(1_999);
        let again = place.people.sign_in(tried, &secret("wrong"), None).await;
        assert_eq!(refusal(again), PeopleError::Throttled { after_ms: 1 });
        assert_eq!(place.count(AuditKind::SignInRefused).await, 6, "what is not looked at is not written down");
    }
    let place = place().await;
    for n in 0..20 {
        refusal(place.people.sign_in(&format!("n{n}"), &secret("wrong"), here()).await);
    }
    assert_eq!(refusal(place.sign_in(PASSWORD).await), PeopleError::Throttled { after_ms: 1_000 });
    place.people.sign_in("ada", &secret(PASSWORD), Some("192.0.2.8".parse().unwrap())).await.unwrap();
}

#[tokio::test]
async fn many_guesses_at_once_do_not_pass_together() {
    let place = place().await;
    let tries = (0..10).map(|_| place.people.sign_in("ada", &WRONG, None));
    let answers = futures_util::future::join_all(tries).await;
    let looked_at = answers.into_iter().map(refusal).filter(|error| *error == PeopleError::SignIn).count();
    assert_eq!(looked_at, 5);
}

static WRONG: std::sync::LazyLock<SecretText> = std::sync::LazyLock::new(|| SecretText::new("wrong"));

#[tokio::test]
async fn a_session_ends_when_it_is_idle_or_old() {
    let place = place().await;
    let session = place.sign_in(PASSWORD).await.unwrap();
    place.clock.advance(12 * HOUR - 1);
    assert!(place.is_signed_in(&session).await);
    place.clock.advance(12 * HOUR - 1);
    assert!(place.is_signed_in(&session).await, "its use is written down");
    place.clock.advance(12 * HOUR);
    assert!(!place.is_signed_in(&session).await, "idle");
    let session = place.sign_in(PASSWORD).await.unwrap();
    for _ in 0..13 {
        place.clock.advance(12 * HOUR - 1);
        assert!(place.is_signed_in(&session).await);
    }
    place.clock.advance(12 * HOUR - 1);
    place.clock.advance(14);
    assert!(!place.is_signed_in(&session).await, "seven days");
    let session = place.sign_in(PASSWORD).await.unwrap();
    place.clock.jump(-10 * 60_000);
    assert!(!place.is_signed_in(&session).await, "a clock that is turned back lengthens nothing");
}

#[tokio::test]
async fn a_change_of_the_password_ends_the_other_sessions() {
    let place = place().await;
    let (first, second) = (place.sign_in(PASSWORD).await.unwrap(), place.sign_in(PASSWORD).await.unwrap());
    let change = |old: &'static str, new: &'static str| {
        let people = place.people.clone();
        async move { people.change_password(&name("ada"), &secret(old), &secret(new), here()).await }
    };
    assert_eq!(refusal(change("wrong", "another long one").await), PeopleError::SignIn);
    assert_eq!(refusal(change(PASSWORD, "short").await), PeopleError::Password);
    assert!(place.is_signed_in(&first).await);
    let new = change(PASSWORD, "another long one").await.unwrap();
    assert!(!place.is_signed_in(&first).await && !place.is_signed_in(&second).await);
    assert!(place.is_signed_in(&new).await);
    assert_eq!(refusal(place.sign_in(PASSWORD).await), PeopleError::SignIn);
    place.sign_in("another long one").await.unwrap();
    place.people.sign_out(&new).await.unwrap();
    assert!(!place.is_signed_in(&new).await);
}

#[tokio::test]
async fn who_is_shut_out_is_out_at_once_with_sessions_and_tokens() {
    let place = place().await;
    place.people.add_user(Some(&name("ada")), name("bob"), Role::Builder, &secret(PASSWORD)).await.unwrap();
    let (_, session) = place.people.sign_in("bob", &secret(PASSWORD), None).await.unwrap();
    let token = place.people.make_token(None, asked("bob", Role::Builder)).await.unwrap().secret;
    place.people.set_role(None, &name("bob"), Role::Viewer).await.unwrap();
    assert_eq!(place.people.session(&session).await.unwrap().unwrap().role, Role::Viewer);
    assert_eq!(place.people.token(&token).await.unwrap().unwrap().role, Role::Viewer, "never more than its owner");
    place.people.set_disabled(None, &name("bob"), true).await.unwrap();
    assert!(!place.is_signed_in(&session).await && place.people.token(&token).await.unwrap().is_none());
    place.people.set_disabled(None, &name("bob"), false).await.unwrap();
    assert!(!place.is_signed_in(&session).await);
    assert!(place.people.token(&token).await.unwrap().is_some());
    place.people.remove_user(None, &name("bob")).await.unwrap();
    place.people.add_user(None, name("bob"), Role::Administrator, &secret(PASSWORD)).await.unwrap();
    assert!(place.people.token(&token).await.unwrap().is_none(), "a name that comes back is somebody else");
}

#[tokio::test]
async fn a_reset_ends_sessions_tokens_and_waiting() {
    let place = place().await;
    let session = place.sign_in(PASSWORD).await.unwrap();
    let token = place.people.make_token(None, asked("ada", Role::Viewer)).await.unwrap().secret;
    for _ in 0..5 {
        refusal(place.people.sign_in("ada", &secret("wrong"), None).await);
    }
    place.people.reset_password(None, &name("ada"), &secret("another long one")).await.unwrap();
    assert!(!place.is_signed_in(&session).await && place.people.token(&token).await.unwrap().is_none());
    place.sign_in("another long one").await.unwrap();
}

#[tokio::test]
async fn an_administrator_who_can_sign_in_stays() {
    let place = place().await;
    place.people.add_user(None, name("bob"), Role::Administrator, &secret(PASSWORD)).await.unwrap();
    place.people.set_disabled(None, &name("bob"), true).await.unwrap();
    let ada = name("ada");
    assert_eq!(refusal(place.people.set_role(None, &ada, Role::Builder).await), PeopleError::LastAdministrator);
    assert_eq!(refusal(place.people.set_disabled(None, &ada, true).await), PeopleError::LastAdministrator);
    assert_eq!(refusal(place.people.remove_user(None, &ada).await), PeopleError::LastAdministrator);
    place.people.set_disabled(None, &name("bob"), false).await.unwrap();
    place.people.remove_user(None, &ada).await.unwrap();
    assert_eq!(refusal(place.people.set_role(None, &ada, Role::Builder).await), PeopleError::UnknownUser);
}

fn asked(owner: &str, role: Role) -> NewToken {
    NewToken { name: "ci".into(), owner: name(owner), role, scopes: vec![Area::Runs, Area::Runs], days: 2 }
}

#[tokio::test]
async fn a_token_works_for_its_time_and_its_use_is_known_to_the_day() {
    let place = place().await;
    let made = place.people.make_token(None, asked("ada", Role::Builder)).await.unwrap();
    assert!(made.secret.expose().starts_with("fd_") && made.secret.expose().len() >= 46);
    assert_eq!(made.view.scopes, [Area::Runs]);
    let stands = place.people.token(&made.secret).await.unwrap().unwrap();
    assert_eq!((stands.name.as_str(), stands.role, &stands.scopes[..]), ("ada", Role::Builder, &[Area::Runs][..]));
    let used = place.people.tokens(None).await.unwrap()[0].used.unwrap();
    assert_eq!(used.to_iso(), "2026-01-31T00:00:00.000Z");
    place.clock.advance(2 * DAY - 1);
    assert!(place.people.token(&made.secret).await.unwrap().is_some());
    assert_eq!(
        place.people.tokens(Some(&name("ada"))).await.unwrap()[0].used.unwrap().to_iso(),
        "2026-02-02T00:00:00.000Z"
    );
    place.clock.advance(1);
    assert!(place.people.token(&made.secret).await.unwrap().is_none(), "its time is over");
    for wrong in ["", "fd_", "fd_x", made.view.id.as_str()] {
        assert!(place.people.token(&secret(wrong)).await.unwrap().is_none());
    }
}

#[tokio::test]
async fn a_token_is_revoked_and_refused_where_it_could_do_too_much() {
    let place = place().await;
    place.people.add_user(None, name("bob"), Role::Viewer, &secret(PASSWORD)).await.unwrap();
    assert!(matches!(refusal(place.people.make_token(None, asked("bob", Role::Builder)).await), PeopleError::Token(_)));
    for days in [0, 367] {
        let asked = NewToken { days, ..asked("bob", Role::Viewer) };
        assert!(matches!(refusal(place.people.make_token(None, asked).await), PeopleError::Token(_)));
    }
    assert_eq!(refusal(place.people.make_token(None, asked("eve", Role::Viewer)).await), PeopleError::UnknownUser);
    let made = place.people.make_token(Some(&name("bob")), asked("bob", Role::Viewer)).await.unwrap();
    let id = made.view.id.clone();
    let of_ada = place.people.revoke_token(None, &id, Some(&name("ada"))).await;
    assert_eq!(refusal(of_ada), PeopleError::UnknownToken);
    place.people.revoke_token(Some(&name("bob")), &id, Some(&name("bob"))).await.unwrap();
    assert!(place.people.token(&made.secret).await.unwrap().is_none());
    assert_eq!(refusal(place.people.revoke_token(None, &id, None).await), PeopleError::UnknownToken);
}

#[tokio::test]
async fn counts_are_bounded() {
    let place = place().await;
    let first = place.sign_in(PASSWORD).await.unwrap();
    for _ in 0..20 {
        place.clock.advance(1);
        place.sign_in(PASSWORD).await.unwrap();
    }
    assert!(!place.is_signed_in(&first).await, "the oldest session gives way");
    for _ in 0..100 {
        place.people.make_token(None, asked("ada", Role::Viewer)).await.unwrap();
    }
    let more = place.people.make_token(None, asked("ada", Role::Viewer)).await;
    assert!(matches!(refusal(more), PeopleError::TooMany { max: 100, .. }));
}

#[tokio::test]
async fn what_is_stored_and_told_holds_no_secret() {
    let place = empty().await;
    let token = place.people.set_up_token().await.unwrap().unwrap();
    let (user, session) = place.people.set_up(&token, "ada", &secret(PASSWORD)).await.unwrap();
    let made = place.people.make_token(None, asked("ada", Role::Viewer)).await.unwrap();
    refusal(place.people.sign_in("typed-password-as-name", &secret("wrong-canary"), here()).await);
    refusal(place.people.sign_in("ada", &secret("wrong-canary"), here()).await);
    let mut stored = Vec::new();
    for space in Space::ALL {
        for (key, value) in place.store.scan(Scan::prefix(space, Vec::new(), 10_000)).await.unwrap() {
            stored.extend([key, value].concat());
        }
    }
    let shown = format!(
        "{user:?}{session:?}{made:?}{:?}{:?}{:?}",
        place.people,
        place.people.tokens(None).await,
        place.audit().await
    );
    let secrets =
        [token.expose(), session.expose(), made.secret.expose(), PASSWORD, "wrong-canary", "typed-password-as-name"];
    for text in secrets {
        assert!(!stored.windows(text.len()).any(|part| part == text.as_bytes()), "stored: {text}");
        assert!(!shown.contains(text), "shown: {text}");
    }
    let audit = place.audit().await;
    let refused: Vec<_> = audit.iter().filter(|record| record.kind == AuditKind::SignInRefused).collect();
    assert_eq!(refused.iter().filter_map(|record| record.who.as_deref()).collect::<Vec<_>>(), ["ada"]);
    assert!(refused.iter().all(|record| record.detail.ends_with("from 192.0.2.7")));
    assert_eq!(place.count(AuditKind::TokenMake).await, 1);
}

#[tokio::test]
async fn a_hash_of_another_cost_is_made_anew_when_its_person_signs_in() {
    let place = place().await;
    let builder = Runtime::builder().store(place.store.clone()).key_bytes([7; 32]).clock(place.clock.clone());
    let strong = builder.open().await.unwrap();
    strong.people().sign_in("ada", &secret(PASSWORD), None).await.unwrap();
    let stored = place.store.scan(Scan::prefix(Space::Settings, *b"people/u/", 9)).await.unwrap();
    assert!(String::from_utf8_lossy(&stored[0].1).contains("m=65536,t=3,p=4"));
    strong.people().sign_in("ada", &secret(PASSWORD), None).await.unwrap();
}
