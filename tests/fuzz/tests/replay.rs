//! Replays what fuzzing collected: small inputs that reach different code, and every input that once broke something.
//!
//! Must never pass over an input that is there, nor hold one that comes from somebody's export.
//! Tests: this is one. `cargo xtask soak fuzz` collects.

use std::path::Path;
use std::time::{Duration, Instant};

use flowdeck_fuzz::TARGETS;

/// Longest time of one input: a hang is a defect too.
const LONGEST: Duration = Duration::from_secs(20);

#[test]
fn what_was_collected_still_holds() {
    for (name, target) in TARGETS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("replay").join(name);
        let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
        files.sort();
        assert!(files.len() >= 5, "{name}: {} inputs", files.len());
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            let started = Instant::now();
            // Shown where the target breaks.
            eprintln!("{}", file.display());
            target(&bytes);
            assert!(started.elapsed() < LONGEST, "{} took {:?}", file.display(), started.elapsed());
        }
    }
}
