//! What is said of a card that nothing here offers: its app, the card, and what a person can do.
//!
//! Must never call an app missing that is there and only lacks the card.
//! Tests: `tests/import_unknown.rs`.

use flowdeck_model::{AppName, CardName, Catalogue};

/// Why nothing offers the card, and the way out. `of_app` is false for a function card, which has no app.
pub(crate) fn words(catalogue: &dyn Catalogue, card: &CardName, of_app: bool) -> (String, String) {
    let app = card.family();
    if !of_app {
        let why = format!("there is no function card `{card}` here");
        return (why, "put another card in its place (`flowdeck cards list`)".into());
    }
    if app.parse::<AppName>().is_ok_and(|name| catalogue.has_app(&name)) {
        let why = format!("the app `{app}` has no card `{card}` here");
        return (why, "add an app file of your own that offers it, or use the app's raw request".into());
    }
    let why = format!("no file here describes the app `{app}`, so its card `{card}` is not there");
    (why, format!("add an app file for `{app}` that offers it, or put another card in its place, such as `http/raw`"))
}
