//! A server that answers by a script and keeps what it was asked, and one call of a card.
//!
//! Must never leave loopback.
//! Tests: used by all of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use flowdeck_apps::{AppHost, Apps};
use flowdeck_egress::{Egress, Policy};
use flowdeck_engine::ports::{Authorized, CardCall, CardOutcome, LookUp};
use flowdeck_model::{Ambient, CardName, ConnectionId, Fields, Millis, RunId, StepPath, Value};
use indexmap::IndexMap;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// What a server was asked, whole requests in order.
pub(crate) type Asked = Arc<Mutex<Vec<String>>>;

/// A server; an empty answer closes the connection.
pub(crate) struct Server {
    pub(crate) url: String,
    pub(crate) asked: Asked,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Asked::default();
        let kept = Arc::clone(&asked);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut bytes = Vec::new();
                let mut buffer = vec![0; 64 * 1024];
                while !is_whole(&bytes) {
                    match stream.read(&mut buffer).await {
                        Ok(n) if n > 0 => bytes.extend_from_slice(&buffer[..n]),
                        _ => break,
                    }
                }
                let text = String::from_utf8_lossy(&bytes).into_owned();
                let bytes = answer(&text);
                kept.lock().unwrap().push(text);
                stream.write_all(&bytes).await.ok();
            }
        });
        Self { url, asked }
    }

    /// The last request's line and body.
    pub(crate) fn last(&self) -> (String, String) {
        let asked = self.asked.lock().unwrap();
        let text = asked.last().expect("nothing was asked");
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
        (line, body.to_owned())
    }

    pub(crate) fn count(&self) -> usize {
        self.asked.lock().unwrap().len()
    }
}

fn is_whole(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    body.len() >= length.unwrap_or(0)
}

pub(crate) fn reply(status: u16, extra: &str, body: &Value) -> Vec<u8> {
    raw_reply(status, extra, body.to_string().as_bytes())
}

pub(crate) fn raw_reply(status: u16, extra: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\nConnection: close\r\n{extra}\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn host(url: &str) -> AppHost {
    let variables = IndexMap::from([("playground_url".to_owned(), url.to_owned())]);
    let policy = Policy { allow_private: vec!["127.0.0.1".parse().unwrap()], ..Policy::default() };
    AppHost::new(Arc::new(Apps::built_in(&variables).unwrap()), Egress::new(policy).unwrap())
}

pub(crate) fn card_call(url: &str, card: &str, inputs: Value, page: Option<Value>) -> CardCall {
    let fields = BTreeMap::from([("domain".to_owned(), url.to_owned()), ("host".to_owned(), url.to_owned())]);
    CardCall {
        run: RunId::new(Millis(1), 1),
        path: StepPath::root(),
        card: CardName::new(card).unwrap(),
        inputs: Fields::from_value(inputs),
        idempotency_key: "run/step/0".into(),
        attempt: 1,
        ambient: Ambient { now: Millis(1_790_000_000_000), seed: 1 },
        deadline: Millis(1_790_000_005_000),
        page,
        all_pages: false,
        authorized: Some(Authorized {
            connection: ConnectionId::new(Millis(1), 1),
            generation: 1,
            subject: None,
            account: None,
            fields: Arc::new(fields),
            handle: Arc::new(()),
        }),
    }
}

pub(crate) async fn call(url: &str, card: &str, inputs: Value, page: Option<Value>) -> CardOutcome {
    host(url).perform(card_call(url, card, inputs, page)).await
}

pub(crate) async fn done(url: &str, card: &str, inputs: Value) -> Fields {
    match call(url, card, inputs, None).await {
        CardOutcome::Done { outputs, .. } => outputs,
        other => panic!("{card}: {other:?}"),
    }
}

pub(crate) async fn look_up(url: &str, card: &str, inputs: Value) -> LookUp {
    host(url).look_up(card_call(url, card, inputs, None)).await
}
