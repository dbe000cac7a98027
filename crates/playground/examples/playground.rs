//! Runs a playground until Ctrl-C: `cargo run -p flowdeck-playground --example playground -- FOLDER`.
//!
//! Must never listen on anything but loopback.
//! Tests: the library's `tests/walk/`.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use flowdeck_playground::{Options, Playground};

#[allow(clippy::disallowed_methods, reason = "the edge: here the clock is made")]
fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |d| i64::try_from(d.as_millis()).unwrap_or(i64::MAX))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::env::args().nth(1).ok_or("say which folder to keep the directory in")?;
    let running = Playground::start(Options::new(folder, Arc::new(now_ms))).await?;
    println!("the playground answers at {}; Ctrl-C ends it", running.base_url);
    tokio::signal::ctrl_c().await?;
    running.stop().await;
    Ok(())
}
