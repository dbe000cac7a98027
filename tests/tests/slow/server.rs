//! A server that takes its time, and remembers what it did.
//!
//! Must never forget an effect, nor count one that was not carried out.
//! Tests: `main.rs`.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// The server. Its threads end with the test's process.
pub(crate) struct Server {
    address: SocketAddr,
    mind: Arc<Mind>,
}

#[derive(Default)]
struct Mind {
    pause_ms: AtomicU64,
    done: Mutex<BTreeMap<String, u32>>,
    heard: AtomicU64,
    over: AtomicU64,
}

impl Server {
    pub(crate) fn new(pause_ms: u64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (address, mind) = (listener.local_addr().unwrap(), Arc::new(Mind::default()));
        mind.pause_ms.store(pause_ms, Ordering::SeqCst);
        let here = mind.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let mind = here.clone();
                std::thread::spawn(move || while mind.answer(&stream).is_some() {});
            }
        });
        Self { address, mind }
    }

    pub(crate) fn host(&self) -> String {
        self.address.to_string()
    }

    /// It takes so long, also for what it is at.
    pub(crate) fn takes(&self, pause_ms: u64) {
        self.mind.pause_ms.store(pause_ms, Ordering::SeqCst);
    }

    /// How often each name was asked for and done.
    pub(crate) fn done(&self) -> BTreeMap<String, u32> {
        self.mind.done.lock().unwrap().clone()
    }

    /// Whether it is at no request: what it has not done by now it never does.
    pub(crate) fn rests(&self) -> bool {
        self.mind.over.load(Ordering::SeqCst) == self.heard()
    }

    /// How many requests came.
    pub(crate) fn heard(&self) -> u64 {
        self.mind.heard.load(Ordering::SeqCst)
    }
}

impl Mind {
    /// One request: every second one is done before the pause, the others after it.
    fn answer(&self, stream: &TcpStream) -> Option<()> {
        let mut reader = BufReader::new(stream);
        let (mut line, mut name, mut length) = (String::new(), None, 0);
        while reader.read_line(&mut line).ok().filter(|read| *read > 2).is_some() {
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            name = name.or(Some(path));
            if let Some((key, value)) = line.split_once(':')
                && key.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok()?;
            }
            line.clear();
        }
        let name = name?;
        reader.read_exact(&mut vec![0; length]).ok()?;
        let first = self.heard.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        let act = || *self.done.lock().unwrap().entry(name.clone()).or_default() += 1;
        if first {
            act();
        }
        let began = Instant::now();
        while began.elapsed() < Duration::from_millis(self.pause_ms.load(Ordering::SeqCst)) {
            std::thread::park_timeout(Duration::from_millis(10));
        }
        if !first {
            act();
        }
        self.over.fetch_add(1, Ordering::SeqCst);
        let mut writer = stream;
        writer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").ok()
    }
}
