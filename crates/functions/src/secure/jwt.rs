//! JSON Web Tokens (RFC 7519).
//!
//! Must never take a token's word for its algorithm.
//! Tests: the examples here; `tests/tokens.rs`.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use flowdeck_model::FieldType::{Any, Boolean, Text};
use flowdeck_model::{Fault, FieldType, Fields, Value};
use serde_json::Map;

use super::sign;
use crate::call::Call;
use crate::function::{Card, card};
use crate::value;

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("jwt/sign", "Sign", "Makes a signed JSON Web Token.", sign_token)
            .text("key", "", "The shared secret (HS…), or the private key in PEM (RS…, PS…, ES…).").required().secret()
            .text("algorithm", "", "The algorithm. ES512 is not available.").required().or("HS256").choices(sign::ALGORITHMS).exported("options.algorithm")
            .text("audience", "", "The claim `aud`.").exported("options.audience")
            .text("issuer", "", "The claim `iss`.").exported("options.issuer")
            .text("subject", "", "The claim `sub`.").exported("options.subject")
            .text("jwtid", "", "The claim `jti`.").exported("options.jwtid")
            .any("expiresIn", "", "Seconds from now until it expires (`exp`), or text such as `10 minutes`.").exported("options.expiresIn")
            .any("notBefore", "", "Seconds from now until it is valid (`nbf`), or text such as `10 minutes`.").exported("options.notBefore")
            .boolean("noTimestamp", "", "Whether the claim `iat` is left out.").or(false).exported("options.noTimestamp")
            .any("header", "", "More fields of the header: an object or its JSON.").exported("options.header")
            .object("payload", "", "More claims.")
            .more(Any)
            .gives("token", "", Text, "The token.")
            .help("Each input that you add is a claim. Options that are empty are left out.")
            .observes()
            .example(
                r#"{"key":"secret","algorithm":"HS256","subject":"1","expiresIn":"10 minutes","scope":"read"}"#,
                r#"{"token":"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzY29wZSI6InJlYWQiLCJzdWIiOiIxIiwiaWF0IjoxNzA1MzE0NjAwLCJleHAiOjE3MDUzMTUyMDB9.BGTjgYzG-18tcWmgEvALkLpQHkMvxYnXAzHm3zmGtJY"}"#,
            )
            .fails(r#"{"key":"no key","algorithm":"RS256"}"#, "not a PEM text")
            .decided("Which times may `expiresIn` and `notBefore` of Sign have?", "A number of seconds, or a number with a unit: `10 minutes`, `2h`, `1 day`."),
        card("jwt/decode", "Decode", "Reads a JSON Web Token without checking it.", decode)
            .text("token", "", "The token.").required()
            .gives("header", "", FieldType::object(), "Its header.")
            .gives("payload", "", FieldType::object(), "Its claims; do not trust them before Verify.")
            .example(r#"{"token":"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.x"}"#, r#"{"header":{"alg":"HS256"},"payload":{"sub":"1"}}"#)
            .fails(r#"{"token":"abc"}"#, "not a JSON Web Token"),
        card("jwt/verify", "Verify", "Checks signature and times of a JSON Web Token.", verify)
            .text("token", "", "The token.").required()
            .text("key", "", "The shared secret (HS…), or the public key in PEM (RS…, PS…, ES…).").required().secret()
            .text("algorithm", "", "The only algorithm that is accepted. ES512 is not available.").required().or("HS256").choices(sign::ALGORITHMS)
            .text("audience", "", "The audience that it must be for; any where empty.")
            .text("issuer", "", "The issuer that it must be from; any where empty.")
            .gives("valid", "", Boolean, "Whether it is valid now.")
            .gives("reason", "", Text, "Why it is not; empty where it is.")
            .gives("payload", "", FieldType::object(), "Its claims; null where it is not valid.")
            .observes()
            .example(
                r#"{"token":"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzY29wZSI6InJlYWQiLCJzdWIiOiIxIiwiaWF0IjoxNzA1MzE0NjAwLCJleHAiOjE3MDUzMTUyMDB9.BGTjgYzG-18tcWmgEvALkLpQHkMvxYnXAzHm3zmGtJY","key":"other"}"#,
                r#"{"valid":false,"reason":"the signature is wrong","payload":null}"#,
            ),
    ]
}

fn encode(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

/// Seconds from a number, or from text with a unit.
fn seconds(given: &Value) -> Result<Option<i64>, Fault> {
    let text = value::text(given);
    let text = text.trim();
    let digits = text.bytes().take_while(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+')).count();
    let unit = match text[digits..].trim() {
        "" | "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
        "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
        "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
        "d" | "day" | "days" => 86_400.0,
        "w" | "week" | "weeks" => 604_800.0,
        "y" | "year" | "years" => 31_557_600.0,
        _ => f64::NAN,
    };
    if text.is_empty() {
        return Ok(None);
    }
    let count: f64 = text[..digits].parse().unwrap_or(f64::NAN);
    let total = count * unit;
    if !total.is_finite() || total.abs() > 1e12 {
        return Err(Fault::bad_input(format!("`{}` is not a time in seconds", value::short(text)))
            .remedy("give a number of seconds, or text such as `10 minutes`"));
    }
    #[allow(clippy::cast_possible_truncation)]
    Ok(Some(total as i64))
}

fn sign_token(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let algorithm = call.text("algorithm").into_owned();
    let mut header = Map::new();
    header.insert("alg".into(), algorithm.as_str().into());
    header.insert("typ".into(), "JWT".into());
    match call.any("header") {
        Value::Object(more) => header.extend(more.clone()),
        Value::String(text) if !text.trim().is_empty() => match crate::data::json::read(text)? {
            Value::Object(more) => header.extend(more),
            _ => return Err(call.wrong("header", "an object")),
        },
        _ => {}
    }
    if header.get("alg").and_then(Value::as_str) != Some(algorithm.as_str()) {
        return Err(Fault::bad_input(format!("the header names another algorithm than {algorithm}, which signs"))
            .remedy("leave `alg` out of `header`, and choose the algorithm in `algorithm`"));
    }
    let mut claims: Map<String, Value> = call.object("payload")?.cloned().unwrap_or_default();
    claims.extend(call.more().map(|(key, value)| (key.to_owned(), value.as_ref().clone())));
    for (key, claim) in [("audience", "aud"), ("issuer", "iss"), ("subject", "sub"), ("jwtid", "jti")] {
        let text = call.text(key);
        if !text.is_empty() {
            claims.insert(claim.into(), text.as_ref().into());
        }
    }
    let now = call.now().0.div_euclid(1000);
    if !call.boolean("noTimestamp")? {
        claims.entry("iat").or_insert_with(|| now.into());
    }
    for (key, claim) in [("notBefore", "nbf"), ("expiresIn", "exp")] {
        if let Some(seconds) = seconds(call.any(key))? {
            claims.insert(claim.into(), (now + seconds).into());
        }
    }
    let signed = format!("{}.{}", encode(&Value::Object(header)), encode(&Value::Object(claims)));
    crate::limits::text(signed.len())?;
    let signature = sign::sign(&algorithm, &call.text("key"), signed.as_bytes())?;
    Ok(Fields::one("token", format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature))))
}

/// Header, claims, what is signed, the signature.
type Parts<'t> = (Map<String, Value>, Map<String, Value>, &'t str, Vec<u8>);

fn apart(token: &str) -> Result<Parts<'_>, Fault> {
    let wrong = || Fault::bad_input("the text is not a JSON Web Token: three parts with dots between");
    let (signed, signature) = token.rsplit_once('.').ok_or_else(wrong)?;
    let (header, claims) = signed.split_once('.').ok_or_else(wrong)?;
    let read = |part: &str| -> Option<Map<String, Value>> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part.trim_end_matches('=')).ok()?).ok()
    };
    // Decode shows tokens with broken signatures too; Verify finds them wrong.
    let signature = URL_SAFE_NO_PAD.decode(signature).unwrap_or_default();
    Ok((read(header).ok_or_else(wrong)?, read(claims).ok_or_else(wrong)?, signed, signature))
}

fn decode(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let token = call.text("token");
    let (header, claims, _, _) = apart(token.trim())?;
    let mut out = Fields::one("header", header);
    out.set("payload", claims);
    Ok(out)
}

/// Why a token is not valid.
fn refused(call: &Call<'_>) -> Result<Result<Map<String, Value>, &'static str>, Fault> {
    let token = call.text("token");
    let Ok((header, claims, signed, signature)) = apart(token.trim()) else {
        return Ok(Err("it is not a JSON Web Token"));
    };
    let algorithm = call.text("algorithm");
    if header.get("alg").and_then(Value::as_str) != Some(algorithm.as_ref()) {
        return Ok(Err("it is signed with another algorithm"));
    }
    // RFC 7515, section 4.1.11: what must be understood and is not makes the token void.
    if header.contains_key("crit") {
        return Ok(Err("it asks for an extension that is not known here"));
    }
    if !sign::verify(&algorithm, &call.text("key"), signed.as_bytes(), &signature)? {
        return Ok(Err("the signature is wrong"));
    }
    #[allow(clippy::cast_precision_loss)]
    let now = call.now().0 as f64 / 1000.0;
    let time = |claim: &str| claims.get(claim).map(|v| v.as_f64().unwrap_or(f64::NAN));
    if time("exp").is_some_and(|exp| exp.is_nan() || now >= exp) {
        return Ok(Err("it has expired"));
    }
    if time("nbf").is_some_and(|nbf| nbf.is_nan() || now < nbf) {
        return Ok(Err("it is not valid yet"));
    }
    let (audience, issuer) = (call.text("audience"), call.text("issuer"));
    let named = |value: &Value| value.as_str() == Some(audience.as_ref());
    let meant = match claims.get("aud") {
        Some(Value::Array(list)) => list.iter().any(named),
        Some(one) => named(one),
        None => false,
    };
    if !audience.is_empty() && !meant {
        return Ok(Err("it is for another audience"));
    }
    if !issuer.is_empty() && claims.get("iss").and_then(Value::as_str) != Some(issuer.as_ref()) {
        return Ok(Err("it is from another issuer"));
    }
    Ok(Ok(claims))
}

fn verify(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let result = refused(call)?;
    let mut out = Fields::one("valid", result.is_ok());
    out.set("reason", result.as_ref().err().copied().unwrap_or_default());
    out.set("payload", result.map_or(Value::Null, Value::Object));
    Ok(out)
}
