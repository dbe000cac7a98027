//! A person's browser: `$BROWSER` is a script that hands the address over, and the consent goes over HTTP.
//!
//! Must never follow an address off this machine, nor know more of a page than its form.
//! Tests: `crates/cli/tests/first_minute.rs`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::channel;

use url::Url;

use crate::support::terminal::DEADLINE;

/// The browser of one test.
pub(crate) struct Browser {
    script: PathBuf,
    pipe: PathBuf,
}

impl Browser {
    /// Makes the script, and the pipe that it writes the address to.
    pub(crate) fn new(folder: &Path) -> Self {
        let (script, pipe) = (folder.join("browser"), folder.join("address"));
        let mode = rustix::fs::Mode::from_raw_mode(0o600);
        rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        fs::write(&script, format!("#!/bin/sh\nprintf '%s' \"$1\" > '{}'\n", pipe.display())).unwrap();
        fs::set_permissions(&script, fs::Permissions::from_mode(0o700)).unwrap();
        Self { script, pipe }
    }

    /// What `$BROWSER` names.
    pub(crate) fn command(&self) -> &Path {
        &self.script
    }

    /// Takes the address that was opened, presses Allow as the account that the page suggests, and follows the way
    /// back to the command.
    pub(crate) fn allow(&self) {
        self.consent(None);
    }

    /// As [`Self::allow`], as another account.
    pub(crate) fn allow_as(&self, account: &str) {
        self.consent(Some(account));
    }

    fn consent(&self, account: Option<&str>) {
        let answer = decide(&self.opened(), account);
        let back =
            answer.lines().find_map(|line| line.strip_prefix("location: ")).unwrap_or_else(|| panic!("{answer}"));
        let back = Url::parse(back).unwrap();
        assert_eq!(back.path(), "/oauth/callback/playground");
        come_back(&back);
    }

    /// The address that was opened.
    pub(crate) fn opened(&self) -> Url {
        let (send, address) = channel();
        let pipe = self.pipe.clone();
        // Opening a pipe waits for whoever writes to it: not without a deadline.
        std::thread::spawn(move || send.send(fs::read_to_string(pipe).unwrap()));
        Url::parse(&address.recv_timeout(DEADLINE).expect("the browser was not opened")).unwrap()
    }
}

/// Goes where a consent page sends the browser: to the command that waits.
pub(crate) fn come_back(address: &Url) {
    let page = request(address, None);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
}

/// Opens a consent page and presses Allow, as an account or the one that the page suggests.
pub(crate) fn decide(address: &Url, account: Option<&str>) -> String {
    let page = request(address, None);
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    // Where a page wants no referrer, a browser does not tell where its form comes from (Fetch, "append a request
    // `Origin` header").
    let origin = if page.to_ascii_lowercase().contains("\nreferrer-policy: no-referrer\r") {
        "null".to_owned()
    } else {
        address.origin().ascii_serialization()
    };
    let form = page.split("<form").nth(1).unwrap().split("</form>").next().unwrap();
    let target = address.join(&attribute(form, "action").unwrap()).unwrap();
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    for input in form.split("<input").skip(1).map(|tag| tag.split('>').next().unwrap()) {
        let is_taken = match account {
            Some(account) if input.contains("\"radio\"") => attribute(input, "value").as_deref() == Some(account),
            _ => input.contains("\"hidden\"") || input.ends_with(" checked"),
        };
        if is_taken {
            body.append_pair(&attribute(input, "name").unwrap(), &attribute(input, "value").unwrap());
        }
    }
    request(&target, Some((&origin, &body.append_pair("decision", "allow").finish())))
}

/// One request, of a form with the origin that a browser names; the whole answer as text.
pub(crate) fn request(url: &Url, form: Option<(&str, &str)>) -> String {
    assert_eq!(url.host_str(), Some("127.0.0.1"), "{url} is not on this machine");
    let address = url.socket_addrs(|| None).unwrap()[0];
    let mut stream = TcpStream::connect_timeout(&address, DEADLINE).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let (method, origin, body) =
        form.map_or(("GET", String::new(), ""), |(origin, body)| ("POST", format!("origin: {origin}\r\n"), body));
    let kind = "application/x-www-form-urlencoded";
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n{origin}content-type: {kind}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let value = tag.split_once(&format!(" {name}=\""))?.1.split('"').next()?;
    Some(value.replace("&amp;", "&"))
}
