//! What a connection's state becomes: one total function over state and event.
//!
//! Pure. `None` means that the event changes nothing in that state.
//! Tests: below, every pair.

use flowdeck_model::connect::ConnectionState as S;

/// What happens to a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Happening {
    /// A person authorized it.
    Authorized,
    /// The credential worked, or was renewed.
    Worked,
    /// A refresh failed in a way that may pass, or the app registration is at fault.
    Trouble,
    /// The grant is gone.
    GrantDead,
    /// An administrator or a safety rule switched it off.
    SwitchedOff,
    /// An administrator switched it on.
    SwitchedOn,
}

/// The next state, or `None` where the event does not count.
pub(crate) fn next(state: S, happening: Happening) -> Option<S> {
    use Happening as H;
    match (state, happening) {
        (S::Disabled, H::SwitchedOn) => Some(S::Active),
        // Switched off stays off whatever the provider says; an authorization is kept for later.
        (S::Disabled, _) | (_, H::SwitchedOn) => None,
        (_, H::SwitchedOff) => Some(S::Disabled),
        (_, H::Authorized) => Some(S::Active),
        (S::Active | S::Degraded, H::Worked) => Some(S::Active),
        (S::Active | S::Degraded, H::Trouble) => Some(S::Degraded),
        (S::Active | S::Degraded, H::GrantDead) => Some(S::NeedsReauth),
        // A dead or missing grant comes back only by authorization.
        (S::Unbound | S::NeedsReauth, H::Worked | H::Trouble | H::GrantDead) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Happening as H;

    #[test]
    fn every_pair_is_decided() {
        let states = [S::Unbound, S::Active, S::Degraded, S::NeedsReauth, S::Disabled];
        let table: [(H, [Option<S>; 5]); 6] = [
            (H::Authorized, [Some(S::Active), Some(S::Active), Some(S::Active), Some(S::Active), None]),
            (H::Worked, [None, Some(S::Active), Some(S::Active), None, None]),
            (H::Trouble, [None, Some(S::Degraded), Some(S::Degraded), None, None]),
            (H::GrantDead, [None, Some(S::NeedsReauth), Some(S::NeedsReauth), None, None]),
            (H::SwitchedOff, [Some(S::Disabled), Some(S::Disabled), Some(S::Disabled), Some(S::Disabled), None]),
            (H::SwitchedOn, [None, None, None, None, Some(S::Active)]),
        ];
        for (happening, expected) in table {
            for (state, expected) in states.into_iter().zip(expected) {
                assert_eq!(next(state, happening), expected, "{state:?} {happening:?}");
            }
        }
    }
}
