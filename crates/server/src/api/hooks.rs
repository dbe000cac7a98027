//! Hooks of apps: list, make, change the secret, remove.
//!
//! Must never show a secret, nor let one be set but over the local socket. Tests: `tests/hooks.rs`.

use axum::Json;
use axum::extract::State;
use flowdeck::model::Value;
use http::StatusCode;

use super::{Api, Body, Path};
use crate::wire::{AddHook, Hook, HookList, HookSecret, NewHook, Problem};

fn unknown() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "hook.unknown", "there is no such hook")
        .remedy("`flowdeck hooks list` shows them.")
}

pub(crate) async fn list(State(api): State<Api>) -> Result<Json<HookList>, Problem> {
    let hooks = api.runtime()?.hooks().await?;
    Ok(Json(HookList { hooks: hooks.into_iter().map(Hook::from).collect() }))
}

pub(crate) async fn add(
    State(api): State<Api>,
    Body(asked): Body<AddHook>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let runtime = api.runtime()?;
    let connection = match &asked.connection {
        Some(nickname) => {
            let found = runtime.connections().find(&asked.app, nickname).await?;
            let found = found.ok_or_else(|| {
                let title = format!("{} has no connection `{nickname}`", asked.app);
                Problem::new(StatusCode::NOT_FOUND, "connect.unknown_connection", title)
                    .remedy("`flowdeck connections list` shows those that it has.")
            })?;
            Some(found.id)
        }
        None => None,
    };
    let made = runtime.add_hook(&asked.app, connection, asked.secret).await?;
    Ok((StatusCode::CREATED, Json(NewHook::to_json(made))))
}

pub(crate) async fn secret(
    State(api): State<Api>,
    Path(id): Path<String>,
    Body(asked): Body<HookSecret>,
) -> Result<Json<Value>, Problem> {
    let made = api.runtime()?.renew_hook(&id, asked.secret).await?.ok_or_else(unknown)?;
    Ok(Json(NewHook::to_json(made)))
}

pub(crate) async fn remove(State(api): State<Api>, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    if api.runtime()?.remove_hook(&id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}
