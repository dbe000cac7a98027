//! A raw TCP server that answers as it is told, and the ports that tests put into a policy.
//!
//! Must never leave loopback. Shared by the test files beside this folder.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use flowdeck_egress::{AllowedTarget, Dial, EgressError, Exchange, Observer, Resolve};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

/// What the server does after it has read the head of a request.
pub(crate) enum Reply {
    /// Writes these bytes and closes.
    Close(Vec<u8>),
    /// Writes these bytes and reads the next request.
    Keep(Vec<u8>),
    /// Writes the first bytes, then the second ones again and again until the client leaves.
    Endless(Vec<u8>, Vec<u8>),
    /// Writes the first bytes, then one byte every 10 ms until the client leaves.
    Trickle(Vec<u8>, u8),
}

/// A server on loopback that remembers the heads it was sent.
pub(crate) struct Server {
    pub(crate) port: u16,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Server {
    pub(crate) async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback has a free port");
        let port = listener.local_addr().expect("a bound listener has an address").port();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let (answer, seen) = (Arc::new(answer), Arc::clone(&heads));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answer, seen) = (Arc::clone(&answer), Arc::clone(&seen));
                tokio::spawn(async move { serve(stream, &*answer, &seen).await.ok() });
            }
        });
        Self { port, heads }
    }

    pub(crate) fn heads(&self) -> Vec<String> {
        lock(&self.heads).clone()
    }

    pub(crate) fn take_heads(&self) -> Vec<String> {
        std::mem::take(&mut *lock(&self.heads))
    }
}

async fn serve(mut stream: TcpStream, answer: &dyn AnswerFn, seen: &Mutex<Vec<String>>) -> io::Result<()> {
    let mut read = Vec::new();
    loop {
        while !read.windows(4).any(|window| window == b"\r\n\r\n") {
            if stream.read_buf(&mut read).await? == 0 {
                return Ok(());
            }
        }
        let head = String::from_utf8_lossy(&read).into_owned();
        read.clear();
        lock(seen).push(head.clone());
        match answer.answer(&head) {
            Reply::Close(bytes) => {
                stream.write_all(&bytes).await?;
                return stream.shutdown().await;
            }
            Reply::Keep(bytes) => stream.write_all(&bytes).await?,
            Reply::Endless(first, then) => {
                stream.write_all(&first).await?;
                loop {
                    stream.write_all(&then).await?;
                }
            }
            Reply::Trickle(first, byte) => {
                stream.write_all(&first).await?;
                let mut beat = tokio::time::interval(Duration::from_millis(10));
                loop {
                    beat.tick().await;
                    stream.write_all(&[byte]).await?;
                }
            }
        }
    }
}

trait AnswerFn: Send + Sync {
    fn answer(&self, head: &str) -> Reply;
}

impl<F: Fn(&str) -> Reply + Send + Sync> AnswerFn for F {
    fn answer(&self, head: &str) -> Reply {
        self(head)
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn allow(text: &str) -> AllowedTarget {
    text.parse().expect("the test names a target")
}

pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

pub(crate) fn redirect(status: u16, location: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Moved\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

/// Scripted names. Each call takes the next answer; the last one stays.
#[derive(Default)]
pub(crate) struct Names {
    answers: Mutex<HashMap<String, Vec<Vec<IpAddr>>>>,
    asked: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn with(self, name: &str, answers: &[&[&str]]) -> Self {
        let parse = |list: &&[&str]| list.iter().map(|a| a.parse().expect("an address")).collect();
        lock(&self.answers).insert(name.into(), answers.iter().map(parse).collect());
        self
    }

    pub(crate) fn asked(&self) -> Vec<String> {
        lock(&self.asked).clone()
    }
}

#[async_trait::async_trait]
impl Resolve for Names {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        lock(&self.asked).push(host.to_owned());
        let mut answers = lock(&self.answers);
        match answers.get_mut(host) {
            Some(list) if list.len() > 1 => Ok(list.remove(0)),
            Some(list) => Ok(list[0].clone()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// A resolver that never answers.
pub(crate) struct Silent;

#[async_trait::async_trait]
impl Resolve for Silent {
    async fn resolve(&self, _: &str) -> io::Result<Vec<IpAddr>> {
        std::future::pending().await
    }
}

/// Leads every checked address to one local port.
pub(crate) struct DialLocal(pub u16);

impl Dial for DialLocal {
    fn dial(&self, _: SocketAddr) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.0))
    }
}

/// Remembers sockets and hops.
#[derive(Default)]
pub(crate) struct Seen {
    sockets: Mutex<Vec<String>>,
    hops: Mutex<Vec<Exchange>>,
}

impl Seen {
    pub(crate) fn sockets(&self) -> Vec<String> {
        lock(&self.sockets).clone()
    }
    pub(crate) fn hops(&self) -> Vec<Exchange> {
        lock(&self.hops).clone()
    }
}

impl Observer for Seen {
    fn connecting(&self, host: &str, port: u16) {
        lock(&self.sockets).push(format!("{host}:{port}"));
    }
    fn exchanged(&self, exchange: &Exchange) {
        lock(&self.hops).push(exchange.clone());
    }
}

/// No failure may repeat what only the two ends should know.
#[track_caller]
pub(crate) fn assert_discreet(error: &EgressError) {
    let mut texts = vec![format!("{error:?}"), error.to_string()];
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        texts.push(error.to_string());
        cause = error.source();
    }
    for text in texts {
        for secret in ["canary", "/path", "?"] {
            assert!(!text.contains(secret), "{secret:?} in {text}");
        }
    }
}
