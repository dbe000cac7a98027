//! Actions with their mappings read, each when it is first used: reading them all would take longer than most runs.
//!
//! Must never take a mapping that cannot be read.
//! Tests: `tests/harness.rs` reads every action of every app.

use flowdeck_model::{EffectClass, FieldType, Mapping, Value};
use indexmap::IndexMap;

use crate::file::action::{Email, Filter, FilterOperator, Joined, LookUpRule, NextPage, Quote, RowsOutput, Terms};
use crate::file::{Action, Before, Event, Made, Output, Part, PollEvent, Request};
use crate::pointer::Pointer;

/// Shortest pause between polls, in seconds.
const POLL_EVERY_MIN_S: u32 = 5;

/// An action with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyAction {
    pub(crate) action: Action,
    pub(crate) request: Option<ReadyRequest>,
    pub(crate) before: Vec<(String, ReadyBefore)>,
    pub(crate) repeat: Option<Mapping>,
    pub(crate) outputs: Vec<ReadyOutput>,
    pub(crate) more_outputs: Option<Mapping>,
    pub(crate) next: Option<Mapping>,
    pub(crate) one_page: Option<Mapping>,
    pub(crate) items_max: Option<Mapping>,
    pub(crate) look_up: Option<ReadyLookUp>,
}

/// A read before the request.
#[derive(Debug)]
pub(crate) struct ReadyBefore {
    pub(crate) request: ReadyRequest,
    pub(crate) when: Option<Mapping>,
    pub(crate) must: Option<Mapping>,
    pub(crate) or_say: String,
    pub(crate) credential: bool,
}

/// A request template with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyRequest {
    pub(crate) method: Mapping,
    pub(crate) paths: Vec<(Option<Mapping>, Mapping)>,
    pub(crate) make: Vec<(String, ReadyMade)>,
    pub(crate) query: Vec<(String, ReadyQuery)>,
    pub(crate) more_query: Option<Mapping>,
    pub(crate) headers: Vec<(String, Mapping)>,
    pub(crate) more_headers: Option<Mapping>,
    pub(crate) own_credential: Option<Mapping>,
    pub(crate) body: ReadyBody,
}

/// A value made for a request.
#[derive(Debug)]
pub(crate) enum ReadyMade {
    Email(Box<ReadyEmail>),
    Base64(Mapping),
    First(Vec<Mapping>),
    Millis(Mapping),
    Columns(Mapping),
    Segments(Mapping),
    Name(Mapping),
    Merged(Vec<Mapping>),
    DaysBeforeNow(Mapping),
    Member { of: Mapping, member: String, equals: Mapping },
}

/// An e-mail; what the file leaves out is null.
#[derive(Debug)]
pub(crate) struct ReadyEmail {
    pub(crate) from: Mapping,
    pub(crate) to: Mapping,
    pub(crate) cc: Mapping,
    pub(crate) bcc: Mapping,
    pub(crate) subject: Mapping,
    pub(crate) body: Mapping,
    pub(crate) plain_base64: bool,
    pub(crate) html: Mapping,
    pub(crate) attachments: Mapping,
}

/// A query parameter with its mappings read.
#[derive(Debug)]
pub(crate) enum ReadyQuery {
    Value(Mapping),
    Filter { text: Option<Mapping>, all: Vec<(String, FilterOperator, Mapping)>, more: Option<Mapping> },
    Terms(Box<ReadyTerms>),
    Joined(Mapping, String),
}

/// Terms of a query language.
#[derive(Debug)]
pub(crate) struct ReadyTerms {
    pub(crate) before: Option<Mapping>,
    pub(crate) text: Option<Mapping>,
    pub(crate) terms: Vec<(String, Mapping)>,
    pub(crate) more: Option<Mapping>,
    pub(crate) form: String,
    pub(crate) quote: Quote,
    pub(crate) join: String,
}

/// A body template.
#[derive(Debug)]
pub(crate) enum ReadyBody {
    None,
    Json { template: Mapping, more: Option<(String, Mapping)> },
    Form(Vec<(String, Mapping)>),
    Text(Mapping),
    AsGiven(Mapping),
    Parts(Vec<ReadyPart>),
}

/// A part of a body.
#[derive(Debug)]
pub(crate) enum ReadyPart {
    Json(Mapping),
    File(Mapping),
}

/// An output with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyOutput {
    pub(crate) key: String,
    /// It is declared as a text: a number that an app gives there is one too.
    pub(crate) is_text: bool,
    pub(crate) source: OutputSource,
}

/// Where an output comes from.
#[derive(Debug)]
pub(crate) enum OutputSource {
    /// The member of the answer's body with the output's key.
    Same,
    /// A place in the body or the record.
    At(Pointer),
    /// A mapping; `item` is the record at the place.
    Value(Mapping, Option<Pointer>),
    /// A list made item by item.
    List { each: Mapping, item: Mapping },
    /// A list of records.
    EachOf(Pointer, Vec<ReadyOutput>),
    /// A record.
    PartOf(Pointer, Vec<ReadyOutput>),
    /// The body as a file.
    File(Mapping),
    /// Items of a list with a member.
    Only { at: Pointer, member: String, equals: Mapping },
    /// Rows of a sheet.
    Rows(Pointer, RowsOutput),
    /// The last number in a text.
    NumberIn(Pointer),
    /// The rest of a text.
    AfterLast(Mapping, String),
}

/// A look-up with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyLookUp {
    pub(crate) request: ReadyRequest,
    pub(crate) happened: Mapping,
    pub(crate) did_not: Option<Mapping>,
    pub(crate) outputs: Vec<(String, Mapping)>,
}

pub(crate) fn mapping(place: &str, value: &Value) -> Result<Mapping, String> {
    Mapping::parse(value).map_err(|e| format!("{place}: {} (at {})", e.message, e.offset))
}

pub(crate) fn mappings(place: &str, values: &IndexMap<String, Value>) -> Result<Vec<(String, Mapping)>, String> {
    values.iter().map(|(key, value)| Ok((key.clone(), mapping(&format!("{place} {key}"), value)?))).collect()
}

fn optional(place: &str, value: Option<&Value>) -> Result<Option<Mapping>, String> {
    value.map(|v| mapping(place, v)).transpose()
}

fn request(request: &Request) -> Result<ReadyRequest, String> {
    if request.path.is_empty() == request.paths.is_empty() {
        return Err("a request has either `path` or `paths`".into());
    }
    let mut paths = Vec::new();
    for way in &request.paths {
        paths.push((optional("when", way.when.as_ref())?, mapping("path", &Value::String(way.path.clone()))?));
    }
    if paths.is_empty() {
        paths.push((None, mapping("path", &Value::String(request.path.clone()))?));
    }
    let query = request.query.iter().map(|(key, value)| Ok((key.clone(), query(key, value)?)));
    let make = request.make.iter().map(|(key, made)| Ok((key.clone(), ready_made(made)?)));
    Ok(ReadyRequest {
        method: mapping("method", &Value::String(request.method.clone()))?,
        paths,
        make: make.collect::<Result<_, String>>()?,
        query: query.collect::<Result<_, String>>()?,
        more_query: optional("more_query", request.more_query.as_ref())?,
        headers: mappings("headers", &request.headers)?,
        more_headers: optional("more_headers", request.more_headers.as_ref())?,
        own_credential: optional("own_credential", request.own_credential.as_ref())?,
        body: body(request)?,
    })
}

fn body(request: &Request) -> Result<ReadyBody, String> {
    if request.more_json.is_some() && request.json.is_none() {
        return Err("`more_json` needs `json`".into());
    }
    let mut bodies = Vec::new();
    if let Some(json) = &request.json {
        let more = request.more_json.as_ref();
        let more = more.map(|m| Ok::<_, String>((m.at.clone(), mapping("more_json", &m.members)?))).transpose()?;
        bodies.push(ReadyBody::Json { template: mapping("json", json)?, more });
    }
    if !request.form.is_empty() {
        bodies.push(ReadyBody::Form(mappings("form", &request.form)?));
    }
    if let Some(text) = &request.text {
        bodies.push(ReadyBody::Text(mapping("text", text)?));
    }
    if let Some(given) = &request.body {
        bodies.push(ReadyBody::AsGiven(mapping("body", given)?));
    }
    if !request.parts.is_empty() {
        bodies.push(ReadyBody::Parts(request.parts.iter().map(part).collect::<Result<_, _>>()?));
    }
    match bodies.len() {
        0 => Ok(ReadyBody::None),
        1 => Ok(bodies.remove(0)),
        _ => Err("a request has one of `json`, `form`, `text`, `body` and `parts`".into()),
    }
}

fn part(part: &Part) -> Result<ReadyPart, String> {
    match (&part.json, &part.file) {
        (Some(json), None) => Ok(ReadyPart::Json(mapping("parts json", json)?)),
        (None, Some(file)) => Ok(ReadyPart::File(mapping("parts file", file)?)),
        _ => Err("a part has either `json` or `file`".into()),
    }
}

fn ready_made(made: &Made) -> Result<ReadyMade, String> {
    Ok(match made {
        Made::Base64(value) => ReadyMade::Base64(mapping("base64", value)?),
        Made::Columns(value) => ReadyMade::Columns(mapping("columns", value)?),
        Made::Segments(value) => ReadyMade::Segments(mapping("segments", value)?),
        Made::Member { of, r#where, equals } => {
            ReadyMade::Member { of: mapping("of", of)?, member: r#where.clone(), equals: mapping("equals", equals)? }
        }
        Made::Name(value) => ReadyMade::Name(mapping("name", value)?),
        Made::Merged(all) => ReadyMade::Merged(all.iter().map(|v| mapping("merged", v)).collect::<Result<_, _>>()?),
        Made::DaysBeforeNow(value) => ReadyMade::DaysBeforeNow(mapping("days_before_now", value)?),
        Made::Millis(value) => ReadyMade::Millis(mapping("millis", value)?),
        Made::First(values) => ReadyMade::First(values.iter().map(|v| mapping("first", v)).collect::<Result<_, _>>()?),
        Made::Email(email) => ReadyMade::Email(Box::new(ready_email(email)?)),
    })
}

fn ready_email(email: &Email) -> Result<ReadyEmail, String> {
    let or_null = |place: &str, value: Option<&Value>| mapping(place, value.unwrap_or(&Value::Null));
    Ok(ReadyEmail {
        from: or_null("from", email.from.as_ref())?,
        to: mapping("to", &email.to)?,
        cc: or_null("cc", email.cc.as_ref())?,
        bcc: or_null("bcc", email.bcc.as_ref())?,
        subject: mapping("subject", &email.subject)?,
        body: mapping("body", &email.body)?,
        plain_base64: email.plain_base64,
        html: or_null("html", email.html.as_ref())?,
        attachments: or_null("attachments", email.attachments.as_ref())?,
    })
}

fn query(key: &str, value: &Value) -> Result<ReadyQuery, String> {
    let place = format!("query {key}");
    if !value.is_object() {
        return Ok(ReadyQuery::Value(mapping(&place, value)?));
    }
    if value.get("joined").is_some() {
        let joined: Joined = serde_json::from_value(value.clone()).map_err(|e| format!("{place}: {e}"))?;
        return Ok(ReadyQuery::Joined(mapping(&place, &joined.joined)?, joined.by));
    }
    if value.get("terms").is_some() {
        let terms: Terms = serde_json::from_value(value.clone()).map_err(|e| format!("{place}: {e}"))?;
        return Ok(ReadyQuery::Terms(Box::new(ReadyTerms {
            before: optional(&place, terms.before.as_ref())?,
            text: optional(&place, terms.text.as_ref())?,
            terms: mappings(&place, &terms.terms)?,
            more: optional(&place, terms.more.as_ref())?,
            form: terms.form,
            quote: terms.quote,
            join: terms.join,
        })));
    }
    let filter: Filter = serde_json::from_value(value.clone()).map_err(|e| format!("{place}: {e}"))?;
    let mut all = Vec::new();
    for (attribute, tests) in &filter.all {
        for (operator, value) in tests {
            all.push((attribute.clone(), *operator, mapping(&format!("{place} {attribute}"), value)?));
        }
    }
    let more = optional(&place, filter.more.as_ref())?;
    Ok(ReadyQuery::Filter { text: optional(&place, filter.text.as_ref())?, all, more })
}

fn before(before: &Before) -> Result<ReadyBefore, String> {
    if before.request.method != "GET" && !before.reads {
        return Err("before: only GET, or what `reads`".into());
    }
    Ok(ReadyBefore {
        request: request(&before.request)?,
        when: optional("when", before.when.as_ref())?,
        must: optional("must", before.must.as_ref())?,
        or_say: before.or_say.clone(),
        credential: before.credential,
    })
}

fn look_up(rule: &LookUpRule) -> Result<ReadyLookUp, String> {
    if rule.request.method != "GET" {
        return Err("look_up: only GET".into());
    }
    Ok(ReadyLookUp {
        request: request(&rule.request)?,
        happened: mapping("look_up happened", &rule.happened)?,
        did_not: optional("look_up did_not", rule.did_not.as_ref())?,
        outputs: mappings("look_up outputs", &rule.outputs)?,
    })
}

/// Reads an action's mappings.
pub(crate) fn action(action: &Action) -> Result<ReadyAction, String> {
    let pages = action.pagination.as_ref();
    let next = match pages.map(|p| &p.next) {
        Some(NextPage::Cursor { value, .. } | NextPage::Url { value }) => Some(mapping("pagination", value)?),
        _ => None,
    };
    if let Some(pages) = pages
        && !action.outputs.iter().any(|o| o.field.key == pages.output)
    {
        return Err(format!("pagination: there is no output `{}`", pages.output));
    }
    if action.repeat.is_some() && !matches!(action.effect, EffectClass::Idempotent | EffectClass::Observe) {
        return Err("repeat: only where repeating does no harm (effect idempotent or observe)".into());
    }
    let befores = action.before.iter().map(|(name, b)| Ok((name.clone(), before(b)?)));
    Ok(ReadyAction {
        request: action.request.as_ref().map(request).transpose()?,
        before: befores.collect::<Result<_, String>>()?,
        repeat: optional("repeat", action.repeat.as_ref())?,
        outputs: action.outputs.iter().map(output).collect::<Result<_, _>>()?,
        more_outputs: optional("more_outputs", action.more_outputs.as_ref())?,
        next,
        one_page: optional("one_page", pages.and_then(|p| p.one_page.as_ref()))?,
        items_max: optional("items_max", pages.and_then(|p| p.items_max.as_ref()))?,
        look_up: action.look_up.as_ref().map(look_up).transpose()?,
        action: action.clone(),
    })
}

fn output(output: &Output) -> Result<ReadyOutput, String> {
    let key = output.field.key.clone();
    let is_text = output.field.kind == FieldType::Text;
    let place = format!("output {key}");
    let pointer = |text: &str| Pointer::parse(text).map_err(|e| format!("{place}: {e}"));
    let at = || pointer(output.at.as_deref().unwrap_or_default());
    let inner = |fields: &[Output]| fields.iter().map(self::output).collect::<Result<Vec<_>, _>>();
    let special = match (&output.rows, &output.number_in, &output.only) {
        (Some(rows), None, None) => Some(OutputSource::Rows(pointer(&rows.at)?, rows.clone())),
        (None, Some(text), None) => Some(OutputSource::NumberIn(pointer(text)?)),
        (None, None, Some(only)) => {
            Some(OutputSource::Only { at: at()?, member: only.member.clone(), equals: mapping(&place, &only.equals)? })
        }
        _ => None,
    };
    let special = match &output.after_last {
        Some(after) => Some(OutputSource::AfterLast(mapping(&place, &after.of)?, after.mark.clone())),
        None => special,
    };
    if let Some(source) = special {
        return Ok(ReadyOutput { key, is_text, source });
    }
    let source = match (&output.value, &output.list, &output.each_of, &output.part_of, &output.file) {
        (None, None, None, None, None) if output.at.is_none() => OutputSource::Same,
        (None, None, None, None, None) => OutputSource::At(at()?),
        (Some(value), None, None, None, None) => {
            let mapping = mapping(&place, value)?;
            let uses_item = mapping.references().iter().any(|r| r.root == "item");
            let record = output.record.as_deref().filter(|_| uses_item).map(pointer).transpose()?;
            OutputSource::Value(mapping, record)
        }
        (None, Some(list), None, None, None) => {
            OutputSource::List { each: mapping(&place, &list.each)?, item: mapping(&place, &list.item)? }
        }
        (None, None, Some(fields), None, None) => OutputSource::EachOf(at()?, inner(fields)?),
        (None, None, None, Some(fields), None) => OutputSource::PartOf(at()?, inner(fields)?),
        (None, None, None, None, Some(name)) => OutputSource::File(mapping(&place, name)?),
        _ => return Err(format!("{place}: comes from more than one place")),
    };
    Ok(ReadyOutput { key, is_text, source })
}

/// An event with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyEvent {
    pub(crate) each: Mapping,
    pub(crate) when: Option<Mapping>,
    pub(crate) key: Mapping,
    pub(crate) outputs: Vec<ReadyOutput>,
    pub(crate) more_outputs: Option<Mapping>,
    pub(crate) poll: Option<ReadyPoll>,
}

/// How to ask for new events, with its mappings read.
#[derive(Debug)]
pub(crate) struct ReadyPoll {
    pub(crate) request: ReadyRequest,
    pub(crate) cursor: Mapping,
    pub(crate) from: Option<Mapping>,
}

fn poll(poll: &PollEvent) -> Result<ReadyPoll, String> {
    if poll.request.method != "GET" {
        return Err("poll: only GET".into());
    }
    if poll.every_s < POLL_EVERY_MIN_S {
        return Err(format!("poll: every_s: at least {POLL_EVERY_MIN_S}"));
    }
    Ok(ReadyPoll {
        request: request(&poll.request)?,
        cursor: mapping("poll cursor", &poll.cursor)?,
        from: optional("poll from", poll.from.as_ref())?,
    })
}

/// Reads an event's mappings.
pub(crate) fn event(event: &Event) -> Result<ReadyEvent, String> {
    Ok(ReadyEvent {
        poll: event.poll.as_ref().map(poll).transpose()?,
        each: mapping("each", &event.each)?,
        when: optional("when", event.when.as_ref())?,
        key: mapping("key", &event.key)?,
        outputs: event.outputs.iter().map(output).collect::<Result<_, _>>()?,
        more_outputs: optional("more_outputs", event.more_outputs.as_ref())?,
    })
}
