//! Listens for the browser's answer at the end of an OAuth consent, while an attempt waits for one.
//!
//! Must never listen on anything but loopback, nor pass an answer on that no open attempt waits for.
//! Tests: `tests/callback.rs`.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::response::{IntoResponse, Response};
use flowdeck::Runtime;
use flowdeck::connections::{Attempt, AttemptStep};
use flowdeck::model::app::RedirectPolicy;
use flowdeck::model::{AppName, AttemptId};
use http::{Method, StatusCode, header};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use url::Url;

use crate::pages::{Page, lead};
use crate::serve::{Accept, serve};
use crate::wire::Problem;

/// Most attempts that are waited for at once; the oldest gives its place up.
const OPEN_MAX: usize = 64;
/// How long an attempt is waited for; the registry's own limit is ten minutes.
const OPEN_FOR: Duration = Duration::from_secs(10 * 60);
/// How long a browser that was led to a page of ours and comes back is led there again; then its port is free.
const LEADS_FOR: Duration = Duration::from_secs(2 * 60);

/// The open attempts and their listeners. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Callbacks {
    inner: Arc<Inner>,
}

struct Inner {
    runtime: Mutex<Option<Runtime>>,
    open: Mutex<Open>,
    serving: Mutex<JoinSet<()>>,
}

#[derive(Default)]
struct Open {
    /// By port.
    listeners: HashMap<u16, watch::Sender<bool>>,
    /// Ports of attempts that are about to begin.
    prepared: Vec<u16>,
    attempts: Vec<Expected>,
}

/// A listener that is there before its attempt.
#[derive(Debug, Default)]
pub(crate) struct Prepared {
    /// The URI to use where the app takes any port; `None` for the registered one.
    pub(crate) redirect_uri: Option<String>,
    port: Option<u16>,
}

/// An answer that is waited for.
#[derive(Clone)]
struct Expected {
    attempt: AttemptId,
    port: u16,
    path: String,
    state: String,
    until: tokio::time::Instant,
    /// The page of the server where it was begun, for the browser to go on to.
    lead: Option<String>,
    answered: bool,
}

/// What a browser gets.
enum Told {
    Page(Page),
    Lead(String),
}

impl std::fmt::Debug for Callbacks {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Callbacks").field("open", &self.inner.open.lock().attempts.len()).finish_non_exhaustive()
    }
}

impl Callbacks {
    pub(crate) fn new(runtime: Runtime) -> Self {
        Self {
            inner: Arc::new(Inner {
                runtime: Mutex::new(Some(runtime)),
                open: Mutex::default(),
                serving: Mutex::default(),
            }),
        }
    }

    /// Listens before the attempt begins, until [`Self::begun`].
    pub(crate) async fn prepare(&self, app: &AppName, policy: RedirectPolicy) -> Result<Prepared, Problem> {
        let Some(runtime) = self.inner.runtime.lock().clone() else { return Err(Problem::stopping()) };
        let registered = runtime.connections().redirect_uri(app);
        match policy {
            RedirectPolicy::Registered => match loopback_port(&registered) {
                None => Ok(Prepared::default()),
                Some(port) => match self.listen(port, true).await {
                    Ok(_) => Ok(Prepared { redirect_uri: None, port: Some(port) }),
                    Err(error) => {
                        let title = format!("the port of the redirect URI {registered} cannot be used: {error}");
                        Err(Problem::new(StatusCode::CONFLICT, "oauth.port_taken", title).remedy(
                            "Paste the browser's last URL back instead (--paste), free the port, or choose another \
                             one (--redirect-port) and register the URI with it.",
                        ))
                    }
                },
            },
            RedirectPolicy::AnyPort => {
                let port = self.listen(0, true).await.map_err(|error| {
                    let title = format!("no port on loopback could be opened: {error}");
                    Problem::new(StatusCode::CONFLICT, "oauth.no_port", title)
                        .remedy("Paste the browser's last URL back instead (--paste).")
                })?;
                let uri = format!("http://127.0.0.1:{port}/oauth/callback/{app}");
                Ok(Prepared { redirect_uri: Some(uri), port: Some(port) })
            }
        }
    }

    /// The attempt has begun, or could not.
    pub(crate) async fn begun(&self, prepared: Prepared, attempt: Option<&Attempt>) {
        if let Some(attempt) = attempt {
            self.expect(attempt).await;
        }
        if let Some(port) = prepared.port {
            let mut open = self.inner.open.lock();
            if let Some(index) = open.prepared.iter().position(|p| *p == port) {
                open.prepared.swap_remove(index);
            }
        }
        self.tidy();
    }

    /// Waits for the answer to an attempt; listens where nobody does yet (after a hand-over).
    pub(crate) async fn expect(&self, attempt: &Attempt) {
        let AttemptStep::Browser { redirect_uri, state, .. } = &attempt.step else { return self.tidy() };
        let (Some(port), Ok(url)) = (loopback_port(redirect_uri), Url::parse(redirect_uri)) else { return };
        if let Err(error) = self.listen(port, false).await {
            tracing::warn!(%error, port, "nobody listens for the browser's answer; paste it back");
            return;
        }
        {
            let mut open = self.inner.open.lock();
            if open.attempts.iter().any(|e| e.attempt == attempt.id) {
                return;
            }
            if open.attempts.len() >= OPEN_MAX {
                open.attempts.remove(0);
            }
            open.attempts.push(Expected {
                attempt: attempt.id,
                port,
                path: url.path().to_owned(),
                state: state.clone(),
                until: tokio::time::Instant::now() + OPEN_FOR,
                lead: None,
                answered: false,
            });
        }
        self.tidy();
    }

    /// The browser that answers this attempt goes on to that page.
    pub(crate) fn lead(&self, attempt: AttemptId, page: String) {
        let mut open = self.inner.open.lock();
        if let Some(expected) = open.attempts.iter_mut().find(|e| e.attempt == attempt) {
            expected.lead = Some(page);
        }
    }

    /// Ends listeners that no attempt needs any more.
    pub(crate) fn tidy(&self) {
        let mut open = self.inner.open.lock();
        let now = tokio::time::Instant::now();
        open.attempts.retain(|e| e.until > now);
        let Open { listeners, prepared, attempts } = &mut *open;
        listeners.retain(|port, stop| {
            let needed = prepared.contains(port) || attempts.iter().any(|e| e.port == *port);
            if !needed {
                stop.send_replace(true);
            }
            needed
        });
    }

    /// Stops listening for good.
    pub(crate) fn close(&self) {
        self.inner.runtime.lock().take();
        {
            let mut open = self.inner.open.lock();
            open.attempts.clear();
            open.prepared.clear();
        }
        self.tidy();
    }

    /// After [`Self::close`]: returns when browsers that came have their page, or after a short time. The connection is
    /// there before its page is sent, and the process may end as soon as it is.
    pub(crate) async fn drained(&self) {
        let mut serving = std::mem::take(&mut *self.inner.serving.lock());
        while serving.join_next().await.is_some() {}
    }

    async fn listen(&self, port: u16, prepares: bool) -> io::Result<u16> {
        {
            let mut open = self.inner.open.lock();
            if open.listeners.contains_key(&port) {
                open.prepared.extend(prepares.then_some(port));
                return Ok(port);
            }
        }
        let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await?;
        let port = listener.local_addr()?.port();
        let (stop, stopped) = watch::channel(false);
        {
            let mut open = self.inner.open.lock();
            open.listeners.insert(port, stop);
            open.prepared.extend(prepares.then_some(port));
        }
        let router = Router::new().fallback(answer).with_state((self.clone(), port));
        let this = Arc::downgrade(&self.inner);
        let mut serving = self.inner.serving.lock();
        while serving.try_join_next().is_some() {}
        serving.spawn(async move {
            tokio::select! {
                () = serve(Loopback(listener), router, stopped) => {}
                () = tokio::time::sleep(OPEN_FOR * 2) => {
                    if let Some(inner) = this.upgrade() {
                        inner.open.lock().listeners.remove(&port);
                    }
                }
            }
        });
        Ok(port)
    }

    async fn answered(&self, port: u16, path: &str, query: &str) -> Told {
        let unknown = Told::Page(Page::Unknown);
        let state = url::form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == "state");
        let Some((_, state)) = state else { return unknown };
        let expected = {
            let open = self.inner.open.lock();
            let now = tokio::time::Instant::now();
            open.attempts
                .iter()
                .find(|e| e.port == port && e.path == path && e.state == state && e.until > now)
                .cloned()
        };
        let Some(expected) = expected else { return unknown };
        let Some(runtime) = self.inner.runtime.lock().clone() else { return unknown };
        if let (Some(page), true) = (&expected.lead, expected.answered) {
            return Told::Lead(page.clone());
        }
        let came = runtime.connections().callback(query).await;
        runtime.prompts_changed();
        if let Some(page) = expected.lead {
            self.lead_again(expected.attempt);
            return Told::Lead(page);
        }
        self.inner.open.lock().attempts.retain(|e| e.attempt != expected.attempt);
        Told::Page(match came {
            Ok(Attempt { step: AttemptStep::Done { .. }, .. }) => Page::Connected,
            Ok(Attempt { step: AttemptStep::ConfirmAccount { .. }, .. }) => Page::OtherAccount,
            Ok(_) => Page::NotConnected,
            Err(error) => {
                tracing::warn!(%error, "a browser's answer was refused");
                Page::NotConnected
            }
        })
    }

    /// Keeps an answered attempt for a while: a browser that goes back and forth is led on, and meets no closed port.
    fn lead_again(&self, attempt: AttemptId) {
        let until = tokio::time::Instant::now() + LEADS_FOR;
        if let Some(expected) = self.inner.open.lock().attempts.iter_mut().find(|e| e.attempt == attempt) {
            (expected.answered, expected.until) = (true, until);
        }
        let inner = Arc::downgrade(&self.inner);
        tokio::spawn(async move {
            tokio::time::sleep_until(until).await;
            if let Some(inner) = inner.upgrade() {
                Self { inner }.tidy();
            }
        });
    }
}

async fn answer(State((callbacks, port)): State<(Callbacks, u16)>, request: Request) -> Response {
    // A page elsewhere could point its own name at loopback: only our own names count.
    let host = request.headers().get(header::HOST).and_then(|h| h.to_str().ok()).unwrap_or_default();
    let ours = [format!("127.0.0.1:{port}"), format!("localhost:{port}")];
    if !ours.iter().any(|name| name == host) {
        return Page::Nowhere.into_response();
    }
    let path = request.uri().path();
    if request.method() != Method::GET || !path.starts_with("/oauth/callback/") {
        return Page::Nowhere.into_response();
    }
    let told = callbacks.answered(port, path, request.uri().query().unwrap_or_default()).await;
    let mut response = match &told {
        Told::Page(page) => page.into_response(),
        Told::Lead(page) => lead(page),
    };
    response.headers_mut().insert(header::CONNECTION, http::HeaderValue::from_static("close"));
    if !matches!(told, Told::Page(Page::Unknown)) {
        callbacks.tidy();
    }
    response
}

/// The port of a plain URI on this machine's IPv4 loopback.
fn loopback_port(uri: &str) -> Option<u16> {
    let url = Url::parse(uri).ok()?;
    let here =
        matches!(url.host(), Some(url::Host::Ipv4(ip)) if ip.is_loopback()) || url.host_str() == Some("localhost");
    (url.scheme() == "http" && here).then(|| url.port_or_known_default()).flatten()
}

struct Loopback(TcpListener);

impl Accept for Loopback {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<Option<TcpStream>> {
        let (stream, from) = self.0.accept().await?;
        Ok(from.ip().is_loopback().then_some(stream))
    }
}
