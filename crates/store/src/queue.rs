//! The bounded queue before the writer: callers wait for a place without blocking, the writer takes all at once.
//!
//! Must never keep a request after the writer ended: its caller would wait for ever.
//! Tests: below, `tests/guards.rs`.

use std::sync::Arc;
use std::time::Duration;

use flowdeck_engine::ports::store::{Delta, Op, StoreError};
use parking_lot::{Condvar, Mutex};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use crate::blobs::Swept;
use crate::check::CheckReport;

/// Bytes of keys and values that count as one commit: a queue of 4096 holds at most 64 MiB, or one larger commit.
const PLACE_BYTES: usize = 16 << 10;

pub(crate) type Answer<T> = oneshot::Sender<Result<T, StoreError>>;

/// What the writer is asked to do.
#[derive(Debug)]
pub(crate) enum Request {
    /// The permit is given back when the commit is answered.
    Commit(Delta, Answer<()>, OwnedSemaphorePermit),
    Check(Answer<CheckReport>),
    Sweep(Answer<Swept>),
}

/// What the writer finds.
#[derive(Debug)]
pub(crate) enum Taken {
    Requests(Vec<Request>),
    /// Nothing came for as long as it was willing to wait.
    Idle,
    Closed,
}

#[derive(Debug, Default)]
struct State {
    waiting: Vec<Request>,
    closed: bool,
}

#[derive(Debug)]
pub(crate) struct Queue {
    state: Mutex<State>,
    filled: Condvar,
    places: Arc<Semaphore>,
    places_max: usize,
}

/// The queue was closed: the store is being dropped, or its writer ended.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Closed;

impl Queue {
    pub(crate) fn new(places: usize) -> Self {
        let places_max = places.clamp(1, 1 << 20);
        let places = Arc::new(Semaphore::new(places_max));
        Self { state: Mutex::new(State::default()), filled: Condvar::new(), places, places_max }
    }

    /// Waits for a place, which the writer's progress always frees.
    pub(crate) async fn commit(&self, delta: Delta, answer: Answer<()>) -> Result<(), Closed> {
        let bytes: usize = delta.ops.iter().map(op_bytes).sum();
        let places = (1 + bytes / PLACE_BYTES).min(self.places_max) as u32;
        let permit = Arc::clone(&self.places).acquire_many_owned(places).await.map_err(|_| Closed)?;
        self.push(Request::Commit(delta, answer, permit))
    }

    pub(crate) fn push(&self, request: Request) -> Result<(), Closed> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(Closed);
        }
        state.waiting.push(request);
        drop(state);
        self.filled.notify_one();
        Ok(())
    }

    /// Everything that waits; the writer's side. Requests that came before the closing are still answered.
    pub(crate) fn take(&self, patience: Duration) -> Taken {
        let mut state = self.state.lock();
        loop {
            if !state.waiting.is_empty() {
                return Taken::Requests(std::mem::take(&mut state.waiting));
            }
            if state.closed {
                return Taken::Closed;
            }
            if self.filled.wait_for(&mut state, patience).timed_out() && state.waiting.is_empty() && !state.closed {
                return Taken::Idle;
            }
        }
    }

    /// No request is accepted from now on.
    pub(crate) fn close(&self) {
        self.state.lock().closed = true;
        self.places.close();
        self.filled.notify_one();
    }
}

/// Held by the writer's thread: whatever ends it, nobody is left waiting for an answer.
pub(crate) struct Ending(pub(crate) Arc<Queue>);

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.close();
        self.0.state.lock().waiting.clear();
    }
}

fn op_bytes(op: &Op) -> usize {
    match op {
        Op::Put { key, value, .. } => key.len() + value.len(),
        Op::Delete { key, .. } => key.len(),
    }
}

#[cfg(test)]
mod tests {
    use flowdeck_engine::ports::store::Space;

    use super::*;

    const NOW: Duration = Duration::ZERO;

    #[tokio::test]
    async fn a_full_queue_makes_callers_wait_until_the_writer_is_done() {
        let queue = Arc::new(Queue::new(2));
        let mut outcomes = Vec::new();
        for _ in 0..2 {
            let (answer, outcome) = oneshot::channel();
            queue.commit(Delta::new(1), answer).await.unwrap();
            outcomes.push(outcome);
        }
        let (answer, _third) = oneshot::channel();
        let mut third = Box::pin(queue.commit(Delta::new(1), answer));
        assert!(futures_pending(&mut third).await);
        let Taken::Requests(taken) = queue.take(NOW) else { panic!("two wait") };
        assert_eq!(taken.len(), 2);
        assert!(futures_pending(&mut third).await, "taken is not answered");
        drop(taken);
        third.await.unwrap();
    }

    #[tokio::test]
    async fn large_commits_take_more_places() {
        let queue = Queue::new(4);
        let mut large = Delta::new(1);
        large.put(Space::Rows, b"k", vec![0; 3 * PLACE_BYTES]);
        let (answer, _first) = oneshot::channel();
        queue.commit(large.clone(), answer).await.unwrap();
        let (answer, _second) = oneshot::channel();
        assert!(futures_pending(&mut Box::pin(queue.commit(large, answer))).await);
    }

    #[tokio::test]
    async fn the_end_of_the_writer_answers_everybody() {
        let queue = Arc::new(Queue::new(2));
        let (answer, mut outcome) = oneshot::channel();
        queue.commit(Delta::new(1), answer).await.unwrap();
        drop(Ending(Arc::clone(&queue)));
        assert_eq!(outcome.try_recv(), Err(oneshot::error::TryRecvError::Closed));
        let (answer, _) = oneshot::channel();
        assert_eq!(queue.commit(Delta::new(1), answer).await, Err(Closed));
        assert!(matches!(queue.take(NOW), Taken::Closed));
    }

    #[test]
    fn an_empty_queue_is_idle() {
        assert!(matches!(Queue::new(1).take(NOW), Taken::Idle));
    }

    async fn futures_pending<F: Future + Unpin>(future: &mut F) -> bool {
        std::future::poll_fn(|context| {
            std::task::Poll::Ready(std::pin::Pin::new(&mut *future).poll(context).is_pending())
        })
        .await
    }
}
