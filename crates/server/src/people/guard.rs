//! The layer over every route: is the request meant for us, who asks, may they, and did a page of ours make it.
//!
//! Must never let a request through that no row of the table allows.
//! Tests: `tests/people.rs`, `tests/people_guard.rs`.

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use flowdeck::connections::SecretText;
use http::request::Parts;
use http::{HeaderValue, Method, StatusCode, header};

use super::caller::{Caller, unknown};
use super::origin::{self, Made};
use super::table::{self, Rule, Says};
use super::{Guard, connect, cookie, html, to};
use crate::pages::{self, CAREFUL};
use crate::wire::Problem;

pub(super) async fn guard(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let shows = shows_pages(&request);
    let mut response = match Box::pin(admitted(&guard, request)).await {
        Ok(request) => next.run(request).await,
        Err(refusal) => *refusal,
    };
    if let Some(problem) = response.extensions_mut().remove::<Problem>().filter(|_| shows) {
        let again = response.headers_mut().remove(header::RETRY_AFTER);
        response = html::problem(&problem);
        response.headers_mut().extend(again.map(|again| (header::RETRY_AFTER, again)));
    }
    for (name, value) in CAREFUL {
        response.headers_mut().entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}

/// Whether a person looks at the answer in a browser. Programs get JSON, and at the API's own addresses everybody does.
fn shows_pages(request: &Request) -> bool {
    let takes = |value: &HeaderValue| value.to_str().is_ok_and(|kinds| kinds.contains("text/html"));
    !request.uri().path().starts_with("/v1/") && request.headers().get_all(header::ACCEPT).iter().any(takes)
}

/// The request with who asks, where it may pass.
async fn admitted(guard: &Guard, request: Request) -> Result<Request, Box<Response>> {
    let (mut parts, body) = request.into_parts();
    if !guard.site.is_named(&parts) {
        return Err(refusal(misdirected()));
    }
    let Some(path) = parts.extensions.get::<MatchedPath>().map(|path| path.as_str().to_owned()) else {
        // Nothing is there: the router says so.
        return Ok(Request::from_parts(parts, body));
    };
    let rule = match table::says(&parts.method, &path) {
        Says::Rule(rule) => rule,
        Says::OtherMethod => {
            return Err(refusal(Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "http.method",
                "this address does not take that method",
            )));
        }
        Says::Nothing => {
            tracing::error!(%path, "a route has no row in the table of roles");
            return Err(refusal(Problem::new(StatusCode::FORBIDDEN, "people.no_rule", "nobody may use this address")));
        }
    };
    made_by_us(guard, rule, &parts).map_err(refusal)?;
    let caller = caller(guard, &parts).await.map_err(refusal)?;
    if let Some(least) = rule.role {
        let Some(caller) = &caller else { return Err(Box::new(nobody(guard, rule, &parts))) };
        allowed(rule, least, caller, &parts).map_err(refusal)?;
    }
    if let Some(caller) = caller {
        parts.extensions.insert(caller);
    }
    Ok(Request::from_parts(parts, body))
}

fn refusal(problem: Problem) -> Box<Response> {
    Box::new(problem.into_response())
}

fn misdirected() -> Problem {
    Problem::new(StatusCode::MISDIRECTED_REQUEST, "people.host", "this server is not known under that name")
        .remedy("Open the address that `flowdeck serve` shows. Behind a proxy start it with --public-url.")
}

/// Who asks; `None` where nothing says so. A token that is wrong is not passed over for a cookie.
async fn caller(guard: &Guard, parts: &Parts) -> Result<Option<Caller>, Problem> {
    let people = guard.api.runtime()?.people();
    if let Some(said) = parts.headers.get(header::AUTHORIZATION) {
        let token = said.to_str().ok().and_then(|said| {
            let (scheme, token) = said.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| SecretText::new(token.trim()))
        });
        let known = match token {
            Some(token) => people.token(&token).await?,
            None => None,
        };
        let known = known.ok_or_else(|| {
            Problem::new(StatusCode::UNAUTHORIZED, "people.bad_token", "the API token is not valid")
                .remedy("Make a new one: flowdeck tokens add NAME.")
        })?;
        return Ok(Some(Caller::Token(known.name, known.role, known.scopes)));
    }
    let Some(session) = cookie::session(&parts.headers, &guard.site) else { return Ok(None) };
    Ok(people.session(&session).await?.map(|signed| Caller::Session(signed.name, signed.role)))
}

/// Refuses what another site's page makes a browser send.
fn made_by_us(guard: &Guard, rule: &Rule, parts: &Parts) -> Result<(), Problem> {
    let foreign = || {
        Problem::new(StatusCode::FORBIDDEN, "people.cross_site", "another site's page sent this request")
            .remedy("Use the pages of this server, or an API token.")
    };
    let made = origin::made(&parts.headers, &guard.site);
    let changes = !matches!(parts.method, Method::GET | Method::HEAD);
    match (changes, rule.is_page, made) {
        (true, _, Made::Foreign) | (true, true, Made::Unsaid) => Err(foreign()),
        (false, false, _) if origin::is_fetched_by_another_site(&parts.headers) => Err(foreign()),
        _ => Ok(()),
    }
}

fn allowed(rule: &Rule, least: flowdeck::people::Role, caller: &Caller, parts: &Parts) -> Result<(), Problem> {
    let refused = |code: &str, title: String| Err(Problem::new(StatusCode::FORBIDDEN, code, title));
    if rule.in_person && caller.is_token() {
        return refused("people.in_person", "a person must do this, not a token".into());
    }
    if caller.role() < least {
        let title = format!("this needs the role {least}, and yours is {}", caller.role());
        let remedy = "An administrator can give you another one: flowdeck people role NAME ROLE.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "people.forbidden", title).remedy(remedy));
    }
    if !caller.reaches(rule.area) {
        return refused("people.scope_missing", format!("the token is not for {}", rule.area));
    }
    let changes = !matches!(parts.method, Method::GET | Method::HEAD);
    if changes && !rule.is_page && !caller.is_token() && !parts.headers.contains_key(origin::HEADER) {
        return refused(
            "people.header",
            format!("a request with a session's cookie needs the header {}", origin::HEADER),
        );
    }
    Ok(())
}

/// A page is opened after signing in; a program is told.
fn nobody(guard: &Guard, rule: &Rule, parts: &Parts) -> Response {
    if rule.is_page {
        if let Some(there) = under_own_name(guard, rule, parts) {
            return pages::lead(&there);
        }
        let path = parts.uri.path();
        let is_form = !matches!(parts.method, Method::GET | Method::HEAD);
        // Who signs out without a session has lost nothing.
        return Redirect::to(&to::login_link(path, is_form && path != "/logout")).into_response();
    }
    let mut response = unknown().into_response();
    response.headers_mut().insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"flowdeck\""));
    response
}

/// The same address under the name by which the browser that comes back from a consent has its session: an app sends it
/// to `127.0.0.1`, and its person may have come by `localhost`.
fn under_own_name(guard: &Guard, rule: &Rule, parts: &Parts) -> Option<String> {
    let query = parts.uri.query().filter(|_| rule.path == "/oauth/callback/{app}")?;
    let host = guard.api.shared.begun.host(&connect::state_of(query)?, parts.uri.path())?;
    let is_other = parts.headers.get(header::HOST).is_none_or(|said| said.as_bytes() != host.as_bytes());
    is_other.then(|| format!("http://{host}{}?{query}", parts.uri.path()))
}
