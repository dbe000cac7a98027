//! Query parameters in query languages: SCIM filters and terms.
//!
//! Must never let a value leave its quotes.
//! Tests: below and `tests/actions`.

use flowdeck_model::{Fault, Mapping, Value};

use crate::file::action::{FilterOperator, Quote};
use crate::ready::ReadyTerms;
use crate::scope::Names;

fn says_nothing(value: &Value) -> bool {
    value.is_null() || value.as_str() == Some("")
}

/// A name that stands in a query by itself, without quotes.
pub(crate) fn check_name(name: &str) -> Result<(), Fault> {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    if name.is_empty() || !name.bytes().all(is_plain) {
        return Err(Fault::bad_input(format!("`{name}` is not the name of an attribute")));
    }
    Ok(())
}

/// A text of the user that is not empty.
fn own_text(text: Option<&Mapping>, names: &Names) -> Result<Option<String>, Fault> {
    let value = text.map(|text| text.evaluate(names)).transpose()?;
    Ok(value.as_deref().and_then(Value::as_str).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned))
}

/// A SCIM filter; null where nothing is asked for.
pub(crate) fn filter(
    whole: Option<&Mapping>,
    all: &[(String, FilterOperator, Mapping)],
    more: Option<&Mapping>,
    names: &Names,
) -> Result<Value, Fault> {
    let mut tests = Vec::new();
    // RFC 7644 3.4.2.2: values are JSON, so a quote in a text cannot end it.
    let mut add = |attribute: &str, operator: FilterOperator, value: &Value| {
        if !says_nothing(value) {
            tests.push(format!("{attribute} {} {value}", operator.word()));
        }
    };
    for (attribute, operator, mapping) in all {
        add(attribute, *operator, &*mapping.evaluate(names)?);
    }
    if let Some(more) = more
        && let Value::Object(members) = &*more.evaluate(names)?
    {
        for (attribute, value) in members {
            check_name(attribute)?;
            add(attribute, FilterOperator::Eq, value);
        }
    }
    if let Some(text) = own_text(whole, names)? {
        let text = if tests.is_empty() { text } else { format!("({text})") };
        tests.insert(0, text);
    }
    Ok(if tests.is_empty() { Value::Null } else { tests.join(" and ").into() })
}

/// Terms; null where nothing is asked for.
pub(crate) fn terms(terms: &ReadyTerms, names: &Names) -> Result<Value, Fault> {
    let mut all: Vec<String> = own_text(terms.text.as_ref(), names)?.into_iter().collect();
    for (term, mapping) in &terms.terms {
        let value = mapping.evaluate(names)?;
        if !says_nothing(&value) {
            let term = match value.as_str().filter(|_| term.contains("{!}")) {
                Some(text) => term.replace("{!}", text),
                None => term.replace("{}", &quoted(terms.quote, &value)?),
            };
            all.push(term);
        }
    }
    if let Some(more) = &terms.more
        && let Value::Object(members) = &*more.evaluate(names)?
    {
        for (name, value) in members.iter().filter(|(_, value)| !says_nothing(value)) {
            check_name(name)?;
            all.push(terms.form.replace("{name}", name).replace("{}", &quoted(terms.quote, value)?));
        }
    }
    if all.is_empty() {
        return Ok(Value::Null);
    }
    let mut out = match &terms.before {
        Some(before) => before.evaluate(names)?.as_str().unwrap_or_default().to_owned(),
        None => String::new(),
    };
    out.push_str(&all.join(&terms.join));
    Ok(out.into())
}

fn quoted(quote: Quote, value: &Value) -> Result<String, Fault> {
    let Value::String(text) = value else { return Ok(value.to_string()) };
    Ok(match quote {
        Quote::Backslash => format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'")),
        Quote::Doubled => format!("'{}'", text.replace('\'', "''")),
        Quote::Json => value.to_string(),
        Quote::None if text.contains('^') => {
            return Err(Fault::bad_input("`^` cannot be searched for here"));
        }
        Quote::None => text.clone(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_value_cannot_leave_its_quotes() {
        let evil = json!("it's \\ \"x\"");
        for (quote, expected) in [
            (Quote::Backslash, r#"'it\'s \\ "x"'"#),
            (Quote::Doubled, r#"'it''s \ "x"'"#),
            (Quote::Json, r#""it's \\ \"x\"""#),
        ] {
            assert_eq!(quoted(quote, &evil).unwrap(), expected);
        }
        assert!(quoted(Quote::None, &json!("a^ORb=c")).is_err());
        assert_eq!(quoted(Quote::Backslash, &json!(true)).unwrap(), "true");
        assert!(check_name("Id FROM User").is_err() && check_name("Account.Name").is_ok());
    }
}
