//! How a form of a prompt begins an attempt to connect, and where the browser comes back to.
//!
//! Must never send a browser back to an address that the app does not take.
//! Tests: `tests/connect_pages.rs`, `tests/connect_ends.rs`.

use std::collections::BTreeMap;

use axum::extract::State;
use flowdeck::Runtime;
use flowdeck::connections::{Attempt, SecretText, Surface};
use flowdeck::model::app::RedirectPolicy;
use flowdeck::model::connect::PromptView;
use flowdeck::people::PersonName;
use http::{HeaderMap, header};

use super::Guard;
use super::begun::Beginning;
use super::connect::{NICKNAME, OWN_FIELD, field};
use crate::api::{Body, connect};
use crate::wire::{Connect, Problem, SurfaceName};

/// Begins the attempt that the form asks for.
pub(super) async fn begin(
    guard: &Guard,
    runtime: &Runtime,
    view: &PromptView,
    name: &PersonName,
    headers: &HeaderMap,
    sent: &[(String, SecretText)],
) -> Result<(Attempt, Beginning), Problem> {
    let asked = asked(view, sent)?;
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default().to_owned();
    let mut began = Beginning { by: name.clone(), app: view.app_title.clone(), prompt: Some(view.id), host: None };
    if asked.surface != SurfaceName::Browser {
        return Ok((connect::begin(State(guard.api.clone()), None, Body(asked)).await?.0, began));
    }
    if guard.site.is_public() {
        // The browser comes back to this very server.
        return Ok((runtime.connect(asked.begin(Surface::Browser { redirect_uri: None })).await?, began));
    }
    let any_port = connect::redirect_policy(runtime, &asked).await? == Some(RedirectPolicy::AnyPort);
    if let Some(own) = guard.site.on_loopback().filter(|_| any_port) {
        // So it does here, under the one name that apps take.
        let redirect_uri = Some(format!("http://{own}/oauth/callback/{}", view.app));
        began.host = (host != own).then_some(host);
        return Ok((runtime.connect(asked.begin(Surface::Browser { redirect_uri })).await?, began));
    }
    let attempt = connect::begin(State(guard.api.clone()), None, Body(asked)).await?.0;
    if let Some(callbacks) = &guard.api.shared.callbacks {
        callbacks.lead(attempt.id, format!("http://{host}/connect/{}", attempt.id));
    }
    Ok((attempt, began))
}

fn asked(view: &PromptView, sent: &[(String, SecretText)]) -> Result<Connect, Problem> {
    let method = view.methods.iter().find(|method| method.key == field(sent, "method"));
    let method = method.ok_or_else(|| Problem::bad("connect.unknown_method", "the app has no such way to connect"))?;
    let own = |(key, value): &(String, SecretText)| Some((key.strip_prefix(OWN_FIELD)?.to_owned(), value.clone()));
    // What is left out of a repair stays as it was.
    let fields: BTreeMap<_, _> = sent.iter().filter_map(own).filter(|(_, value)| !value.is_empty()).collect();
    let nickname = match (view.connection, field(sent, NICKNAME)) {
        (Some(_), _) | (None, "") => None,
        (None, name) => Some(name.trim().parse().map_err(|_| {
            let mut problem = Problem::bad("connect.fields", "the nickname cannot be used");
            problem.fields.insert(NICKNAME.into(), "it is too long, or has characters that a name cannot have".into());
            problem
        })?),
    };
    let surface = match (method.browser, method.device) {
        (true, _) => SurfaceName::Browser,
        (false, true) => SurfaceName::Device,
        (false, false) => SurfaceName::Direct,
    };
    Ok(Connect {
        app: view.app.clone(),
        method: Some(method.key.clone()),
        nickname,
        fields,
        scopes: None,
        prompt: Some(view.id),
        connection: view.connection,
        surface,
    })
}
