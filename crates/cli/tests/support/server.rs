//! A server that answers every request with `{"ok":true}` and remembers what it was asked.
//!
//! Must never listen beyond loopback.
//! Tests: `retry.rs` and `dry.rs` use it.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

pub(crate) struct Server {
    /// Where it is: `localhost:PORT`.
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Its first answers have these statuses, all later ones 200.
    pub(crate) fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            let mut statuses = statuses.iter();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut head = [0; 4096];
                let size = stream.read(&mut head).unwrap();
                let head = String::from_utf8_lossy(&head[..size]).into_owned();
                seen.lock().unwrap().push(head.split(" HTTP/").next().unwrap().to_owned());
                let status = statuses.next().unwrap_or(&200);
                let body = r#"{"ok":true}"#;
                let head = format!("HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nconnection: close\r\n");
                write!(stream, "{head}content-length: {}\r\n\r\n{body}", body.len()).unwrap();
            }
        });
        Self { host, asked }
    }

    /// Method and path of every request so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}
