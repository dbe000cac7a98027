//! One line for each export and scenario, and the totals.
//!
//! Must never count what was not run as passed.
//! Tests: below.

use std::collections::BTreeSet;

use serde_json::json;

use crate::known::Known;
use crate::sample::Verdict;
use crate::scenario::Outcome;

/// Most reasons shown on a line for people.
const SHOWN_MAX: usize = 3;

/// What was found so far.
#[derive(Debug)]
pub(crate) struct Report {
    json: bool,
    exports: usize,
    loaded: usize,
    came_back: usize,
    ran: usize,
    alike: usize,
    steps: usize,
    seen: BTreeSet<String>,
    scenarios: usize,
    passed: usize,
    advice: usize,
    advice_passed: usize,
    compared: BTreeSet<String>,
    known: Known,
    surprises: Vec<String>,
}

impl Report {
    pub(crate) fn new(json: bool, known: Known) -> Self {
        let (exports, loaded, came_back, ran, alike, steps) = (0, 0, 0, 0, 0, 0);
        let (scenarios, passed, advice, advice_passed) = (0, 0, 0, 0);
        Self {
            json,
            exports,
            loaded,
            came_back,
            ran,
            alike,
            steps,
            seen: BTreeSet::new(),
            scenarios,
            passed,
            advice,
            advice_passed,
            compared: BTreeSet::new(),
            known,
            surprises: Vec::new(),
        }
    }

    pub(crate) fn sample(&mut self, verdict: Verdict) {
        self.exports += 1;
        self.loaded += usize::from(verdict.unknown.is_empty());
        self.came_back += usize::from(verdict.round_trip.is_empty());
        self.ran += usize::from(verdict.runs.is_empty());
        self.alike += usize::from(verdict.native.is_empty());
        self.steps += verdict.steps;
        self.seen.insert(verdict.name.clone());
        let checks = verdict.checks();
        for (check, wrong) in checks {
            self.surprises.extend(self.known.disagrees(&verdict.name, check, wrong.is_empty()));
        }
        if self.json {
            let mut line = serde_json::to_value(&verdict).unwrap_or_default();
            line["type"] = json!("export");
            line["holds"] = json!(verdict.holds());
            println!("{line}");
            return;
        }
        let mark =
            |(letter, wrong): &(&str, &[String])| format!("{letter} {} ", if wrong.is_empty() { "ok" } else { "NO" });
        let marks: String = checks.iter().map(mark).collect();
        println!("{:55} {marks} {} flows, {} cards", verdict.name, verdict.flows, verdict.cards);
        for (letter, wrong) in checks {
            show(letter, wrong);
        }
    }

    pub(crate) fn scenario(&mut self, outcome: Outcome) {
        let (passed, advice) = (outcome.wrong.is_empty(), !outcome.doubts.is_empty());
        self.scenarios += 1;
        self.passed += usize::from(passed);
        self.advice += usize::from(advice);
        self.advice_passed += usize::from(advice && passed);
        self.compared.extend(outcome.compared.iter().cloned());
        if self.json {
            let mut line = serde_json::to_value(&outcome).unwrap_or_default();
            line["type"] = json!("scenario");
            line["holds"] = json!(passed);
            println!("{line}");
            return;
        }
        let mark = match (passed, advice) {
            (true, _) => "ok",
            (false, true) => "differs",
            (false, false) => "NO",
        };
        let doubts = if advice { format!("  advice: {}", outcome.doubts.join(", ")) } else { String::new() };
        println!("scenario {:30} {mark}{doubts}", outcome.id);
        show("-", &outcome.wrong);
    }

    /// All exports were looked at: what the list names besides is not there any more.
    pub(crate) fn whole(&mut self) {
        self.surprises.extend(self.known.gone(&self.seen));
    }

    /// Prints the totals. Answers whether all holds but what is known to fall short; scenarios that are advice may
    /// differ.
    pub(crate) fn close(self) -> bool {
        let firm = self.scenarios - self.advice;
        let firm_passed = self.passed - self.advice_passed;
        if self.json {
            println!(
                "{}",
                json!({"type": "totals", "exports": self.exports, "loaded": self.loaded, "round_trip": self.came_back,
                    "runs": self.ran, "native": self.alike, "native_steps": self.steps, "scenarios": self.scenarios, "passed": self.passed, "firm": firm,
                    "firm_passed": firm_passed, "advice": self.advice, "advice_passed": self.advice_passed,
                    "cards_compared": self.compared, "known": self.known.len(), "surprises": self.surprises})
            );
        } else {
            println!(
                "exports    (a) {0}/{4}  (b) {1}/{4}  (c) {2}/{4}  (n) {3}/{4}, {5} steps compared",
                self.loaded, self.came_back, self.ran, self.alike, self.exports, self.steps
            );
            println!(
                "scenarios  {}/{}; without doubt {firm_passed}/{firm}, advice {}/{}; {} sorts of cards compared",
                self.passed,
                self.scenarios,
                self.advice_passed,
                self.advice,
                self.compared.len()
            );
        }
        if !self.json {
            if self.known.len() > 0 {
                println!("{} checks are known to fall short (tests/corpus/known.json)", self.known.len());
            }
            self.surprises.iter().for_each(|line| println!("    {line}"));
        }
        self.surprises.is_empty() && firm == firm_passed
    }
}

fn show(letter: &str, wrong: &[String]) {
    for line in wrong.iter().take(SHOWN_MAX) {
        println!("    {letter} {line}");
    }
    if wrong.len() > SHOWN_MAX {
        println!("    {letter} and {} more (--json shows all)", wrong.len() - SHOWN_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcome(doubts: &[&str], wrong: &[&str]) -> Outcome {
        let own = |list: &[&str]| list.iter().map(|s| (*s).to_owned()).collect();
        Outcome {
            id: "s".into(),
            export: String::new(),
            doubts: own(doubts),
            marks: Vec::new(),
            wrong: own(wrong),
            compared: Vec::new(),
            ran: BTreeSet::new(),
        }
    }

    #[test]
    fn only_advice_may_differ() {
        let check = |outcomes: Vec<Outcome>| {
            let mut report = Report::new(true, Known::default());
            outcomes.into_iter().for_each(|o| report.scenario(o));
            report.close()
        };
        assert!(check(vec![outcome(&[], &[]), outcome(&["x"], &["differs"])]));
        assert!(!check(vec![outcome(&[], &["differs"])]));
    }

    #[test]
    fn an_export_that_falls_short_in_one_way_is_not_passed() {
        let mut report = Report::new(true, Known::default());
        report.sample(Verdict { runs: vec!["hangs".into()], ..Verdict::default() });
        assert!(!report.close());
    }
}
