//! Asking apps for events: from now on, each once, with a connection, after errors later.
//!
//! Must never leave loopback, nor wait for real time: a clock that tests move tells it.
//! Tests: this is the test.
#![allow(clippy::unwrap_used, reason = "a test says what went wrong by panicking")]

use std::sync::atomic::Ordering;

use flowdeck::PollView;
use flowdeck::model::connect::{PromptReason, PromptState};

use crate::support::bell::{ASKED, Place, RANG, name};

const EVERY_MS: u64 = 30_000;

impl Place {
    /// Asks who is due now; how many runs started.
    async fn ask(&self) -> usize {
        self.runtime.poll_apps().await.unwrap().len()
    }

    async fn later(&self, ms: u64) -> usize {
        self.clock.advance(ms);
        self.ask().await
    }

    async fn shown(&self) -> PollView {
        self.runtime.served_flow(&name("rang")).await.unwrap().unwrap().arrives.unwrap().poll.unwrap()
    }

    fn asked(&self) -> usize {
        self.bell.asked.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn what_happens_from_now_on_starts_the_flow_once_also_after_a_restart() {
    let mut place = Place::new(ASKED, &[RANG]).await;
    place.connect("s3cret").await;
    place.bell.ring("before");
    assert_eq!(place.ask().await, 0, "that was before it listened");
    ["a", "b", "c", "d", "e"].iter().for_each(|id| place.bell.ring(id));
    assert_eq!(place.ask().await, 0, "it is not time yet");
    assert_eq!(place.later(EVERY_MS).await, 5, "all pages of it");
    assert_eq!(place.told().await, ["a", "b", "c", "d", "e"]);
    place.restart().await;
    place.bell.ring("f");
    assert_eq!(place.ask().await, 1, "a new process asks at once, from where the last one was");
    assert_eq!(place.told().await, ["a", "b", "c", "d", "e", "f"]);
    let shown = place.shown().await;
    assert_eq!((shown.every_s, shown.error, shown.waits), (30, None, None));
    assert!(shown.answered.is_some() && shown.next == Some(place.runtime.now().plus(EVERY_MS)));
    assert_eq!(place.runtime.next_due().await.unwrap(), shown.next);
}

#[tokio::test]
async fn a_cursor_moves_only_with_its_runs() {
    let mut place = Place::new(ASKED, &[RANG]).await;
    place.connect("s3cret").await;
    place.ask().await;
    place.bell.ring("a");
    place.store.loses.store(true, Ordering::SeqCst);
    place.clock.advance(EVERY_MS);
    place.runtime.poll_apps().await.unwrap_err();
    place.restart().await;
    place.bell.ring("b");
    assert_eq!(place.ask().await, 1, "the first was durable before the kill");
    assert_eq!(place.told().await, ["a", "b"]);
}

#[tokio::test]
async fn an_app_that_cannot_answer_is_asked_later_and_later_and_says_when() {
    let place = Place::new(ASKED, &[RANG]).await;
    place.connect("s3cret").await;
    place.ask().await;
    place.bell.refuses.lock().extend([(429, "600"), (500, ""), (500, "")]);
    let mut pauses = Vec::new();
    place.clock.advance(EVERY_MS);
    for _ in 0..3 {
        place.ask().await;
        let shown = place.shown().await;
        assert!(shown.error.unwrap().contains("Bell"));
        let pause = shown.next.unwrap().since(place.runtime.now());
        pauses.push(pause);
        let asked = place.asked();
        place.later(pause - 1).await;
        assert_eq!(place.asked(), asked, "before its time");
        place.clock.advance(1);
    }
    assert_eq!(pauses, [2 * EVERY_MS, 4 * EVERY_MS, 600_000]);
    place.bell.ring("a");
    assert_eq!(place.ask().await, 1, "nothing was missed");
    assert_eq!(place.shown().await.error, None);
}

#[tokio::test]
async fn without_a_connection_it_prompts_and_asks_nothing_until_it_is_there() {
    let place = Place::new(ASKED, &[RANG]).await;
    assert_eq!((place.ask().await, place.asked()), (0, 0));
    let open = place.runtime.prompts(Some(PromptState::Open), None).await.unwrap();
    assert_eq!((open.len(), open[0].reason), (1, PromptReason::Missing));
    assert_eq!(place.shown().await.waits, Some(open[0].id));
    let commits = place.store.commits.load(Ordering::SeqCst);
    assert_eq!(place.later(300_000).await, 0);
    assert_eq!(place.runtime.prompts(Some(PromptState::Open), None).await.unwrap().len(), 1, "the same one");
    assert_eq!(place.store.commits.load(Ordering::SeqCst), commits, "waiting writes nothing");
    place.connect("s3cret").await;
    place.later(300_000).await;
    assert_eq!((place.asked(), place.shown().await.waits), (1, None));
    place.bell.ring("a");
    assert_eq!(place.later(EVERY_MS).await, 1);
}

#[tokio::test]
async fn a_lost_connection_stops_it_and_the_same_account_goes_on_where_it_was() {
    let place = Place::new(ASKED, &[RANG]).await;
    place.connect("s3cret").await;
    place.ask().await;
    place.bell.accounts.lock().clear();
    place.bell.ring("missed");
    assert_eq!(place.later(EVERY_MS).await, 0);
    let open = place.runtime.prompts(Some(PromptState::Open), None).await.unwrap();
    assert_eq!((open.len(), open[0].reason), (1, PromptReason::Lost), "{open:?}");
    assert_eq!(place.shown().await.waits, Some(open[0].id));
    place.bell.accounts.lock().push(("fresh", "alice"));
    place.connect("fresh").await;
    assert_eq!(place.later(300_000).await, 1);
    assert_eq!(place.told().await, ["missed"]);
}

#[tokio::test]
async fn what_came_while_it_was_off_is_not_made_up_for() {
    let place = Place::new(ASKED, &[RANG]).await;
    place.connect("s3cret").await;
    place.ask().await;
    place.switch(false).await;
    place.bell.ring("off");
    assert_eq!(place.later(EVERY_MS).await, 0);
    place.switch(true).await;
    assert_eq!(place.ask().await, 0);
    place.bell.ring("on");
    assert_eq!(place.later(EVERY_MS).await, 1);
    assert_eq!(place.told().await, ["on"]);
    // Another version of the same flow goes on; one that listens otherwise begins anew.
    place.bell.ring("same");
    place.publish(&RANG.replace("cards:", "description: Changed.\ncards:")).await;
    assert_eq!(place.ask().await, 1);
    place.bell.ring("other");
    place.publish(&RANG.replace("slot: bell }", "slot: bell, with: { door: front } }")).await;
    assert_eq!(place.ask().await, 0);
}

#[tokio::test]
async fn where_an_app_names_no_beginning_the_log_is_read_to_its_end_and_starts_nothing() {
    let place = Place::new(&ASKED.replace("from: latest, ", ""), &[RANG]).await;
    place.connect("s3cret").await;
    ["a", "b", "c"].iter().for_each(|id| place.bell.ring(id));
    assert_eq!((place.ask().await, place.asked()), (0, 3));
    place.bell.ring("d");
    assert_eq!(place.later(EVERY_MS).await, 1);
    assert_eq!(place.told().await, ["d"]);
}

#[tokio::test]
async fn a_cursor_that_the_app_forgot_is_told_of_and_begun_anew() {
    let place = Place::new(ASKED, &[RANG]).await;
    place.connect("s3cret").await;
    place.ask().await;
    place.bell.refuses.lock().push((410, ""));
    place.later(EVERY_MS).await;
    let shown = place.shown().await;
    assert!(shown.error.as_ref().unwrap().contains("cannot be had any more"), "{shown:?}");
    place.later(2 * EVERY_MS).await;
    place.bell.ring("a");
    assert_eq!(place.later(EVERY_MS).await, 1);
}
