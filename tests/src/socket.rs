//! The holder's local socket, spoken to as any other command speaks to it: HTTP with JSON.
//!
//! Must never repeat a call: whether it may be is the caller's knowledge.
//! Tests: `tests/tests/kills.rs`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};

/// Longest wait for one answer, in seconds.
const ANSWER_S: u64 = 60;

/// A caller at the socket of one data folder.
#[derive(Debug)]
pub struct Socket {
    folder: PathBuf,
    runtime: Runtime,
}

impl Socket {
    /// A caller at whatever socket stands in this runtime folder (`XDG_RUNTIME_DIR`).
    ///
    /// # Panics
    /// When no runtime can be started.
    #[must_use]
    pub fn new(runtime_folder: &Path) -> Self {
        let runtime = Builder::new_current_thread().enable_all().build().expect("start a runtime");
        Self { folder: runtime_folder.join("flowdeck"), runtime }
    }

    /// One call: status and body.
    ///
    /// # Errors
    /// Why there is no answer: no holder, or one that died meanwhile.
    pub fn call(&self, method: &Method, path: &str, body: Option<&Value>) -> Result<(u16, Value), String> {
        let file = self.file().ok_or("no socket yet")?;
        let text = body.map(Value::to_string).unwrap_or_default();
        let exchange = async {
            let stream = UnixStream::connect(&file).await.map_err(|e| e.to_string())?;
            let (mut sender, connection) =
                hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(|e| e.to_string())?;
            let talking = tokio::spawn(connection);
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header("host", "localhost")
                .header("content-type", "application/json")
                .body(Full::<Bytes>::from(text))
                .map_err(|e| e.to_string())?;
            let answer = sender.send_request(request).await.map_err(|e| e.to_string())?;
            let status = answer.status().as_u16();
            let body = answer.into_body().collect().await.map_err(|e| e.to_string())?.to_bytes();
            talking.abort();
            Ok((status, serde_json::from_slice(&body).unwrap_or_default()))
        };
        self.runtime.block_on(async {
            tokio::time::timeout(Duration::from_secs(ANSWER_S), exchange)
                .await
                .unwrap_or_else(|_| Err(format!("no answer in {ANSWER_S} s")))
        })
    }

    fn file(&self) -> Option<PathBuf> {
        let entries = std::fs::read_dir(&self.folder).ok()?;
        entries.flatten().map(|e| e.path()).find(|p| p.extension().is_some_and(|e| e == "sock"))
    }
}
