//! The calls about users and their tokens, by name.
//!
//! Must never keep a password or a token longer than its call.
//! Tests: `crates/cli/tests/people.rs`.

use anyhow::Result;
use flowdeck::connections::SecretText;
use flowdeck::people::{PersonName, Role, TokenView, User};
use flowdeck_server::wire::{AddUser, MakeToken, SetPassword, SetRole, TokenList, TokenMade, UserList};
use http::Method;

use super::Api;

impl Api {
    pub(crate) async fn users(&self) -> Result<Vec<User>> {
        let list: UserList = self.get("/v1/users").await?;
        Ok(list.users)
    }

    pub(crate) async fn add_user(&self, name: &PersonName, role: Role, password: SecretText) -> Result<User> {
        self.post("/v1/users", &AddUser { name: name.to_string(), role, password }).await
    }

    pub(crate) async fn set_role(&self, name: &PersonName, role: Role) -> Result<User> {
        self.post(&format!("/v1/users/{name}/role"), &SetRole { role }).await
    }

    pub(crate) async fn reset_password(&self, name: &PersonName, password: SecretText) -> Result<User> {
        self.post(&format!("/v1/users/{name}/password"), &SetPassword { password }).await
    }

    pub(crate) async fn shut_out(&self, name: &PersonName, out: bool) -> Result<User> {
        let what = if out { "disable" } else { "enable" };
        self.post(&format!("/v1/users/{name}/{what}"), &()).await
    }

    pub(crate) async fn remove_user(&self, name: &PersonName) -> Result<()> {
        self.call(Method::DELETE, &format!("/v1/users/{name}"), &()).await
    }

    pub(crate) async fn tokens(&self) -> Result<Vec<TokenView>> {
        let list: TokenList = self.get("/v1/tokens").await?;
        Ok(list.tokens)
    }

    pub(crate) async fn make_token(&self, asked: &MakeToken) -> Result<TokenMade> {
        self.post("/v1/tokens", asked).await
    }

    pub(crate) async fn revoke_token(&self, id: &str) -> Result<()> {
        self.call(Method::DELETE, &format!("/v1/tokens/{id}"), &()).await
    }
}
