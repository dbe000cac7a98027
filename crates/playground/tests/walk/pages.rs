//! What the pages are made of: headings, labels, no script, nothing a stranger wrote as markup.
//!
//! Must never reach beyond loopback.
//! Tests: this is the test.

use flowdeck_playground::Account;
use reqwest::Method;
use serde_json::json;

use crate::support::*;

/// What a keyboard and a screen reader need of every page.
fn check(name: &str, html: &str) {
    assert!(html.contains("<html lang=\"en\">") && html.contains("<title>"), "{name}: language and title");
    assert_eq!(html.matches("<h1>").count(), 1, "{name}: one main heading");
    assert_eq!(html.matches("<main").count(), 1, "{name}: one main part");
    let handlers = [" onclick=", " onload=", " onsubmit=", " onerror=", "javascript:"];
    assert!(!html.contains("<script") && handlers.iter().all(|h| !html.contains(h)), "{name}: no script");
    assert!(!html.contains("tabindex=\"1\"") && !html.contains("style=\""), "{name}: order and style");
    for (at, _) in html.match_indices("<input ").chain(html.match_indices("<select ")) {
        let tag = &html[at..at + html[at..].find('>').unwrap()];
        if tag.contains("type=\"hidden\"") {
            continue;
        }
        let before = &html[..at];
        let inside_label = before.rfind("<label").is_some_and(|open| before[open..].find("</label>").is_none());
        let named = tag.split("id=\"").nth(1).and_then(|rest| rest.split('"').next());
        let has_label = named.is_some_and(|id| html.contains(&format!("<label for=\"{id}\"")));
        assert!(inside_label || has_label, "{name}: a field without a label: {tag}");
    }
    for (at, _) in html.match_indices("<table") {
        let table = &html[at..at + html[at..].find("</table>").unwrap()];
        assert!(table.contains("<th scope=\"col\">"), "{name}: a table without column heads");
    }
}

#[tokio::test]
async fn every_page_can_be_used_without_a_mouse_and_without_sight() {
    let walk = Walk::start().await;
    check("consent", &walk.authorize(&[]).await.text().await.unwrap());
    for path in ["/", "/account/tokens", "/oauth/device", "/oauth/device?user_code=NOPE-NOPE", "/oauth/authorize"] {
        check(path, &walk.api(Method::GET, path, "", None).await.text().await.unwrap());
    }
}

#[tokio::test]
async fn pages_may_load_only_their_own_style_and_post_only_home() {
    let walk = Walk::start().await;
    let page = walk.authorize(&[]).await;
    let policy = page.headers()["content-security-policy"].to_str().unwrap();
    for rule in ["default-src 'none'", "style-src 'self'", "frame-ancestors 'none'", "base-uri 'none'"] {
        assert!(policy.contains(rule), "{policy}");
    }
    assert!(policy.contains("form-action 'self' http://127.0.0.1:8917"), "{policy}");
    assert_eq!(page.headers()["referrer-policy"], "same-origin");
}

#[tokio::test]
async fn a_name_somebody_wrote_is_text_on_every_page() {
    let walk = Walk::start().await;
    let (token, _) = walk.tokens(Account::Robin).await;
    walk.running.controls().unwrap().set_consent(None);
    let evil = "<img src=x>\"'&";
    let person = json!({"name": evil, "email": "evil@example.com"});
    assert_eq!(walk.api(Method::POST, "/api/people", &token, Some(person)).await.status(), 201);
    let client = json!({"client_name": evil, "redirect_uris": [BACK], "token_endpoint_auth_method": "none"});
    let (_, made) = answer(walk.api(Method::POST, "/oauth/register", "", Some(client)).await).await;
    let consent = walk.authorize(&[("client_id", made["client_id"].as_str().unwrap())]).await.text().await.unwrap();
    let front = walk.api(Method::GET, "/", "", None).await.text().await.unwrap();
    let account = walk.api(Method::GET, "/account/tokens", "", None).await.text().await.unwrap();
    for (name, html) in [("consent", consent), ("front", front), ("account", account)] {
        assert!(html.contains("&lt;img src=x&gt;") && !html.contains("<img"), "{name}: {html}");
    }
}

#[tokio::test]
async fn an_api_token_is_shown_once_works_and_ends_when_removed() {
    let walk = Walk::start().await;
    let page = async || walk.api(Method::GET, "/account/tokens", "", None).await.text().await.unwrap();
    let ticket_value = ticket(&page().await);
    let make = [("ticket", ticket_value.as_str()), ("act", "make_token"), ("name", "Report"), ("account", "sam")];
    let html = walk.post("/account/tokens", &make).await.text().await.unwrap();
    let token = html.split("<code class=\"secret\">").nth(1).unwrap().split('<').next().unwrap();
    assert!(!page().await.contains(token), "shown again");
    assert_eq!(walk.post("/account/tokens", &make).await.status(), 400, "a ticket is good once");
    let authorization = format!("PlayToken {token}");
    assert_eq!(walk.api(Method::GET, "/api/people", &authorization, None).await.status(), 200);
    let html = page().await;
    let id = html.split("name=\"id\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let ticket_value = ticket(&html);
    let remove = [("ticket", ticket_value.as_str()), ("act", "remove_token"), ("id", id)];
    assert_eq!(walk.post("/account/tokens", &remove).await.status(), 200);
    assert_eq!(walk.api(Method::GET, "/api/people", &authorization, None).await.status(), 401);
}

#[tokio::test]
async fn a_page_can_be_answered_for_ten_minutes() {
    let walk = Walk::start().await;
    for (seconds, status) in [(599, 303), (600, 400)] {
        let page = walk.authorize(&[]).await.text().await.unwrap();
        walk.pass(seconds);
        let ticket_value = ticket(&page);
        let allow = [("ticket", ticket_value.as_str()), ("account", "robin"), ("decision", "allow")];
        assert_eq!(walk.post("/oauth/authorize", &allow).await.status(), status, "after {seconds} s");
    }
}

#[tokio::test]
async fn of_very_many_open_pages_the_oldest_is_forgotten() {
    let walk = Walk::start().await;
    let old = ticket(&walk.authorize(&[]).await.text().await.unwrap());
    walk.pass(1);
    let mut newest = String::new();
    for _ in 0..500 {
        newest = ticket(&walk.authorize(&[]).await.text().await.unwrap());
    }
    let allow = async |ticket: &str| {
        let fields = [("ticket", ticket), ("account", "robin"), ("decision", "allow")];
        walk.post("/oauth/authorize", &fields).await.status().is_redirection()
    };
    assert!(!allow(&old).await, "it is still kept");
    assert!(allow(&newest).await);
}

#[tokio::test]
async fn what_an_account_allowed_is_withdrawn() {
    let walk = Walk::start().await;
    let (robin, refresh) = walk.tokens(Account::Robin).await;
    let (sam, _) = walk.tokens(Account::Sam).await;
    let page = walk.api(Method::GET, "/account/tokens", "", None).await.text().await.unwrap();
    assert!(page.contains("Withdraw what Robin Admin allowed") && page.contains("Withdraw what Sam Staff allowed"));
    let ticket_value = ticket(&page);
    let withdraw = [("ticket", ticket_value.as_str()), ("act", "withdraw"), ("account", "robin")];
    let page = walk.post("/account/tokens", &withdraw).await.text().await.unwrap();
    assert!(!page.contains("Withdraw what Robin Admin allowed") && page.contains("Withdraw what Sam Staff allowed"));
    let asked = async |token: &str| walk.api(Method::GET, "/api/people", token, None).await.status().as_u16();
    assert_eq!((asked(&robin).await, asked(&sam).await), (401, 200));
    let form = [("grant_type", "refresh_token"), ("refresh_token", refresh.as_str()), ("client_id", "flowdeck-cli")];
    assert_eq!(walk.post("/oauth/token", &form).await.status(), 400, "nor is it renewed");
}

/// WCAG 2.2, 1.4.3: text has a contrast of at least 4.5 to 1; 1.4.11: the edges of fields at least 3 to 1.
#[tokio::test]
async fn colours_have_enough_contrast_in_both_schemes() {
    let walk = Walk::start().await;
    let css = walk.api(Method::GET, "/style.css", "", None).await.text().await.unwrap();
    let schemes: Vec<&str> = css.split(":root {").skip(1).map(|part| part.split('}').next().unwrap()).collect();
    assert_eq!(schemes.len(), 2, "light and dark");
    for scheme in schemes {
        let colour = |name: &str| {
            let text = scheme.split(&format!("--{name}: #")).nth(1).unwrap().split(';').next().unwrap().to_owned();
            let text = if text.len() == 3 { text.chars().flat_map(|c| [c, c]).collect() } else { text };
            [0, 2, 4].map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        };
        let rows = [
            ("ink", "paper", 4.5),
            ("ink", "ground", 4.5),
            ("ink", "tint", 4.5),
            ("soft", "paper", 4.5),
            ("soft", "ground", 4.5),
            ("soft", "tint", 4.5),
            ("accent", "ground", 4.5),
            ("on-accent", "accent", 4.5),
            ("warn", "paper", 4.5),
            ("edge", "paper", 3.0),
            ("accent", "paper", 3.0),
        ];
        for (fore, back, least) in rows {
            let contrast = contrast(colour(fore), colour(back));
            assert!(contrast >= least, "{fore} on {back}: {contrast:.2}");
        }
    }
}

fn contrast(one: [u8; 3], other: [u8; 3]) -> f64 {
    let light = |rgb: [u8; 3]| {
        let [r, g, b] = rgb.map(|byte| {
            let part = f64::from(byte) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    };
    let (one, other) = (light(one), light(other));
    (one.max(other) + 0.05) / (one.min(other) + 0.05)
}
