//! The four operations and rounding.
//!
//! Must never divide by zero.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Number, Text};
use flowdeck_model::{Fault, Fields};

use crate::call::Call;
use crate::function::{Card, Eval, card};
use crate::value;

pub(super) fn cards() -> Vec<Card> {
    let many = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .number("a", "number 1", "The first number.")
            .or(0)
            .number("b", "number 2", "The second number.")
            .or(0)
            .more(Number)
            .gives("output", "", Number, "The result.")
            .help("Null counts as 0.")
    };
    vec![
        many("math/add", "Add", "Adds numbers.", add)
            .example(r#"{"a":2,"b":"3","c":0.5}"#, r#"{"output":5.5}"#)
            .example(r#"{"a":null,"b":3}"#, r#"{"output":3}"#)
            .fails(r#"{"a":"x","b":3}"#, "must be number")
            .decided("What does a missing number count as?", "0, also in Multiply."),
        many("math/multiply", "Multiply", "Multiplies numbers.", multiply)
            .example(r#"{"a":1656375171,"b":1000}"#, r#"{"output":1656375171000}"#)
            .fails(r#"{"a":1e200,"b":1e200}"#, "too large"),
        card("math/subtract", "Subtract", "Takes one number away from another.", subtract)
            .number("a", "number", "The number to begin with.")
            .or(0)
            .number("b", "subtract", "The number to take away.")
            .or(0)
            .gives("output", "", Number, "a − b.")
            .example(r#"{"a":24,"b":2.5}"#, r#"{"output":21.5}"#),
        card("math/divide", "Divide", "Divides one number by another.", divide)
            .number("a", "Number", "The number to divide.")
            .or(0)
            .number("b", "Divided by", "The number to divide by.")
            .or(0)
            .number(
                "decimals",
                "Number of decimal points",
                "Digits after the point, 0 to 15; not rounded where not set.",
            )
            .gives("output", "Result as a decimal", Number, "a / b, rounded.")
            .gives("percentage", "Result as a percentage (%)", Text, "a / b in percent, rounded, with the sign %.")
            .example(r#"{"a":1,"b":3,"decimals":2}"#, r#"{"output":0.33,"percentage":"33.33%"}"#)
            .example(r#"{"a":1,"b":4}"#, r#"{"output":0.25,"percentage":"25%"}"#)
            .fails(r#"{"a":1,"b":0}"#, "divided by zero")
            .decided("What does dividing by zero do?", "It is an error.")
            .decided(
                "How is the percentage of Divide written?",
                "The hundredfold, rounded to the same number of digits, then `%`: `33.33%`.",
            ),
        one("math/round", "Round", "Rounds to the nearest whole number.", round)
            .number("decimals", "", "Digits after the point to keep, 0 to 15.")
            .or(0)
            .help("Halves are rounded up, as in JavaScript: 2.5 to 3, -2.5 to -2.")
            .example(r#"{"a":2.5}"#, r#"{"output":3}"#)
            .example(r#"{"a":-2.5}"#, r#"{"output":-2}"#)
            .example(r#"{"a":0.49999999999999994}"#, r#"{"output":0}"#)
            .example(r#"{"a":4503599627370497}"#, r#"{"output":4503599627370497}"#)
            .example(r#"{"a":3.14159,"decimals":2}"#, r#"{"output":3.14}"#),
        one("math/ceil", "Round Up", "Rounds up to a whole number.", ceil)
            .example(r#"{"a":10.0007}"#, r#"{"output":11}"#)
            .example(r#"{"a":-1.5}"#, r#"{"output":-1}"#),
        one("math/floor", "Round Down", "Rounds down to a whole number.", floor)
            .example(r#"{"a":-1.5}"#, r#"{"output":-2}"#),
        one("math/abs", "Absolute", "Takes the sign away from a number.", abs)
            .example(r#"{"a":-4}"#, r#"{"output":4}"#),
    ]
}

/// A card of one number.
pub(super) fn one(name: &str, title: &str, summary: &str, eval: Eval) -> Card {
    card(name, title, summary, eval).number("a", "number", "The number.").or(0).gives(
        "output",
        "",
        Number,
        "The result.",
    )
}

/// The result of a number card.
pub(super) fn give(number: f64) -> Result<Fields, Fault> {
    Ok(Fields::one("output", value::of_number(number)?))
}

/// A number; null is 0.
pub(super) fn number(call: &Call<'_>, key: &str) -> Result<f64, Fault> {
    Ok(call.number(key)?.unwrap_or(0.0))
}

/// The numbers of `a`, `b` and the inputs that the user added.
fn all(call: &Call<'_>) -> Result<Vec<f64>, Fault> {
    call.and_more(&["a", "b"]).map(|(key, _)| number(call, key)).collect()
}

fn add(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(all(call)?.iter().sum())
}

fn multiply(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(all(call)?.iter().product())
}

fn subtract(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(number(call, "a")? - number(call, "b")?)
}

/// Rounds to digits after the point, halves up.
pub(super) fn rounded(number: f64, digits: i64) -> f64 {
    let factor = 10f64.powi(i32::try_from(digits.clamp(0, 15)).unwrap_or(0));
    let scaled = number * factor;
    if scaled.abs() < 9e15 { half_up(scaled) / factor } else { number }
}

/// The nearest whole number, halves up. Adding a half first would round 0.49999999999999994 to 1.
pub(super) fn half_up(number: f64) -> f64 {
    let below = number.floor();
    if number - below >= 0.5 { below + 1.0 } else { below }
}

fn divide(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (a, b) = (number(call, "a")?, number(call, "b")?);
    if b == 0.0 {
        return Err(Fault::bad_input(format!("{a} cannot be divided by zero")).remedy("check the divisor first"));
    }
    let digits = call.whole("decimals")?;
    let round = |n: f64| digits.map_or(n, |digits| rounded(n, digits));
    let mut out = give(round(a / b))?;
    let percentage = value::of_number(round(a / b * 100.0))?;
    out.set("percentage", format!("{}%", value::text(&percentage)));
    Ok(out)
}

fn round(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(rounded(number(call, "a")?, call.whole("decimals")?.unwrap_or(0)))
}

fn ceil(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(number(call, "a")?.ceil())
}

fn floor(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(number(call, "a")?.floor())
}

fn abs(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(number(call, "a")?.abs())
}
