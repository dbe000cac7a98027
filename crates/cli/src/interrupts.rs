//! Ctrl-C and requests to end, heard once for everybody: who begins to listen later still learns of them.
//!
//! Must never lose one that came before somebody waited for it.
//! Tests: below, `tests/json.rs`.

use std::ops::ControlFlow;

use anyhow::Result;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::end::End;

/// How often the person, or the system, asked this process to end.
#[derive(Debug, Clone)]
pub(crate) struct Interrupts(watch::Receiver<u32>);

impl Interrupts {
    /// Listens from now on. Where a signal cannot be listened to, it ends the process as it always does.
    pub(crate) fn listen() -> Self {
        let (heard, told) = watch::channel(0_u32);
        for mut listener in
            [SignalKind::interrupt(), SignalKind::terminate()].into_iter().filter_map(|k| signal(k).ok())
        {
            let heard = heard.clone();
            tokio::spawn(async move {
                while listener.recv().await.is_some() {
                    heard.send_modify(|times| *times = times.saturating_add(1));
                }
            });
        }
        Self(told)
    }

    /// How many came so far.
    pub(crate) fn count(&self) -> u32 {
        *self.0.borrow()
    }

    /// Returns when this many have come.
    pub(crate) async fn heard(&self, times: u32) {
        if self.0.clone().wait_for(|count| *count >= times).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

/// Work that Ctrl-C ends at once: nothing of it is left. Where a session is open, that is asked to end instead.
pub(crate) async fn or_interrupted<T>(
    interrupts: &Interrupts,
    work: impl Future<Output = Result<T>>,
) -> Result<ControlFlow<End, T>> {
    tokio::select! {
        biased;
        done = work => done.map(ControlFlow::Continue),
        () = interrupts.heard(1) => Ok(ControlFlow::Break(End::Interrupted)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::{Signal, getpid, kill_process};

    use super::*;

    #[tokio::test]
    async fn who_listens_late_still_learns_of_it() {
        let interrupts = Interrupts::listen();
        kill_process(getpid(), Signal::INT).unwrap();
        let within = |times| tokio::time::timeout(Duration::from_secs(30), interrupts.heard(times));
        within(1).await.unwrap();
        let late = interrupts.clone();
        tokio::time::timeout(Duration::from_secs(30), late.heard(1)).await.unwrap();
        assert_eq!(late.count(), 1);
        kill_process(getpid(), Signal::TERM).unwrap();
        within(2).await.unwrap();
    }
}
