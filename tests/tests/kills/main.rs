//! SIGKILL, again and again: under load at random, at marked points, and while starting.
//!
//! Must never count as lost what was not acknowledged, nor as kept what was not looked at.
//! Tests: these are they; `FLOWDECK_SOAK_KILLS` sets the number of kills, `FLOWDECK_SOAK_SEED` the seed.

mod checks;
mod load;

use std::time::Instant;

use flowdeck_tests::{missing, need};

use load::{Kill, Siege};

/// Kills in the gate.
const SLICE: u32 = 24;
/// Kills between two full checks.
const ROUND: u32 = 25;

/// A generator of the splitmix kind: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }
}

fn number(key: &str) -> Option<u64> {
    std::env::var(key).ok().and_then(|text| text.parse().ok())
}

#[test]
fn kills_lose_nothing_that_was_acknowledged_and_repeat_nothing() {
    let strace = std::process::Command::new("strace").arg("--version").output().ok();
    need!(missing::need("strace", "apt-get install strace, or `cargo xtask setup` as root", strace));
    let kills = number("FLOWDECK_SOAK_KILLS").map_or(SLICE, |n| u32::try_from(n).unwrap());
    let seed = number("FLOWDECK_SOAK_SEED").unwrap_or_else(|| u64::from(std::process::id()));
    println!("kills: {kills}, seed: {seed} (FLOWDECK_SOAK_SEED)");
    let mut dice = Dice(seed);
    let began = Instant::now();
    let mut siege = Siege::new();
    let mut done = 0;
    while done < kills {
        for _ in 0..ROUND.min(kills - done) {
            let kill = match dice.below(10) {
                0..3 => Kill::Starting { after_ms: dice.below(120) },
                3..5 => Kill::AtCall {
                    call: load::CALLS[dice.below(load::CALLS.len() as u64) as usize],
                    nth: 1 + dice.below(12),
                },
                5..7 => Kill::AfterAcknowledged { runs: 1 + dice.below(12) as usize },
                _ => Kill::UnderLoad { after_ms: dice.below(300) },
            };
            siege.kill(kill);
            done += 1;
        }
        siege.check();
        println!("after {} s: {}", began.elapsed().as_secs(), siege.figures());
    }
    assert!(siege.acknowledged() > 0, "there was no load");
}
