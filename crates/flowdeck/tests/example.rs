//! The example of a host that owns the schedule, run as it stands.
//!
//! Must never differ from what `examples/scheduler.rs` shows.
//! Tests: this is the test.
#![allow(clippy::unwrap_used)]

#[path = "../examples/scheduler.rs"]
mod scheduler;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_scheduler_example_connects_in_code_and_ends_by_itself() {
    let said = scheduler::scheduled(2).await.unwrap();
    assert_eq!(said, ["Good morning, Ada.", "Good morning, Ada."]);
}
