//! Work that goes on when its caller goes away: exchanges, renewals, proofs.
//!
//! Must never be cut off by an orderly stop: a code or a refresh token works once.
//! Tests: below, `crates/flowdeck/tests/embedding.rs`.

use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::registry::Registry;

/// Counts what is under way.
#[derive(Debug, Default)]
pub(crate) struct Errands(watch::Sender<usize>);

/// One of them, until dropped.
struct Errand(watch::Sender<usize>);

impl Drop for Errand {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

impl Errands {
    /// Does the work in a task of its own. What it holds is let go before it counts as done.
    pub(crate) fn run<T: Send + 'static>(&self, work: impl Future<Output = T> + Send + 'static) -> JoinHandle<T> {
        self.0.send_modify(|count| *count += 1);
        let errand = Errand(self.0.clone());
        tokio::spawn(async move {
            let done = work.await;
            drop(errand);
            done
        })
    }

    async fn done(&self) {
        self.0.subscribe().wait_for(|count| *count == 0).await.ok();
    }
}

impl Registry {
    /// Returns when no exchange, renewal or proof is under way; each goes on although its caller went away.
    pub async fn at_rest(&self) {
        self.inner.errands.done().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[tokio::test]
    async fn errands_are_done_when_nothing_holds_what_they_held() {
        let errands = Errands::default();
        errands.done().await;
        let held = Arc::new(());
        let (answer, asked) = tokio::sync::oneshot::channel::<()>();
        for own in [held.clone(), held.clone()] {
            drop(errands.run(async move { drop(own) }));
        }
        let own = held.clone();
        let last = errands.run(async move {
            asked.await.ok();
            drop(own);
            7
        });
        for _ in 0..20 {
            tokio::task::yield_now().await;
        }
        assert_eq!(*errands.0.borrow(), 1);
        answer.send(()).unwrap();
        errands.done().await;
        assert_eq!(Arc::strong_count(&held), 1);
        assert_eq!(last.await.unwrap(), 7);
        drop(errands.run(async { panic!("as asked") }));
        errands.done().await;
    }
}
