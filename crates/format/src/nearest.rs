//! Suggests the known word that a wrong word was probably meant to be.
//!
//! Must never suggest something so far off that it would mislead.
//! Tests: below.

/// The known word nearest to `word`, if it is near enough to be a slip.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if word.len() > 200 {
        return None;
    }
    let lower = word.to_lowercase();
    known
        .into_iter()
        .map(|candidate| {
            let other = candidate.to_lowercase();
            let mut score = strsim::normalized_damerau_levenshtein(&lower, &other);
            // `suspendUser` for `okta/suspendUser`: the right end without its family.
            if let (Some((_, tail)), None) = (other.rsplit_once('/'), lower.find('/')) {
                score = score.max(strsim::normalized_damerau_levenshtein(&lower, tail));
            }
            (score, candidate)
        })
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// `did you mean …?` for a near word, else the known words where they are few.
pub(crate) fn suggestion<'a>(word: &str, known: impl IntoIterator<Item = &'a str> + Clone) -> Option<String> {
    if let Some(near) = nearest(word, known.clone()) {
        return Some(format!("did you mean `{near}`?"));
    }
    let all: Vec<_> = known.into_iter().collect();
    match all.len() {
        0 => None,
        1..=24 => Some(format!("known here: {}", all.join(", "))),
        n => Some(format!("known here: {}, and {} more", all[..20].join(", "), n - 20)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_nonsense_is_not() {
        let cards = ["okta/suspendUser", "okta/listUsers", "date/diff"];
        assert_eq!(nearest("okta/suspenduser", cards), Some("okta/suspendUser"));
        assert_eq!(nearest("suspendUsr", cards), Some("okta/suspendUser"));
        assert_eq!(nearest("zzzz", cards), None);
        assert_eq!(suggestion("zzzz", ["a", "b"]).as_deref(), Some("known here: a, b"));
    }
}
