//! Judges an app's answer: errors, refusals, the next page.
//!
//! Must never follow a next page to another host, nor keep more of an error than a person needs.
//! Tests: below.

use std::sync::Arc;

use flowdeck_egress::Response;
use flowdeck_engine::ports::Loss;
use flowdeck_model::app::BodyRule;
use flowdeck_model::{Fault, FaultCode, Fields, Mapping, Millis, Value};
use serde_json::json;

use crate::compile::App;
use crate::file::action::{ErrorRule, NextPage};
use crate::ready::ReadyAction;
use crate::retry;
use crate::scope::Names;

/// Longest error text kept.
const MESSAGE_CHARS_MAX: usize = 500;
/// Largest error body kept.
const ERROR_BODY_BYTES_MAX: usize = 4096;

/// Most values in one JSON answer. Each takes many times its bytes once it is read.
const VALUES_MAX: usize = 2_000_000;

/// What an answer means.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Verdict {
    Fine,
    Refused(Loss),
    Failed {
        fault: Fault,
        retry_after_ms: Option<u64>,
        transient: bool,
    },
    /// The answer of something between us and the app: a write may or may not have happened.
    Unclear(Fault),
}

/// The answer as mappings see it: `status`, `headers`, `body` (parsed where it is JSON), `text`. One that is `crowded` is
/// not parsed.
pub(crate) fn as_value(response: &Response) -> Value {
    if is_crowded(&response.body) {
        return json!({ "status": response.status.as_u16(), "crowded": true });
    }
    let text = String::from_utf8_lossy(&response.body).into_owned();
    let body = serde_json::from_slice::<Value>(&response.body)
        .unwrap_or_else(|_| if text.is_empty() { Value::Null } else { Value::String(text.clone()) });
    let mut headers = serde_json::Map::new();
    for (name, value) in &response.headers {
        headers.insert(name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into());
    }
    let size = response.body.len();
    json!({ "status": response.status.as_u16(), "headers": headers, "body": body, "text": text, "size": size })
}

/// Whether JSON holds more values than may be read.
fn is_crowded(bytes: &[u8]) -> bool {
    if !matches!(bytes.trim_ascii_start().first(), Some(b'[' | b'{')) {
        return false;
    }
    let (mut values, mut in_text, mut escaped) = (0, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'[' | b'{' | b',' if !in_text => values += 1,
            _ => {}
        }
        if values > VALUES_MAX {
            return true;
        }
    }
    false
}

/// Judges an answer by the app's rules.
pub(crate) fn judge(app: &App, ready: &ReadyAction, answer: &Value, now: Millis, writes: bool) -> Verdict {
    let action = &ready.action;
    let rules = Rules {
        scopes: &action.scopes,
        also_ok: &action.also_ok,
        every_answer: action.every_answer,
        needs_role: &action.needs_role,
    };
    judge_by(app, &rules, answer, now, writes)
}

/// What a card says of answers besides its app.
#[derive(Debug, Default)]
pub(crate) struct Rules<'a> {
    pub(crate) scopes: &'a [String],
    pub(crate) also_ok: &'a [u16],
    pub(crate) every_answer: bool,
    pub(crate) needs_role: &'a str,
}

/// As [`judge`], for whatever asked.
pub(crate) fn judge_by(app: &App, rules: &Rules<'_>, answer: &Value, now: Millis, writes: bool) -> Verdict {
    let status = answer["status"].as_u64().and_then(|s| u16::try_from(s).ok()).unwrap_or(0);
    let body = &answer["body"];
    if answer["crowded"] == true {
        let what = format!("{} answered with more than {VALUES_MAX} values", app.file.title);
        let fault = Fault::new(FaultCode::BadAnswer, what).status(status);
        let fault = fault.remedy("ask for less at a time: with a filter, or page by page");
        return if writes {
            Verdict::Unclear(fault)
        } else {
            Verdict::Failed { fault, retry_after_ms: None, transient: false }
        };
    }
    if let Some(auth) = &app.auth {
        if status == 401 || matches_any(&auth.auth_errors.unauthorized, status, body) {
            return Verdict::Refused(Loss::Unauthorized { detail: message(app, status, body) });
        }
        let challenge = answer["headers"]["www-authenticate"].as_str().unwrap_or("");
        let insufficient = status == 403 && challenge.contains("insufficient_scope");
        if insufficient || matches_any(&auth.auth_errors.scope, status, body) {
            let scopes = challenged_scopes(challenge).unwrap_or_else(|| rules.scopes.to_vec());
            return Verdict::Refused(Loss::Scope { scopes, detail: message(app, status, body) });
        }
    }
    let success = (200..300).contains(&status) || rules.also_ok.contains(&status);
    if success && app.file.answers_json && !rules.every_answer && !is_json(answer) {
        let fault = strange(app, status);
        return if writes {
            Verdict::Unclear(fault)
        } else {
            Verdict::Failed { fault, retry_after_ms: None, transient: true }
        };
    }
    let rule = app.file.errors.iter().find(|r| says_error(r, status, body));
    if rules.every_answer || (success && rule.is_none()) {
        return Verdict::Fine;
    }
    let code = match status {
        403 => FaultCode::Forbidden,
        404 => FaultCode::NotFound,
        429 => FaultCode::RateLimited,
        _ => FaultCode::AppError,
    };
    let mut fault = Fault::new(code, format!("{} answered: {}", app.file.title, message(app, status, body)))
        .status(status)
        .body(kept_body(body));
    if status == 403 && !rules.needs_role.is_empty() {
        fault = fault.remedy(format!("The card needs an account with: {}.", rules.needs_role));
    }
    if (300..400).contains(&status) && writes {
        fault = fault.remedy("the address sends writes elsewhere, which are not followed; use the address it leads to");
    }
    // RFC 9110 15.5.9 and 15.6.3 to 15.6.5: said by gateways, or while the app was at work. No definite answer.
    if writes && matches!(status, 408 | 502 | 503 | 504) {
        return Verdict::Unclear(fault);
    }
    let passes = status == 429 || (!writes && matches!(status, 408 | 425 | 500 | 502 | 503 | 504));
    let transient = passes
        || app
            .file
            .errors
            .iter()
            .any(|r| r.transient && (r.status.contains(&status) || r.is.is_some() && says_error(r, status, body)));
    let retry_after_ms = retry::after_ms(answer, &app.file.rate_limit_reset_header, now);
    Verdict::Failed { fault, retry_after_ms, transient }
}

/// Whether a rule makes an error of an answer that may be a good one by its status.
fn says_error(rule: &ErrorRule, status: u16, body: &Value) -> bool {
    let there = |p: &String| body.pointer(p).is_some_and(|v| !v.is_null());
    (rule.status.is_empty() || rule.status.contains(&status))
        && (rule.present.as_ref().is_some_and(there)
            || rule.is.as_ref().is_some_and(|is| matches_any(std::slice::from_ref(is), status, body)))
}

/// Empty answers count: many writes have nothing to say.
fn is_json(answer: &Value) -> bool {
    let text = answer["text"].as_str().unwrap_or("").trim();
    text.is_empty() || !answer["body"].is_string() || text.starts_with('"')
}

fn strange(app: &App, status: u16) -> Fault {
    let title = &app.file.title;
    Fault::new(FaultCode::BadAnswer, format!("{title} answered with a page instead of data (HTTP {status})"))
        .status(status)
        .remedy("something between here and the app may have answered: a proxy, a firewall or a sign-in page of the network")
}

fn matches_any(rules: &[BodyRule], status: u16, body: &Value) -> bool {
    rules.iter().any(|rule| {
        rule.status.is_none_or(|s| s == status)
            && body.pointer(&rule.pointer).is_some_and(|found| match found {
                Value::String(s) => rule.values.contains(s),
                other => rule.values.contains(&other.to_string()),
            })
    })
}

/// `scope="a b"` of a Bearer challenge (RFC 6750 3).
fn challenged_scopes(challenge: &str) -> Option<Vec<String>> {
    let (_, rest) = challenge.split_once("scope=\"")?;
    let (scopes, _) = rest.split_once('"')?;
    let scopes: Vec<String> = scopes.split_whitespace().map(str::to_owned).collect();
    (!scopes.is_empty()).then_some(scopes)
}

fn message(app: &App, status: u16, body: &Value) -> String {
    let by_rule = app.file.errors.iter().filter(|r| {
        (r.status.is_empty() || r.status.contains(&status)) && (r.is.is_none() || says_error(r, status, body))
    });
    let found = by_rule
        .filter_map(|r| body.pointer(&r.message))
        .chain(
            [
                "/message",
                "/errorSummary",
                "/error_description",
                "/error/message",
                "/error",
                "/detail",
                "/errors/0/message",
            ]
            .iter()
            .filter_map(|p| body.pointer(p)),
        )
        .find_map(Value::as_str);
    match found {
        Some(text) => format!("{} (HTTP {status})", text.chars().take(MESSAGE_CHARS_MAX).collect::<String>()),
        None => format!("HTTP {status}"),
    }
}

fn kept_body(body: &Value) -> Value {
    let text = body.to_string();
    if text.len() <= ERROR_BODY_BYTES_MAX { body.clone() } else { Value::String(text.chars().take(1000).collect()) }
}

/// Where the next page begins, or `None` at the end. `asked` is the URL of this page, `page` where it began.
pub(crate) fn next_page(
    ready: &ReadyAction,
    names: &Names,
    asked: &url::Url,
    page: &Value,
    outputs: &Fields,
    answer: &Value,
) -> Result<Option<Value>, Fault> {
    let Some(pagination) = &ready.action.pagination else { return Ok(None) };
    if let Some(one_page) = &ready.one_page
        && Mapping::is_true(&*one_page.evaluate(names)?)
    {
        return Ok(None);
    }
    let count = outputs.get(&pagination.output).as_array().map_or(0, Vec::len);
    let at = page.as_u64();
    Ok(match &pagination.next {
        NextPage::LinkHeader => match next_link(answer["headers"]["link"].as_str().unwrap_or("")) {
            Some(link) => Some(same_host(asked, &link)?),
            None => None,
        },
        NextPage::Url { .. } | NextPage::Cursor { .. } => {
            let value = match &ready.next {
                Some(mapping) => Arc::unwrap_or_clone(mapping.evaluate(names)?),
                None => Value::Null,
            };
            let ended = value.is_null() || value.as_str().is_some_and(str::is_empty);
            match (&pagination.next, ended) {
                (_, true) => None,
                (NextPage::Url { .. }, false) => Some(same_host(asked, value.as_str().unwrap_or(""))?),
                _ => Some(value),
            }
        }
        NextPage::Number { size, first, .. } => (count >= *size as usize).then(|| json!(at.unwrap_or(*first) + 1)),
        NextPage::Offset { size, .. } => (count >= *size as usize).then(|| json!(at.unwrap_or(0) + count as u64)),
    })
}

/// The `rel="next"` target of a Link header (RFC 8288).
fn next_link(header: &str) -> Option<String> {
    header.split(',').find_map(|link| {
        let (target, parameters) = link.split_once('>')?;
        let is_next = parameters.split(';').any(|p| matches!(p.trim(), "rel=\"next\"" | "rel=next"));
        is_next.then(|| target.trim().trim_start_matches('<').to_owned())
    })
}

fn same_host(asked: &url::Url, next: &str) -> Result<Value, Fault> {
    let elsewhere = || Fault::new(FaultCode::BadAnswer, "the app named a next page on another host");
    let next = asked.join(next).map_err(|_| elsewhere())?;
    if next.origin() != asked.origin() {
        return Err(elsewhere());
    }
    Ok(Value::String(next.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_link_is_found_among_others() {
        let header = "<https://a/x?c=1>; rel=\"self\", <https://a/x?c=2>; rel=\"next\"";
        assert_eq!(next_link(header).as_deref(), Some("https://a/x?c=2"));
        assert_eq!(next_link("<https://a>; rel=\"prev\""), None);
    }

    #[test]
    fn a_next_page_elsewhere_is_refused() {
        let asked = url::Url::parse("https://api.example.com/x").unwrap();
        assert!(same_host(&asked, "/x?page=2").is_ok());
        for bad in ["https://evil.example/x", "http://api.example.com/x", "https://api.example.com:444/x"] {
            assert!(same_host(&asked, bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn scopes_are_read_from_the_challenge() {
        let challenge = "Bearer error=\"insufficient_scope\", scope=\"people.write groups.read\"";
        assert_eq!(challenged_scopes(challenge).unwrap(), ["people.write", "groups.read"]);
        assert_eq!(challenged_scopes("Bearer"), None);
    }
}
