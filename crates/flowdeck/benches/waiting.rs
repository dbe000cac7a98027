//! A store with 100,000 waiting runs: how long a fresh process takes to open it, and its memory then.
//!
//! Must never measure in the process that made the runs. `cargo xtask bench waiting`

use std::path::Path;
use std::time::Instant;

use flowdeck::model::Fields;
use flowdeck::{Runtime, RuntimeBuilder, Source, Start, Status};

const RUNS: usize = 100_000;
const MAKERS: usize = 64;
const FLOW: &str = "flow: waits\ncards:\n  - id: word\n    wait: { signal: go }\n  - return: { done: true }\n";

fn builder(folder: &Path) -> RuntimeBuilder {
    Runtime::builder().data(folder).key_bytes([1; 32])
}

async fn make(folder: &Path) {
    let runtime = builder(folder).open().await.expect("a runtime");
    let flow = runtime.flow(&Source::new("waits.flow.yaml", FLOW), None).expect("a flow");
    let makers: Vec<_> = (0..MAKERS)
        .map(|n| {
            let (runtime, flow) = (runtime.clone(), flow.clone());
            tokio::spawn(async move {
                for _ in (n..RUNS).step_by(MAKERS) {
                    let view = runtime.run(Start::new(flow.clone(), Fields::new())).await.expect("a run");
                    assert_eq!(view.status, Status::Waiting);
                }
            })
        })
        .collect();
    for maker in makers {
        maker.await.expect("a maker");
    }
    runtime.stop().await.expect("a stop");
}

/// Resident memory of this process, in MiB (Linux).
fn resident_mib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib: f64 = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(f64::NAN);
    kib / 1024.0
}

async fn open(folder: &Path) {
    let began = Instant::now();
    let runtime = builder(folder).open().await.expect("a runtime");
    runtime.start().expect("a background");
    runtime.come_to_rest().await.expect("rest");
    println!(
        "{RUNS} waiting runs: open and at rest after {:.3} s, resident {:.0} MiB",
        began.elapsed().as_secs_f64(),
        resident_mib()
    );
    runtime.stop().await.expect("a stop");
}

fn main() {
    let threads = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
    let arguments: Vec<String> = std::env::args().collect();
    if let Some(at) = arguments.iter().position(|a| a == "--open") {
        return threads.block_on(open(Path::new(&arguments[at + 1])));
    }
    let root = tempfile::tempdir().expect("a folder");
    threads.block_on(make(root.path()));
    drop(threads);
    for _ in 0..3 {
        let program = std::env::current_exe().expect("this program");
        let ended = std::process::Command::new(program).arg("--open").arg(root.path()).status().expect("a process");
        assert!(ended.success());
    }
}
