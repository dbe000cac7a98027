//! Every bound of the playground in one place, so that no loop, list or body grows without end.
//!
//! Must never hold behaviour, only numbers.
//! The tests of the guards are in `tests/walk/`.

use std::time::Duration;

/// Largest request body read.
pub(crate) const BODY_BYTES_MAX: usize = 128 * 1024;
/// Largest state file read.
pub(crate) const STATE_FILE_BYTES_MAX: u64 = 32 * 1024 * 1024;
pub(crate) const CONNECTIONS_MAX: usize = 256;
pub(crate) const HEADER_READ_TIMEOUT: Duration = Duration::from_secs(15);
/// A keep-alive connection is closed at the latest this long after `stop`.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_secs(2);
/// How long a second starter waits for the first one to answer.
pub(crate) const REUSE_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const REUSE_PAUSE: Duration = Duration::from_millis(50);
/// Outside the usual ephemeral range, so that no outgoing connection takes a remembered port.
pub(crate) const PORTS: std::ops::Range<u16> = 18_200..28_200;
pub(crate) const PORT_TRIES_MAX: usize = 64;

pub(crate) const PEOPLE_MAX: usize = 5_000;
pub(crate) const GROUPS_MAX: usize = 500;
pub(crate) const HOOKS_MAX: usize = 50;
pub(crate) const EVENTS_KEPT_MAX: usize = 1_000;
pub(crate) const IDEMPOTENCY_KEYS_MAX: usize = 500;
pub(crate) const IDEMPOTENCY_KEY_CHARS_MAX: usize = 255;
pub(crate) const IDEMPOTENCY_KEY_AGE_MAX_MS: i64 = 24 * 3_600_000;
pub(crate) const TEXT_CHARS_MAX: usize = 200;
pub(crate) const URL_CHARS_MAX: usize = 2_000;

pub(crate) const CLIENTS_MAX: usize = 200;
pub(crate) const REDIRECT_URIS_MAX: usize = 10;
pub(crate) const CODES_MAX: usize = 500;
pub(crate) const TOKENS_MAX: usize = 5_000;
pub(crate) const DEVICES_MAX: usize = 200;
pub(crate) const API_TOKENS_MAX: usize = 100;
pub(crate) const TICKETS_MAX: usize = 500;
pub(crate) const TICKET_AGE_MAX_MS: i64 = 10 * 60_000;
/// A spent or expired code is remembered this long, so that its replay is seen.
pub(crate) const CODE_MEMORY_MS: i64 = 10 * 60_000;
pub(crate) const FAULTS_MAX: usize = 100;
pub(crate) const FAULT_DELAY_MAX_MS: u64 = 60_000;
pub(crate) const RATE_KEYS_MAX: usize = 1_000;

pub(crate) const DELIVERY_QUEUE_MAX: usize = 256;
pub(crate) const DELIVERIES_AT_ONCE_MAX: usize = 8;
/// Pauses before each attempt of a delivery.
pub(crate) const DELIVERY_PAUSES_MS: [u64; 5] = [0, 200, 1_000, 3_000, 10_000];
pub(crate) const LOOPBACK_CALL_TIMEOUT: Duration = Duration::from_secs(5);
pub(crate) const LOOPBACK_ANSWER_BYTES_MAX: usize = 64 * 1024;
