//! A server that only remembers: which effects came, and how often.
//!
//! Must never forget an effect, nor count one that was not carried out.
//! Tests: `tests/tests/kills.rs`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

type Counts = Arc<Mutex<BTreeMap<String, u32>>>;

/// The server.
#[derive(Debug)]
pub struct Ledger {
    address: SocketAddr,
    counts: Counts,
    _runtime: Runtime,
}

impl Default for Ledger {
    fn default() -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("start a runtime");
        let counts = Counts::default();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).expect("listen");
        let address = listener.local_addr().expect("an address");
        let kept = counts.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let counts = kept.clone();
                let service = service_fn(move |request| remember(counts.clone(), request));
                // A caller that is killed is what this is about.
                tokio::spawn(async move {
                    http1::Builder::new().serve_connection(TokioIo::new(stream), service).await.ok()
                });
            }
        });
        Self { address, counts, _runtime: runtime }
    }
}

impl Ledger {
    /// `host:port`.
    #[must_use]
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Every effect with its count.
    ///
    /// # Panics
    /// When a thread panicked over it.
    #[must_use]
    pub fn counts(&self) -> BTreeMap<String, u32> {
        self.counts.lock().expect("the counts").clone()
    }
}

/// Carries the effect out at once, or slowly before or after it, by its name: so that kills meet all three.
async fn remember(
    counts: Counts,
    request: Request<Incoming>,
) -> Result<Response<Full<Bytes>>, std::convert::Infallible> {
    let name = request.uri().path().trim_start_matches("/effects/").to_owned();
    let kind = name.bytes().map(u32::from).sum::<u32>() % 3;
    let pause = Duration::from_millis(15);
    if kind == 1 {
        tokio::time::sleep(pause).await;
    }
    *counts.lock().expect("the counts").entry(name).or_insert(0) += 1;
    if kind == 2 {
        tokio::time::sleep(pause).await;
    }
    Ok(Response::new(Full::from(r#"{"ok":true}"#)))
}
