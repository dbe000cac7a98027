//! Events of apps: pushed to a hook or asked for, each starts the flows that listen for it once.
//!
//! Must never acknowledge an event whose runs are not durable. Tests: `tests/hooks.rs`, `tests/polls.rs`.

mod deliver;
mod hooks;
mod listeners;
mod poll;
mod polling;
mod seen;
mod shown;
mod status;
mod take;

pub use self::deliver::{Delivered, DeliveryRefusal, Hook};
pub use self::hooks::{HookView, MadeHook};
pub(super) use self::listeners::Listeners;
pub(super) use self::polling::{Polls, poll_forever};
pub(super) use self::seen::Seen;
pub use self::shown::{Arrives, PollView};
