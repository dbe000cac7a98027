//! A browser for consent pages: reads forms, presses a button, follows redirects.
//!
//! Must never know an OAuth server's routes: it sees pages and forms only.
//! Tests: `tests/tests/e2e/harness.rs`.

use http::Method;
use url::Url;

use crate::http::{Answer, Http};

/// Redirects and forms on one way, at most.
const STEPS_MAX: usize = 10;

/// What the person in front of the browser does with a form.
#[derive(Debug, Clone, Copy)]
pub struct Person<'a> {
    /// Text that stands in the form or on the button to press: the account.
    pub account: &'a str,
    /// Scopes to leave ticked; all of them where `None`.
    pub scopes: Option<&'a [&'a str]>,
}

/// Where the browser ended.
#[derive(Debug, Clone)]
pub struct Page {
    /// The last URL.
    pub url: Url,
    /// What stands there.
    pub answer: Answer,
}

/// A form of a page.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Form {
    /// Where it goes.
    pub action: String,
    /// Its named fields, in order.
    pub fields: Vec<(String, String)>,
    /// All of its markup.
    pub text: String,
}

/// The browser.
#[derive(Debug, Default)]
pub struct Browser {
    http: Http,
}

impl Browser {
    /// Opens the URL, chooses the account, consents, and follows every redirect to its end.
    ///
    /// # Errors
    /// The page that could not be passed.
    pub fn consent(&self, url: &str, person: Person<'_>) -> Result<Page, String> {
        let mut page = self.open(url)?;
        for _ in 0..STEPS_MAX {
            let Some(form) = forms(&page.answer.text()).into_iter().find(|form| form.text.contains(person.account))
            else {
                return Ok(page);
            };
            page = self.submit(&page.url, &form, person)?;
        }
        Err(format!("more than {STEPS_MAX} forms, the last at {}", page.url))
    }

    /// Says no: goes straight back with `access_denied`, as a provider sends a person who pressed Cancel (RFC 6749
    /// section 4.1.2.1). `issuer` is the provider's `iss`.
    ///
    /// # Errors
    /// The page that could not be opened.
    pub fn deny(&self, authorize: &str, issuer: &str) -> Result<Page, String> {
        let url = Url::parse(authorize).map_err(|e| e.to_string())?;
        let value = |name: &str| url.query_pairs().find(|(k, _)| k == name).map(|(_, v)| v.into_owned());
        let mut back = Url::parse(&value("redirect_uri").unwrap_or_default()).map_err(|e| e.to_string())?;
        back.query_pairs_mut()
            .append_pair("error", "access_denied")
            .append_pair("state", &value("state").unwrap_or_default())
            .append_pair("iss", issuer);
        self.open(back.as_str())
    }

    /// Opens a URL and follows redirects.
    ///
    /// # Errors
    /// The page that could not be opened.
    pub fn open(&self, url: &str) -> Result<Page, String> {
        let url = Url::parse(url).map_err(|e| format!("{url}: {e}"))?;
        let answer = self.http.get(url.as_str()).map_err(|e| format!("{url}: {e}"))?;
        self.follow(url, answer)
    }

    fn submit(&self, from: &Url, form: &Form, person: Person<'_>) -> Result<Page, String> {
        let url = from.join(&form.action).map_err(|e| e.to_string())?;
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &form.fields {
            match person.scopes {
                Some(kept) if name == "scope" => body.append_pair(name, &only(value, kept)),
                _ => body.append_pair(name, value),
            };
        }
        let answer =
            self.http.call(Method::POST, url.as_str(), "", &body.finish()).map_err(|e| format!("{url}: {e}"))?;
        self.follow(url, answer)
    }

    fn follow(&self, mut url: Url, mut answer: Answer) -> Result<Page, String> {
        for _ in 0..STEPS_MAX {
            let Some(location) = answer.header("location").filter(|_| answer.status.is_redirection()) else {
                return Ok(Page { url, answer });
            };
            url = url.join(location).map_err(|e| e.to_string())?;
            answer = self.http.get(url.as_str()).map_err(|e| format!("{url}: {e}"))?;
        }
        Err(format!("more than {STEPS_MAX} redirects, the last to {url}"))
    }
}

fn only(scopes: &str, kept: &[&str]) -> String {
    scopes.split(' ').filter(|scope| kept.contains(scope)).collect::<Vec<_>>().join(" ")
}

/// The forms of a page, with their input fields.
#[must_use]
pub fn forms(html: &str) -> Vec<Form> {
    html.split("<form").skip(1).filter_map(|part| part.split("</form>").next()).map(form).collect()
}

fn form(text: &str) -> Form {
    let head = text.split('>').next().unwrap_or_default();
    let fields = text
        .split("<input")
        .skip(1)
        .filter_map(|part| part.split('>').next())
        .filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default())))
        .collect();
    Form { action: attribute(head, "action").unwrap_or_default(), fields, text: text.to_owned() }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |text, (from, to)| text.replace(from, to)))
}
