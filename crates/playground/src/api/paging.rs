//! Pages of a list: `limit`, `cursor`, `next`, and the `Link` header.
//!
//! A cursor names the last id seen, so that it stays right when others are added or removed.
//! Tests: `tests/walk/`.

use std::collections::BTreeMap;

use axum::Json;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value, json};
use url::Url;
use url::form_urlencoded;

use super::Refusal;
use crate::app::App;
use crate::directory::DirectoryRefusal;

/// A request's query; the last of equal names counts.
pub(super) struct Query(BTreeMap<String, String>);

impl Query {
    pub(super) fn read(text: Option<&str>) -> Query {
        Query(form_urlencoded::parse(text.unwrap_or_default().as_bytes()).into_owned().collect())
    }

    /// An empty value is none.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    pub(super) fn limit(&self, usual: usize) -> Result<usize, Refusal> {
        let Some(text) = self.get("limit") else { return Ok(usual) };
        let limit = text.parse().ok().filter(|limit| (1..=100).contains(limit));
        limit.ok_or_else(|| DirectoryRefusal::invalid("limit", "must be a number from 1 to 100").into())
    }

    fn after(&self) -> Result<Option<String>, Refusal> {
        let Some(cursor) = self.get("cursor") else { return Ok(None) };
        let id = URL_SAFE_NO_PAD.decode(cursor).ok().and_then(|bytes| String::from_utf8(bytes).ok());
        let id = id.filter(|id| id.starts_with("per_") || id.starts_with("grp_"));
        id.map(Some)
            .ok_or_else(|| DirectoryRefusal::invalid("cursor", "must be a cursor from an earlier answer").into())
    }
}

/// Answers one page of `all`, which is in the order of its ids.
pub(super) fn page(
    app: &App,
    path: &str,
    name: &str,
    query: &Query,
    all: Vec<(String, Value)>,
) -> Result<Response, Refusal> {
    let limit = query.limit(20)?;
    let after = query.after()?;
    let mut rest = all.into_iter().filter(|(id, _)| after.as_ref().is_none_or(|after| order(id) > order(after)));
    let shown: Vec<(String, Value)> = rest.by_ref().take(limit).collect();
    let last = shown.last().map(|(id, _)| id.clone());
    let next = last.filter(|_| rest.next().is_some()).map(|id| URL_SAFE_NO_PAD.encode(id));
    let mut body = Map::new();
    body.insert(name.to_owned(), shown.into_iter().map(|(_, value)| value).collect());
    body.insert("next".to_owned(), json!(next));
    let mut response = Json(body).into_response();
    if let (Some(next), Ok(mut url)) = (next, Url::parse(&format!("{}{path}", app.base_url))) {
        let kept = query.0.iter().filter(|(name, _)| name.as_str() != "cursor");
        url.query_pairs_mut().extend_pairs(kept).append_pair("cursor", &next);
        if let Ok(link) = HeaderValue::from_str(&format!("<{url}>; rel=\"next\"")) {
            response.headers_mut().insert(header::LINK, link);
        }
    }
    Ok(response)
}

/// Ids are counted: the shorter one is the earlier one.
fn order(id: &str) -> (usize, &str) {
    (id.len(), id)
}
