//! A server on loopback that answers as it is told, `{"ok":true}` else, and remembers what it was asked.
//!
//! Must never listen beyond loopback.
//! Tests: `retry.rs`, `dry.rs` and `record.rs` use it.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

pub(crate) struct Server {
    /// Where it is: `localhost:PORT`.
    pub(crate) host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Its first answers have these statuses, all later ones 200.
    pub(crate) fn start(statuses: &'static [u16]) -> Self {
        let mut statuses = statuses.iter();
        Self::answering(move |_| (*statuses.next().unwrap_or(&200), r#"{"ok":true}"#.to_owned()))
    }

    /// It answers with status and JSON to the whole text of a request, one after the other.
    pub(crate) fn answering(mut answer: impl FnMut(&str) -> (u16, String) + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("localhost:{}", listener.local_addr().unwrap().port());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = asked.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = read(&mut stream);
                seen.lock().unwrap().push(request.split(" HTTP/").next().unwrap().to_owned());
                let (status, body) = answer(&request);
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

/// Head and body.
fn read(stream: &mut TcpStream) -> String {
    let mut text = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let size = stream.read(&mut piece).unwrap();
        text.extend_from_slice(&piece[..size]);
        let so_far = String::from_utf8_lossy(&text);
        let Some((head, body)) = so_far.split_once("\r\n\r\n") else {
            if size == 0 {
                return so_far.into_owned();
            }
            continue;
        };
        let length = head.lines().find_map(|line| line.to_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if size == 0 || body.len() >= length.unwrap_or(0) {
            return so_far.into_owned();
        }
    }
}
