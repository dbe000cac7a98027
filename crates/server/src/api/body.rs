//! What handlers take from a request, with our own words where it cannot be read.
//!
//! Must never echo a body or a query in a message: a secret may be in it.
//! Tests: `tests/api.rs`.

use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use http::StatusCode;
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::wire::Problem;

/// A JSON body.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::<T>::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(JsonRejection::BytesRejection(refused)) if refused.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let title = format!("the body is larger than {} bytes", super::BODY_BYTES_MAX);
                Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "http.too_large", title))
            }
            Err(JsonRejection::MissingJsonContentType(_)) => Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "http.media_type",
                "the body must be JSON, with Content-Type application/json",
            )),
            Err(JsonRejection::JsonDataError(refused)) => {
                Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY, "http.body", place(&refused.body_text())))
            }
            Err(_) => Err(Problem::bad("http.body", "the body cannot be read as JSON")),
        }
    }
}

/// Where in the body it is, without what stands there.
fn place(text: &str) -> String {
    let field = text.split("missing field `").nth(1).and_then(|rest| rest.split('`').next());
    match (field, text.rsplit_once(" at line ")) {
        (Some(field), _) => format!("the body lacks `{field}`"),
        (None, Some((_, at))) => format!("the body is not of the expected form, at line {at}"),
        (None, None) => "the body is not of the expected form".into(),
    }
}

/// Parts of the path.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        let refused = |_: PathRejection| Problem::bad("http.path", "the address holds an id or name of a wrong form");
        read.map(|axum::extract::Path(value)| Self(value)).map_err(refused)
    }
}

/// The query.
#[derive(Debug)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        let refused = |_: QueryRejection| Problem::bad("http.query", "the query holds a value of a wrong form");
        read.map(|axum::extract::Query(value)| Self(value)).map_err(refused)
    }
}
