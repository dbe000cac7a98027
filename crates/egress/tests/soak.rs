//! Servers that mean harm, thousands of them in random forms: each request has a bounded, typed end, and the next one works.
//!
//! Must never leave loopback. Must print the seed of what fails. `FLOWDECK_SOAK_HOSTILE` sets how many (default 120),
//! `FLOWDECK_SEED` where the seeds start.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use crate::support;

use std::time::Duration;

use flowdeck_egress::{Egress, Policy, Request, Sent};
use http::Method;
use support::{Reply, Server, allow, assert_discreet};

const BODY_MAX: usize = 64 * 1024;
/// A way out for the test itself, far above what a request is given.
const WAY_OUT: Duration = Duration::from_secs(60);

/// SplitMix64: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % sides as u64).unwrap()
    }

    fn bytes(&mut self, most: usize) -> Vec<u8> {
        let length = self.roll(most);
        (0..length).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.roll(of.len())]
    }
}

fn hostile(dice: &mut Dice) -> Reply {
    let line = dice.pick(&[
        "HTTP/1.1 200 OK",
        "HTTP/1.1 204 No Content",
        "HTTP/1.1 302 Found",
        "HTTP/1.1 500 Oops",
        "HTTP/1.1 100 Continue",
        "HTTP/1.1 999 ?",
        "HTTP/1.1 20",
        "HTTP/9.9 200 OK",
        "ICY 200 OK",
        "",
    ]);
    let mut head = format!("{line}\r\n").into_bytes();
    for _ in 0..dice.roll(6) {
        let header = dice.pick(&[
            "Content-Length: 5",
            "Content-Length: 999999999999",
            "Content-Length: 18446744073709551616",
            "Content-Length: -1",
            "Transfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Content-Encoding: gzip",
            "Location: /again",
            "Location: http://169.254.169.254/latest",
            "Location: http://[::1",
            "Connection: close",
            "Connection: upgrade",
            "No colon here",
            ": empty",
            "Bad\u{0}Name: x",
            "Set-Cookie: canary=1",
        ]);
        head.extend_from_slice(header.as_bytes());
        head.extend_from_slice(dice.pick(&["\r\n", "\r\n", "\r\n", "\n", "\r"]).as_bytes());
    }
    if dice.roll(8) == 0 {
        let count = 1 + dice.roll(400);
        (0..count).for_each(|n| head.extend_from_slice(format!("X-{n}: {}\r\n", "y".repeat(300)).as_bytes()));
    }
    if dice.roll(8) != 0 {
        head.extend_from_slice(b"\r\n");
    }
    let body = match dice.roll(5) {
        0 => dice.bytes(2048),
        1 => vec![b'x'; BODY_MAX + dice.roll(3)],
        2 => b"ffffffffffffffff\r\nx".to_vec(),
        3 => b"5\r\nhello\r\n0\r\nTrailer: x\r\n\r\n".to_vec(),
        _ => Vec::new(),
    };
    match dice.roll(6) {
        0 => Reply::Endless([head, body].concat(), vec![b'z'; 4096]),
        1 => Reply::Trickle([head, body].concat(), b't'),
        2 => Reply::Keep([head, body].concat()),
        3 => Reply::Close(dice.bytes(4096)),
        _ => Reply::Close([head, body].concat()),
    }
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn request(port: u16, method: Method) -> Request {
    let mut request = Request::new(method, format!("http://127.0.0.1:{port}/path?q=canary").parse().unwrap());
    request.timeout = Duration::from_millis(300);
    request.response_bytes_max = BODY_MAX;
    request
}

#[tokio::test]
async fn whatever_a_server_sends_has_an_end() {
    let policy = Policy { allow_private: vec![allow("127.0.0.1")], ..Policy::default() };
    let egress = Egress::new(policy).unwrap();
    let good = Server::start(|_| Reply::Close(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec())).await;
    let first = number("FLOWDECK_SEED", 1);
    let count = number("FLOWDECK_SOAK_HOSTILE", 120);
    let (mut answered, mut refused) = (0, 0);
    for seed in first..first + count {
        let server = Server::start(move |_| hostile(&mut Dice(seed))).await;
        let method = if seed % 2 == 0 { Method::GET } else { Method::POST };
        let sent = tokio::time::timeout(WAY_OUT, egress.send(request(server.port, method.clone()))).await;
        match sent.unwrap_or_else(|_| panic!("seed {seed}: no end")) {
            Ok(response) => {
                assert!(response.body.len() <= BODY_MAX, "seed {seed}: {} bytes", response.body.len());
                answered += 1;
            }
            Err(error) => {
                assert_eq!(error.was_sent(), Sent::Maybe, "seed {seed}: {error:?}");
                assert_discreet(&error);
                refused += 1;
            }
        }
        if method == Method::POST {
            let posts = server.heads().iter().filter(|head| head.starts_with("POST")).count();
            // A redirect with 307 or 308 would repeat it; none of these is one.
            assert!(posts <= 1, "seed {seed}: a write was sent {posts} times");
        }
        let mut calm = request(good.port, Method::GET);
        calm.timeout = WAY_OUT;
        assert_eq!(&egress.send(calm).await.unwrap().body[..], b"ok", "seed {seed}: the next request does not work");
    }
    println!("hostile: {count} servers from seed {first}: {answered} answered, {refused} refused, 0 without an end");
}
