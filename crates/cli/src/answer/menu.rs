//! The line of choices at a connect prompt.
//!
//! Must never offer what the method cannot do.
//! Tests: below.

use crate::answer::Ask;
use crate::screen::style::{Style, width};

/// What a person can choose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice {
    /// Consent in a browser on this machine.
    Open,
    /// A code typed on another device.
    Device,
    /// A browser anywhere; its last address is pasted back.
    Paste,
    /// The form is all there is.
    Form,
    /// A connection that is there.
    Use,
    /// The one at this place of the list.
    These(usize),
    /// The next way to connect.
    Other,
    /// Not now.
    Later,
    /// "Need help?"
    Help,
}

/// The choices for one method of an ask; the first is taken at Enter.
pub(crate) fn choices(ask: &Ask, method: usize) -> Vec<(Choice, char, String)> {
    let mut all = Vec::new();
    if ask.choose && !ask.others.is_empty() {
        all.push((Choice::Use, 'u', "[u]se one of your connections".to_owned()));
    }
    if let Some(current) = ask.methods.get(method) {
        if current.browser {
            all.push((Choice::Open, 'o', "[o]pen browser".into()));
        }
        if current.device {
            all.push((Choice::Device, 'd', "[d]evice code".into()));
        }
        if current.browser {
            all.push((Choice::Paste, 'p', "[p]aste".into()));
        }
        if !current.browser && !current.device {
            all.push((Choice::Form, 'f', "[f]ill in the form".into()));
        }
    }
    if ask.methods.len() > 1 {
        let next = &ask.methods[(method + 1) % ask.methods.len()];
        all.push((Choice::Other, 'm', format!("[m]ethod: {}", next.title)));
    }
    if !ask.choose && !ask.others.is_empty() {
        all.push((Choice::Use, 'u', "[u]se another".into()));
    }
    all.push((Choice::Later, 'l', "[l]ater".into()));
    all.push((Choice::Help, '?', "[?] help".into()));
    all
}

/// The line, broken between choices where it is narrow.
pub(crate) fn line(choices: &[(Choice, char, String)], style: Style) -> String {
    let mut out = String::new();
    let mut used = 0;
    for (i, (_, _, text)) in choices.iter().enumerate() {
        let gap = if i == 0 { 0 } else { 2 };
        if i == 0 || used + gap + width(text) > style.width.saturating_sub(1) {
            out.push_str(if i == 0 { "  " } else { "\n  " });
            used = 2;
        } else {
            out.push_str("  ");
            used += gap;
        }
        used += width(text);
        match text.split_once(']') {
            Some((key, rest)) => out.push_str(&format!("{}{rest}", style.key(&format!("{key}]")))),
            None => out.push_str(text),
        }
    }
    out.push('\n');
    out
}

/// What was typed: a letter, or the word it begins; nothing takes the first choice.
pub(crate) fn parse(choices: &[(Choice, char, String)], typed: &str) -> Option<Choice> {
    let typed = typed.trim().to_lowercase();
    let Some(first) = typed.chars().next() else { return choices.first().map(|c| c.0) };
    let word = |text: &str| text.replace(['[', ']'], "").to_lowercase();
    choices
        .iter()
        .find(|(_, key, text)| first == *key && (typed.chars().count() == 1 || word(text).starts_with(&typed)))
        .map(|c| c.0)
        .or_else(|| (typed == "help").then_some(Choice::Help))
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck::model::connect::PromptMethod;
    use flowdeck::model::{AppName, Nickname};

    fn method(key: &str, browser: bool, device: bool) -> PromptMethod {
        PromptMethod {
            key: key.into(),
            title: key.into(),
            fields: Vec::new(),
            known: Default::default(),
            help: String::new(),
            redirect_uri: None,
            browser,
            device,
        }
    }

    fn ask(methods: Vec<PromptMethod>) -> Ask {
        Ask {
            app: AppName::new("playground").unwrap(),
            title: "Playground".into(),
            message: String::new(),
            waiting: 1,
            scopes: Vec::new(),
            scope_words: Default::default(),
            nickname: Nickname::new("playground").unwrap(),
            methods,
            others: Vec::new(),
            prompt: None,
            connection: None,
            choose: false,
        }
    }

    #[test]
    fn only_what_the_method_can_do_is_offered() {
        let ask = ask(vec![method("oauth", true, true), method("token", false, false)]);
        assert_eq!(
            line(&choices(&ask, 0), Style::PLAIN),
            "  [o]pen browser  [d]evice code  [p]aste  [m]ethod: token  [l]ater  [?] help\n"
        );
        assert_eq!(line(&choices(&ask, 1), Style::PLAIN), "  [f]ill in the form  [m]ethod: oauth  [l]ater  [?] help\n");
        let narrow = line(&choices(&ask, 0), Style { width: 41, ..Style::PLAIN });
        assert_eq!(narrow, "  [o]pen browser  [d]evice code  [p]aste\n  [m]ethod: token  [l]ater  [?] help\n");
    }

    #[test]
    fn letters_words_and_enter_choose() {
        let all = choices(&ask(vec![method("oauth", true, true)]), 0);
        for (typed, choice) in [
            ("", Some(Choice::Open)),
            ("o", Some(Choice::Open)),
            (" Open ", Some(Choice::Open)),
            ("device", Some(Choice::Device)),
            ("?", Some(Choice::Help)),
            ("help", Some(Choice::Help)),
            ("l", Some(Choice::Later)),
            ("u", None),
            ("off", None),
            ("x", None),
        ] {
            assert_eq!(parse(&all, typed), choice, "{typed:?}");
        }
    }
}
