//! Calls about hooks.
//!
//! Must never put a secret into an address. Tests: `crates/cli/tests/events.rs`.

use anyhow::Result;
use flowdeck_server::wire::{AddHook, Hook, HookList, HookSecret, NewHook};
use http::Method;

use super::Api;

impl Api {
    pub(crate) async fn hooks(&self) -> Result<Vec<Hook>> {
        let list: HookList = self.get("/v1/hooks").await?;
        Ok(list.hooks)
    }

    pub(crate) async fn add_hook(&self, asked: &AddHook) -> Result<NewHook> {
        self.post("/v1/hooks", &asked.to_json()).await
    }

    pub(crate) async fn hook_secret(&self, id: &str, asked: &HookSecret) -> Result<NewHook> {
        self.post(&format!("/v1/hooks/{id}/secret"), &asked.to_json()).await
    }

    pub(crate) async fn remove_hook(&self, id: &str) -> Result<()> {
        self.call(Method::DELETE, &format!("/v1/hooks/{id}"), &()).await
    }
}
