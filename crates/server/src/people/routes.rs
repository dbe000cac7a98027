//! Users and tokens over the API: on TCP as the table allows, on the local socket as its owner.
//!
//! Must never decide by itself who may ask; it decides only what is one's own.
//! Tests: `tests/people.rs`.

use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{delete, get, post};
use axum::{Json, Router};
use flowdeck::people::{NewToken, PersonName, Role, User};

use super::Caller;
use crate::api::{Api, Body, Path};
use crate::wire::{AddUser, MakeToken, Me, Problem, SetPassword, SetRole, TokenList, TokenMade, UserList};

/// How long a token works where nothing else is asked for.
const TOKEN_DAYS: u32 = 90;

pub(crate) fn add(router: Router<Api>) -> Router<Api> {
    router
        .route("/v1/me", get(me))
        .route("/v1/users", get(users).post(add_user))
        .route("/v1/users/{name}", delete(remove_user))
        .route("/v1/users/{name}/role", post(set_role))
        .route("/v1/users/{name}/password", post(set_password))
        .route("/v1/users/{name}/disable", post(disable))
        .route("/v1/users/{name}/enable", post(enable))
        .route("/v1/tokens", get(tokens).post(make_token))
        .route("/v1/tokens/{id}", delete(revoke_token))
}

async fn me(caller: Caller) -> Json<Me> {
    Json(caller.me())
}

async fn users(State(api): State<Api>, _: Caller) -> Result<Json<UserList>, Problem> {
    Ok(Json(UserList { users: api.runtime()?.people().users().await? }))
}

async fn add_user(
    State(api): State<Api>,
    caller: Caller,
    Body(asked): Body<AddUser>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let name = asked.name.parse().map_err(refused)?;
    let user = api.runtime()?.people().add_user(caller.name(), name, asked.role, &asked.password).await?;
    Ok((StatusCode::CREATED, Json(user)))
}

async fn remove_user(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<PersonName>,
) -> Result<StatusCode, Problem> {
    api.runtime()?.people().remove_user(caller.name(), &name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn set_role(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<PersonName>,
    Body(asked): Body<SetRole>,
) -> Result<Json<User>, Problem> {
    Ok(Json(api.runtime()?.people().set_role(caller.name(), &name, asked.role).await?))
}

async fn set_password(
    State(api): State<Api>,
    caller: Caller,
    Path(name): Path<PersonName>,
    Body(asked): Body<SetPassword>,
) -> Result<Json<User>, Problem> {
    Ok(Json(api.runtime()?.people().reset_password(caller.name(), &name, &asked.password).await?))
}

async fn disable(State(api): State<Api>, caller: Caller, Path(name): Path<PersonName>) -> Result<Json<User>, Problem> {
    Ok(Json(api.runtime()?.people().set_disabled(caller.name(), &name, true).await?))
}

async fn enable(State(api): State<Api>, caller: Caller, Path(name): Path<PersonName>) -> Result<Json<User>, Problem> {
    Ok(Json(api.runtime()?.people().set_disabled(caller.name(), &name, false).await?))
}

/// Whose tokens somebody sees and revokes: their own; an administrator everybody's.
fn within(caller: &Caller) -> Option<&PersonName> {
    if caller.role() == Role::Administrator { None } else { caller.name() }
}

async fn tokens(State(api): State<Api>, caller: Caller) -> Result<Json<TokenList>, Problem> {
    Ok(Json(TokenList { tokens: api.runtime()?.people().tokens(within(&caller)).await? }))
}

async fn make_token(
    State(api): State<Api>,
    caller: Caller,
    Body(asked): Body<MakeToken>,
) -> Result<(StatusCode, Json<TokenMade>), Problem> {
    let people = api.runtime()?.people();
    let owner: Option<PersonName> = asked.owner.as_deref().map(str::parse).transpose().map_err(refused)?;
    let owner = match (owner, caller.name()) {
        (Some(owner), Some(own)) if owner != *own && caller.role() < Role::Administrator => {
            let title = "only an administrator makes a token for somebody else";
            return Err(Problem::new(StatusCode::FORBIDDEN, "people.forbidden", title));
        }
        (Some(owner), _) => owner,
        (None, Some(own)) => own.clone(),
        // On the local socket: clear only where there is one user.
        (None, None) => match &people.users().await?[..] {
            [only] => only.name.clone(),
            _ => {
                let title = "whose token it is must be said";
                return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "people.token", title)
                    .remedy("Name the user: --owner NAME. `flowdeck people list` shows them."));
            }
        },
    };
    let new = NewToken {
        name: asked.name,
        owner,
        role: asked.role.unwrap_or(Role::Viewer),
        scopes: asked.scopes,
        days: asked.days.unwrap_or(TOKEN_DAYS),
    };
    let made = people.make_token(caller.name(), new).await?;
    Ok((StatusCode::CREATED, Json(TokenMade { token: made.view, secret: made.secret })))
}

async fn revoke_token(State(api): State<Api>, caller: Caller, Path(id): Path<String>) -> Result<StatusCode, Problem> {
    api.runtime()?.people().revoke_token(caller.name(), &id, within(&caller)).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn refused(error: flowdeck::people::PeopleError) -> Problem {
    flowdeck::RuntimeError::from(error).into()
}
