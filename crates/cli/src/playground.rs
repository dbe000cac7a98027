//! The playground of a data folder: its port is known before it is needed, its server starts when it is.
//!
//! Must never start a server that nobody touches.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use flowdeck::AppStarter;
use flowdeck::engine::ports::Clock;
use flowdeck::model::AppName;
use flowdeck_playground::{Options, Playground, Running};
use tokio::sync::Mutex;

/// The app that it serves.
pub(crate) const APP: &str = "playground";

/// Starts the playground on demand.
pub(crate) struct PlaygroundStarter {
    folder: PathBuf,
    clock: Arc<dyn Clock>,
    running: Mutex<Option<Running>>,
}

impl std::fmt::Debug for PlaygroundStarter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PlaygroundStarter").field("folder", &self.folder).finish_non_exhaustive()
    }
}

impl PlaygroundStarter {
    /// A starter for the playground below a data folder.
    pub(crate) fn new(folder: PathBuf, clock: Arc<dyn Clock>) -> Self {
        Self { folder, clock, running: Mutex::new(None) }
    }

    /// Where it answers, now or once it is started.
    pub(crate) async fn url(&self) -> anyhow::Result<String> {
        let port = Playground::reserve(&self.options()).await?;
        Ok(format!("http://127.0.0.1:{port}"))
    }

    fn options(&self) -> Options {
        let clock = Arc::clone(&self.clock);
        Options::new(&self.folder, Arc::new(move || clock.now().0))
    }

    /// Stops the server, if it was started here.
    pub(crate) async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.stop().await;
        }
    }
}

#[async_trait]
impl AppStarter for PlaygroundStarter {
    async fn ensure(&self, app: &AppName) -> Result<(), String> {
        if app.as_str() != APP {
            return Ok(());
        }
        let mut running = self.running.lock().await;
        // One that another process runs may end with it, so it is looked for each time.
        if running.as_ref().is_some_and(|r| r.started) {
            return Ok(());
        }
        let started = Playground::start(self.options()).await.map_err(|e| e.to_string())?;
        *running = Some(started);
        Ok(())
    }
}
