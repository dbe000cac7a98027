//! Finds names in an action's mappings that nothing has: a misspelt input, a read that is not made.
//!
//! Must never refuse what could work: members of answers are not known.
//! Tests: below; `tests/harness.rs` over every built-in app.

use flowdeck_model::Mapping;
use flowdeck_model::mapping::{PathPart, Reference};

use crate::ready::{OutputSource, ReadyAction, ReadyBody, ReadyMade, ReadyOutput, ReadyPart, ReadyQuery, ReadyRequest};

/// What is wrong with the first name that nothing has.
pub(crate) fn names(ready: &ReadyAction) -> Result<(), String> {
    let mut all = Vec::new();
    for (_, before) in &ready.before {
        request(&before.request, &mut all);
        all.extend(before.when.iter().chain(&before.must));
    }
    ready.request.iter().for_each(|r| request(r, &mut all));
    ready.outputs.iter().for_each(|o| output(o, &mut all));
    let rest = [&ready.repeat, &ready.more_outputs, &ready.next, &ready.one_page, &ready.items_max];
    all.extend(rest.into_iter().flatten());
    if let Some(rule) = &ready.look_up {
        request(&rule.request, &mut all);
        all.push(&rule.happened);
        all.extend(rule.did_not.iter().chain(rule.outputs.iter().map(|(_, m)| m)));
    }
    all.into_iter().flat_map(Mapping::references).try_for_each(|r| known(ready, r))
}

fn known(ready: &ReadyAction, reference: &Reference) -> Result<(), String> {
    let first = match reference.path.first() {
        Some(PathPart::Key(key)) => Some(key.as_str()),
        _ => None,
    };
    let made = |request: &ReadyRequest, key: &str| request.make.iter().any(|(name, _)| name == key);
    let there = match (reference.root.as_str(), first) {
        ("input", Some(key)) => ready.action.more_inputs || ready.action.inputs.iter().any(|f| f.key == key),
        ("before", Some(key)) => ready.before.iter().any(|(name, _)| name == key),
        ("made", Some(key)) => {
            let requests = ready.request.iter().chain(ready.before.iter().map(|(_, b)| &b.request));
            requests.chain(ready.look_up.iter().map(|l| &l.request)).any(|r| made(r, key))
        }
        ("more", _) => ready.action.more_inputs,
        ("each" | "answers", _) => ready.repeat.is_some(),
        (root, _) => matches!(root, "input" | "connection" | "app" | "page" | "now_s" | "response" | "item" | "made"),
    };
    if there { Ok(()) } else { Err(format!("nothing is called `{reference}`")) }
}

fn request<'r>(request: &'r ReadyRequest, all: &mut Vec<&'r Mapping>) {
    all.push(&request.method);
    for (when, path) in &request.paths {
        all.extend(when);
        all.push(path);
    }
    for (_, made) in &request.make {
        match made {
            ReadyMade::Base64(m) | ReadyMade::Millis(m) | ReadyMade::Columns(m) | ReadyMade::Segments(m) => all.push(m),
            ReadyMade::Name(m) | ReadyMade::DaysBeforeNow(m) => all.push(m),
            ReadyMade::First(list) | ReadyMade::Merged(list) => all.extend(list),
            ReadyMade::Member { of, equals, .. } => all.extend([of, equals]),
            ReadyMade::Email(e) => {
                all.extend([&e.from, &e.to, &e.cc, &e.bcc, &e.subject, &e.body, &e.html, &e.attachments]);
            }
        }
    }
    for (_, query) in &request.query {
        match query {
            ReadyQuery::Value(m) | ReadyQuery::Joined(m, _) => all.push(m),
            ReadyQuery::Filter { text, all: tests, more } => {
                all.extend(text.iter().chain(more).chain(tests.iter().map(|(_, _, m)| m)));
            }
            ReadyQuery::Terms(t) => {
                all.extend(t.before.iter().chain(&t.text).chain(&t.more).chain(t.terms.iter().map(|(_, m)| m)));
            }
        }
    }
    all.extend(request.headers.iter().map(|(_, m)| m));
    all.extend(request.more_query.iter().chain(&request.more_headers).chain(&request.own_credential));
    match &request.body {
        ReadyBody::None => {}
        ReadyBody::Json { template, more } => {
            all.push(template);
            all.extend(more.iter().map(|(_, m)| m));
        }
        ReadyBody::Form(pairs) => all.extend(pairs.iter().map(|(_, m)| m)),
        ReadyBody::Text(m) | ReadyBody::AsGiven(m) => all.push(m),
        ReadyBody::Parts(parts) => all.extend(parts.iter().map(|part| match part {
            ReadyPart::Json(m) | ReadyPart::File(m) => m,
        })),
    }
}

fn output<'r>(output: &'r ReadyOutput, all: &mut Vec<&'r Mapping>) {
    match &output.source {
        OutputSource::Value(m, _) | OutputSource::File(m) | OutputSource::AfterLast(m, _) => all.push(m),
        OutputSource::Only { equals, .. } => all.push(equals),
        OutputSource::List { each, item } => all.extend([each, item]),
        OutputSource::EachOf(_, fields) | OutputSource::PartOf(_, fields) => {
            fields.iter().for_each(|field| self::output(field, all));
        }
        OutputSource::Same | OutputSource::At(_) | OutputSource::Rows(..) | OutputSource::NumberIn(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use crate::App;

    #[test]
    fn a_name_that_nothing_has_is_found() {
        let file = |mapping: &str| {
            format!(
                "{{app: t, title: T, summary: T., version: '1', base_url: 'https://x.example', actions: {{a: {{title: A, summary: A., effect: observe, inputs: [{{key: id, type: text}}], request: {{method: GET, path: /, query: {{q: '{mapping}'}}}}}}}}}}"
            )
        };
        for mapping in ["${input.id}", "${response.body.x}", "${connection.host}", "plain"] {
            App::read("t", &file(mapping)).unwrap();
        }
        for (mapping, name) in [
            ("${input.idd}", "input.idd"),
            ("${before.x.body}", "before.x"),
            ("${more}", "more"),
            ("${each.a}", "each"),
            ("${inputs.id}", "inputs.id"),
        ] {
            let error = App::read("t", &file(mapping)).unwrap_err().to_string();
            assert!(error.contains("action a: nothing is called") && error.contains(name), "{error}");
        }
    }
}
