//! Ports that no other test takes, in this process or another.
//!
//! Must never hand out a port of the kernel's own range: an outgoing connection may sit on it.
//! Tests: `tests/tests/e2e/harness.rs`.

use std::fs::File;
use std::net::TcpListener;

/// Below the kernel's range for outgoing connections (32768 and up), above what servers commonly use.
const FIRST: u16 = 20_000;
const LAST: u16 = 31_999;

/// A port that is ours until dropped. A lock file says so to other tests; the port itself stays free to be bound.
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Takes a free port.
    ///
    /// # Panics
    /// Where none is free, or the folder of lock files cannot be written.
    #[must_use]
    pub fn take() -> Self {
        let folder = std::env::temp_dir().join("flowdeck-test-ports");
        std::fs::create_dir_all(&folder).expect("make the folder of port locks");
        let span = LAST - FIRST + 1;
        // Processes begin at different places, so they seldom meet.
        let begin = (std::process::id() % u32::from(span)) as u16;
        for step in 0..span {
            let number = FIRST + (begin + step * 7) % span;
            let Ok(lock) = File::create(folder.join(number.to_string())) else { continue };
            if lock.try_lock().is_ok() && TcpListener::bind(("127.0.0.1", number)).is_ok() {
                return Self { number, _lock: lock };
            }
        }
        panic!("no port between {FIRST} and {LAST} is free");
    }

    /// Its number.
    #[must_use]
    pub fn number(&self) -> u16 {
        self.number
    }
}
