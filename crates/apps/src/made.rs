//! Values made for a request: e-mails, base64, bodies in parts.
//!
//! Must never let a value end the line or the part that it stands in.
//! Tests: below.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use bytes::Bytes;
use flowdeck_model::{Fault, Mapping, Value};
use serde_json::Map;
use sha2::{Digest, Sha256};

use crate::query;
use crate::ready::{ReadyEmail, ReadyMade};
use crate::scope::Names;

/// Most addresses and files of one e-mail.
const ADDRESSES_MAX: usize = 500;
/// Characters of a line of base64 (RFC 2045 6.8).
const LINE: usize = 76;

/// Makes the values of a request, `made` in it; each can use those before it.
pub(crate) fn make(all: &[(String, ReadyMade)], names: &mut Names) -> Result<(), Fault> {
    let mut out = Map::new();
    for (name, made) in all {
        out.insert(name.clone(), one(made, names)?);
        names.set("made", Arc::new(Value::Object(out.clone())));
    }
    Ok(())
}

fn one(made: &ReadyMade, names: &Names) -> Result<Value, Fault> {
    Ok(match made {
        ReadyMade::First(all) => first(all, names)?,
        ReadyMade::Millis(mapping) => millis(&*mapping.evaluate(names)?)?,
        ReadyMade::Columns(mapping) => columns(&*mapping.evaluate(names)?),
        ReadyMade::Name(mapping) => {
            let name = mapping.evaluate(names)?;
            query::check_name(name.as_str().unwrap_or_default())?;
            (*name).clone()
        }
        ReadyMade::Merged(all) => {
            let mut out = Map::new();
            for mapping in all {
                let value = mapping.evaluate(names)?;
                let members = value.as_object().into_iter().flatten().filter(|(_, v)| !v.is_null());
                out.extend(members.map(|(k, v)| (k.clone(), v.clone())));
            }
            Value::Object(out)
        }
        ReadyMade::DaysBeforeNow(mapping) => days_before(&*mapping.evaluate(names)?, names)?,
        ReadyMade::Segments(mapping) => segments(&*mapping.evaluate(names)?),
        ReadyMade::Member { of, member, equals } => {
            let (list, wanted) = (of.evaluate(names)?, equals.evaluate(names)?);
            let items = list.as_array().map(Vec::as_slice).unwrap_or_default();
            items.iter().find(|item| item.get(member) == Some(&*wanted)).cloned().unwrap_or(Value::Null)
        }
        ReadyMade::Base64(mapping) => STANDARD.encode(content(&*mapping.evaluate(names)?)?.1).into(),
        ReadyMade::Email(mail) if mail.plain_base64 => STANDARD.encode(email(mail, names)?).into(),
        ReadyMade::Email(mail) => URL_SAFE.encode(email(mail, names)?).into(),
    })
}

fn days_before(days: &Value, names: &Names) -> Result<Value, Fault> {
    let days = days.as_f64().or_else(|| days.as_str()?.trim().parse().ok()).filter(|d| (0.0..=36_600.0).contains(d));
    let days = days.ok_or_else(|| Fault::bad_input("the days are not a number from 0 to 36600"))?;
    let now = names.number("now_s");
    let at = jiff::Timestamp::from_second(now - (days * 86_400.0) as i64)
        .map_err(|_| Fault::bad_input("so many days ago is out of range"))?;
    Ok(at.strftime("%d-%m-%Y 00:00:00").to_string().into())
}

fn segments(path: &Value) -> Value {
    let text = path.as_str().unwrap_or_default();
    text.split('/').filter(|part| !part.is_empty()).map(Value::from).collect()
}

/// In the order of the numbers that the names begin with; a column that is not given stays empty.
fn columns(value: &Value) -> Value {
    let mut cells: Vec<(usize, &Value)> = Vec::new();
    for (name, value) in value.as_object().into_iter().flatten() {
        let number = name.split_once('-').and_then(|(n, _)| n.parse::<usize>().ok()).filter(|n| *n < 1000);
        let next = cells.iter().map(|(n, _)| n + 1).max().unwrap_or(0);
        cells.push((number.unwrap_or(next), value));
    }
    let width = cells.iter().map(|(n, _)| n + 1).max().unwrap_or(0);
    let mut row = vec![Value::Null; width];
    cells.into_iter().for_each(|(n, value)| row[n] = value.clone());
    Value::Array(row)
}

fn millis(value: &Value) -> Result<Value, Fault> {
    match value {
        Value::Null => Ok(Value::Null),
        Value::String(text) if text.trim().is_empty() => Ok(Value::Null),
        Value::String(text) => match text.trim().parse::<jiff::Timestamp>() {
            Ok(at) => Ok(at.as_millisecond().to_string().into()),
            Err(_) => Err(Fault::bad_input(format!("`{text}` is not a date such as 2026-01-31T09:30:00Z"))),
        },
        other => Ok(other.to_string().into()),
    }
}

fn first(all: &[Mapping], names: &Names) -> Result<Value, Fault> {
    for mapping in all {
        let value = mapping.evaluate(names)?;
        let says_nothing = match &*value {
            Value::Null => true,
            // Okta's designer puts `-- Enter Application ID --` where another input counts.
            Value::String(text) => text.trim().is_empty() || text.starts_with("-- "),
            _ => false,
        };
        if !says_nothing {
            return Ok((*value).clone());
        }
    }
    Ok(Value::Null)
}

/// Name and bytes of a file; a text stands for its own bytes.
fn content(value: &Value) -> Result<(String, Vec<u8>), Fault> {
    match value {
        Value::Null => Err(Fault::bad_input("the file is empty").remedy("map a file to this input")),
        Value::Object(file) => {
            let name = file.get("name").and_then(Value::as_str).unwrap_or("file").to_owned();
            let text = file.get("content").and_then(Value::as_str).unwrap_or_default();
            let bytes = STANDARD.decode(text).map_err(|_| Fault::bad_input(format!("`{name}` is not a file")))?;
            Ok((name, bytes))
        }
        Value::String(text) => Ok(("file".into(), text.clone().into_bytes())),
        other => Ok(("file.json".into(), other.to_string().into_bytes())),
    }
}

fn kind(file: &Value) -> &str {
    let clean = |kind: &&str| !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_graphic());
    file["type"].as_str().filter(clean).unwrap_or("application/octet-stream")
}

fn list(value: &Value) -> Vec<Value> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) if text.trim().is_empty() => Vec::new(),
        Value::Array(items) => items.clone(),
        one => vec![one.clone()],
    }
}

/// A text in a header: as it is where it is plain, else as encoded words (RFC 2047) short enough for one line each.
fn word(text: &str) -> String {
    if text.bytes().all(|b| (0x20..0x7f).contains(&b)) {
        return text.to_owned();
    }
    let chars: Vec<char> = text.chars().filter(|c| !c.is_control()).collect();
    let words = chars.chunks(10).map(|c| format!("=?UTF-8?B?{}?=", STANDARD.encode(c.iter().collect::<String>())));
    words.collect::<Vec<_>>().join("\r\n ")
}

/// An address, with its name encoded where it is not plain.
fn address(value: &Value) -> Result<String, Fault> {
    let text = value.as_str().unwrap_or_default().trim();
    if text.is_empty() || text.chars().any(char::is_control) {
        return Err(Fault::bad_input("an e-mail address is empty or has line breaks in it"));
    }
    Ok(match text.split_once('<') {
        Some((name, rest)) => format!("{} <{rest}", word(name.trim())),
        None => text.to_owned(),
    })
}

fn lines(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let chunks = encoded.as_bytes().chunks(LINE).map(|c| String::from_utf8_lossy(c).into_owned());
    chunks.collect::<Vec<_>>().join("\r\n")
}

fn email(mail: &ReadyEmail, names: &Names) -> Result<String, Fault> {
    let mut out = String::new();
    let mut count = 0;
    for (header, mapping) in [("From", &mail.from), ("To", &mail.to), ("Cc", &mail.cc), ("Bcc", &mail.bcc)] {
        let addresses = list(&*mapping.evaluate(names)?).iter().map(address).collect::<Result<Vec<_>, _>>()?;
        count += addresses.len();
        if count > ADDRESSES_MAX {
            return Err(Fault::bad_input(format!("an e-mail goes to {ADDRESSES_MAX} addresses at most")));
        }
        if !addresses.is_empty() {
            out.push_str(&format!("{header}: {}\r\n", addresses.join(",\r\n ")));
        }
    }
    let subject = mail.subject.evaluate(names)?;
    out.push_str(&format!("Subject: {}\r\nMIME-Version: 1.0\r\n", word(subject.as_str().unwrap_or_default())));
    let body = mail.body.evaluate(names)?;
    let body = match &*body {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let is_html = Mapping::is_true(&*mail.html.evaluate(names)?);
    let kind_of_text = if is_html { "text/html" } else { "text/plain" };
    let text = format!(
        "Content-Type: {kind_of_text}; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
        lines(body.as_bytes())
    );
    let files = list(&*mail.attachments.evaluate(names)?);
    if files.is_empty() {
        return Ok(out + &text);
    }
    let mut parts = vec![text];
    for file in files.iter().take(ADDRESSES_MAX) {
        let (name, bytes) = content(file)?;
        let name = word(&name.replace(['"', '\\'], ""));
        parts.push(format!(
            "Content-Type: {}; name=\"{name}\"\r\nContent-Disposition: attachment; filename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n",
            kind(file),
            lines(&bytes)
        ));
    }
    let boundary = boundary(parts.iter().map(String::as_bytes));
    out.push_str(&format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n"));
    for part in parts {
        out.push_str(&format!("--{boundary}\r\n{part}"));
    }
    Ok(out + &format!("--{boundary}--\r\n"))
}

/// Made of the content, so that the same request has the same bytes; nobody can write a text that holds its own hash.
fn boundary<'a>(parts: impl Iterator<Item = &'a [u8]>) -> String {
    let mut hash = Sha256::new();
    parts.for_each(|part| hash.update(part));
    format!("part-{}", hex::encode(&hash.finalize()[..12]))
}

/// A `multipart/related` body (RFC 2387).
#[derive(Debug, Default)]
pub(crate) struct Related(Vec<(String, Vec<u8>)>);

impl Related {
    /// A part in JSON.
    pub(crate) fn json(&mut self, value: &Value) {
        self.0.push(("application/json; charset=UTF-8".into(), value.to_string().into_bytes()));
    }

    /// A part that is a file.
    pub(crate) fn file(&mut self, value: &Value) -> Result<(), Fault> {
        self.0.push((kind(value).to_owned(), content(value)?.1));
        Ok(())
    }

    /// The body and its type.
    pub(crate) fn finish(self) -> (Bytes, String) {
        let boundary = boundary(self.0.iter().map(|(_, bytes)| bytes.as_slice()));
        let mut out = Vec::new();
        for (kind, bytes) in &self.0 {
            out.extend_from_slice(format!("--{boundary}\r\nContent-Type: {kind}\r\n\r\n").as_bytes());
            out.extend_from_slice(bytes);
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        (out.into(), format!("multipart/related; boundary={boundary}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::Fields;
    use serde_json::json;
    use std::collections::BTreeMap;

    fn mail(input: Value) -> Result<String, Fault> {
        let map = |text: &str| Mapping::parse(&json!(text)).unwrap();
        let email = ReadyEmail {
            from: map("${input.from}"),
            to: map("${input.to}"),
            cc: map("${input.cc}"),
            bcc: map("${input.bcc}"),
            subject: map("${input.subject}"),
            body: map("${input.body}"),
            plain_base64: false,
            html: map("${input.html}"),
            attachments: map("${input.files}"),
        };
        let names = Names::new(Fields::from_value(input), &BTreeMap::new(), &Arc::new(json!({})));
        super::email(&email, &names)
    }

    #[test]
    fn a_mail_has_its_headers_and_nobody_can_add_one() {
        let text = mail(json!({"to": ["a@x.example", "Zoë <z@x.example>"], "subject": "Grüße", "body": "Hi"})).unwrap();
        assert!(text.starts_with("To: a@x.example,\r\n =?UTF-8?B?"), "{text}");
        assert!(text.contains("<z@x.example>\r\nSubject: =?UTF-8?B?"), "{text}");
        assert!(
            text.ends_with("text/plain; charset=UTF-8\r\nContent-Transfer-Encoding: base64\r\n\r\nSGk=\r\n"),
            "{text}"
        );
        assert!(mail(json!({"to": "a@x.example\r\nBcc: b@x.example", "subject": "s", "body": ""})).is_err());
        let text = mail(json!({"to": "a@x.example", "subject": "s\r\nBcc: b@x.example", "body": ""})).unwrap();
        assert!(!text.contains("\r\nBcc"), "{text}");
    }

    #[test]
    fn files_are_attached() {
        let file = json!({"name": "a\".txt", "type": "text/csv", "content": "SGk="});
        let text =
            mail(json!({"to": "a@x.example", "subject": "s", "body": "b", "html": true, "files": file})).unwrap();
        assert!(text.contains("Content-Type: text/csv; name=\"a.txt\"") && text.contains("text/html"), "{text}");
        assert_eq!(text.matches("--part-").count(), 3);
    }

    #[test]
    fn parts_are_kept_apart() {
        let mut related = Related::default();
        related.json(&json!({"name": "a"}));
        related.file(&json!({"type": "image/png", "content": "SGk="})).unwrap();
        let (body, kind) = related.finish();
        let boundary = kind.split_once("boundary=").unwrap().1;
        let text = String::from_utf8(body.to_vec()).unwrap();
        assert_eq!(text.matches(boundary).count(), 3);
        assert!(text.contains("image/png\r\n\r\nHi\r\n"), "{text}");
    }
}
