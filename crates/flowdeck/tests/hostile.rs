//! Servers that mean harm, met by a flow's HTTP card: a typed end at that card, in time, and no more taken than allowed.
//!
//! Must never leave loopback.
//! Tests: these. What the way out itself refuses is in the tests of `egress`.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use flowdeck::egress::{Limits, Policy};
use flowdeck::{RunView, Runtime, Status};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::start;

/// What the operator lets one answer have here.
const BODY_MAX: usize = 4 << 20;
/// What lies in the sockets between the two ends is not the runtime's.
const SOCKETS_BYTES: usize = 16 << 20;
/// The card's own timeout is 2 s; a busy machine needs a little longer.
const END_MAX: Duration = Duration::from_secs(20);

/// First bytes, then others again and again: for ever, or until the server closes.
struct Harm {
    name: &'static str,
    first: Vec<u8>,
    again: Vec<u8>,
    times: usize,
    pause: Duration,
}

impl Harm {
    fn new(name: &'static str, head: &str) -> Self {
        let first = format!("HTTP/1.1 200 OK\r\n{head}").into_bytes();
        Self { name, first, again: Vec::new(), times: 0, pause: Duration::ZERO }
    }

    fn with(mut self, body: &[u8]) -> Self {
        self.first.extend_from_slice(body);
        self
    }

    fn again(self, again: &[u8], times: usize) -> Self {
        Self { again: again.to_vec(), times, ..self }
    }

    async fn answer(&self, mut stream: TcpStream, sent: &AtomicUsize) -> std::io::Result<()> {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            if stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        stream.write_all(&self.first).await?;
        sent.fetch_add(self.first.len(), Ordering::SeqCst);
        for _ in 0..self.times {
            stream.write_all(&self.again).await?;
            sent.fetch_add(self.again.len(), Ordering::SeqCst);
            if !self.pause.is_zero() {
                tokio::time::sleep(self.pause).await;
            }
        }
        stream.shutdown().await
    }
}

/// Runs `http/get` (or `http/post`) against it; the run, and how many bytes the server got rid of.
async fn meet(harm: Harm, method: &str) -> (RunView, usize) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let (sent, name) = (Arc::new(AtomicUsize::new(0)), harm.name);
    let (harm, count) = (Arc::new(harm), sent.clone());
    let server = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (harm, count) = (harm.clone(), count.clone());
            tokio::spawn(async move { harm.answer(stream, &count).await.ok() });
        }
    });
    let policy = Policy {
        allow_private: vec!["127.0.0.1".parse().unwrap()],
        limits: Limits { response_bytes_max: BODY_MAX, ..Limits::default() },
        ..Policy::default()
    };
    let runtime = Runtime::builder().memory().egress_policy(policy).open().await.unwrap();
    let text = format!(
        "flow: met\ncards:\n  - id: call\n    card: http/{method}\n    with: {{ url: \"{url}\" }}\n    timeout: 2s\n  - return: {{ status: \"${{call.statusCode}}\", body: \"${{call.body}}\" }}\n"
    );
    let began = Instant::now();
    let view = tokio::time::timeout(END_MAX, runtime.run(start(&runtime, &text))).await;
    let view = view.unwrap_or_else(|_| panic!("{name}: no end in {END_MAX:?}")).unwrap();
    assert!(began.elapsed() < END_MAX, "{name}");
    server.abort();
    let sent = sent.load(Ordering::SeqCst);
    assert!(sent <= BODY_MAX + SOCKETS_BYTES, "{name}: {sent} bytes were taken");
    (view, sent)
}

fn chunk(bytes: &[u8]) -> Vec<u8> {
    [format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat()
}

#[tokio::test]
async fn what_cannot_be_taken_fails_the_card_that_asked_for_it() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n";
    let json = "Content-Type: application/json\r\n";
    let huge = chunk(&vec![b'1'; 1 << 16]);
    let rows = [
        (Harm::new("a million headers", "").again("A: b\r\n".repeat(1_000).as_bytes(), 1_000), "bad-answer"),
        (Harm::new("a million bytes in a header", "A: ").again(&[b'x'; 1_000], 1_000), "bad-answer"),
        (Harm::new("100 MB of JSON, announced", &format!("{json}Content-Length: 100000000\r\n\r\n[")), "bad-answer"),
        (Harm::new("100 MB of JSON, in chunks", &format!("{json}{chunked}")).again(&huge, 1_600), "bad-answer"),
        (Harm::new("chunks without end", chunked).again(&huge, usize::MAX), "bad-answer"),
        (Harm::new("less than announced", "Content-Length: 100\r\n\r\n{}"), "unreachable"),
        (Harm::new("two lengths", "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"), "bad-answer"),
        (Harm::new("a length that is none", "Content-Length: -1\r\n\r\n{}"), "bad-answer"),
        (
            Harm {
                pause: Duration::from_millis(20),
                ..Harm::new("a trickle", chunked).again(b"1\r\nx\r\n", usize::MAX)
            },
            "timeout",
        ),
    ];
    let mut wrong = Vec::new();
    for (harm, code) in rows {
        let name = harm.name;
        let (view, _) = meet(harm, "get").await;
        let at = view.failed_at.map(|at| at.to_string());
        let found = view.fault.as_ref().map(|fault| fault.code.as_str());
        if (view.status, found, at.as_deref()) != (Status::Failed, Some(code), Some("call")) {
            wrong.push(format!("{name}: {:?} at {at:?}: {:?}", view.status, view.fault));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn what_can_be_taken_is_taken_as_it_is() {
    let json = "Content-Type: application/json\r\n";
    // A gzip member that would unpack to gigabytes: nothing unpacks it, nobody asked for it.
    let bomb = [&[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3][..], &[0xff; 4096][..]].concat();
    let deep = "[".repeat(1 << 20);
    let rows = [
        (
            Harm::new("invalid UTF-8 as JSON", &format!("{json}\r\n")).with(b"{\"a\":\"\xff\xfe\"}"),
            "{\"a\":\"\u{fffd}\u{fffd}\"}".len(),
        ),
        (Harm::new("a packed bomb", &format!("{json}Content-Encoding: gzip\r\n\r\n")).with(&bomb), 0),
        (Harm::new("more than announced", "Content-Length: 3\r\n\r\nabcdef"), 3),
        (Harm::new("JSON that is all depth", &format!("{json}\r\n")).with(deep.as_bytes()), deep.len()),
    ];
    for (harm, length) in rows {
        let name = harm.name;
        let (view, _) = meet(harm, "get").await;
        assert_eq!(view.status, Status::Finished, "{name}: {:?}", view.fault);
        let output = view.output.unwrap();
        assert_eq!(output.get("status"), &serde_json::json!(200), "{name}");
        let body = output.get("body").as_str().unwrap_or_else(|| panic!("{name}: it is no text"));
        assert!(length == 0 && body.len() < 3 * 4_106 || body.len() == length, "{name}: {} bytes", body.len());
    }
}

#[tokio::test]
async fn a_write_whose_answer_cannot_be_taken_is_in_doubt_at_its_card() {
    let harm = Harm::new("chunks without end", "Transfer-Encoding: chunked\r\n\r\n")
        .again(&chunk(&[b'1'; 1 << 16]), usize::MAX);
    let (view, _) = meet(harm, "post").await;
    assert_eq!(view.status, Status::InDoubt, "{:?}", view.fault);
    assert_eq!(view.waits[0].path.to_string(), "call");
}
