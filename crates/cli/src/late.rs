//! The end of a process that was asked to end and is held up, as by a disk whose every sync takes seconds.
//!
//! Must never come before its time is over. It is as safe as a kill: what was acknowledged is durable.
//! Tests: `tests/tests/slow`.

use std::time::Duration;

use crate::end::End;
use crate::interrupts::Interrupts;

/// How long an end may take from the first Ctrl-C or SIGTERM on.
const END_WITHIN: Duration = Duration::from_millis(9_500);

/// What is said, and the exit code, when the time is over.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Late {
    pub(crate) end: End,
    pub(crate) last_words: fn(),
}

impl Late {
    /// Of a command that is interrupted.
    pub(crate) const INTERRUPTED: Self = Self {
        end: End::Interrupted,
        last_words: || {
            crate::out::error("The disk is slow; what is left to do is done at the next start. Nothing is lost.\n")
        },
    };

    /// Ends the process when its time is over, whatever its threads wait for.
    pub(crate) fn ends_after(self, interrupts: Interrupts) {
        tokio::spawn(async move {
            interrupts.heard(1).await;
            tokio::time::sleep(END_WITHIN).await;
            tracing::warn!("the end took too long; the rest is done at the next start");
            (self.last_words)();
            std::process::exit(self.end.code().into());
        });
    }
}
