//! More numbers: powers, extremes, sums, random numbers, number texts.
//!
//! Must never guess the form of a number.
//! Tests: the examples here.

use flowdeck_model::FieldType::{Number, Text};
use flowdeck_model::{Fault, Fields, Value};
use rand::Rng;

use super::basic::{give, number, one, rounded};
use crate::call::Call;
use crate::function::{Card, card};
use crate::value;

pub(super) fn cards() -> Vec<Card> {
    let two = |name, title, summary, eval| {
        one(name, title, summary, eval).number("b", "number 2", "The second number.").required()
    };
    let list = |name, title, summary, eval| {
        card(name, title, summary, eval)
            .input("list", "", Number.list(), "The numbers; null items are left out.")
            .required()
    };
    vec![
        two("math/mod", "Modulo", "Gives the rest of a division.", modulo)
            .help("The rest has the sign of the first number, as in JavaScript.")
            .example(r#"{"a":-7,"b":3}"#, r#"{"output":-1}"#)
            .fails(r#"{"a":7,"b":0}"#, "divided by zero"),
        two("math/pow", "Power", "Raises a number to a power.", pow)
            .example(r#"{"a":2,"b":10}"#, r#"{"output":1024}"#)
            .fails(r#"{"a":10,"b":999}"#, "too large"),
        one("math/sqrt", "Square Root", "Gives the square root of a number.", sqrt)
            .example(r#"{"a":9}"#, r#"{"output":3}"#)
            .fails(r#"{"a":-1}"#, "no square root"),
        list("math/min", "Minimum", "Finds the smallest number of a list.", min)
            .gives("output", "", Number, "The smallest; null for an empty list.")
            .example(r#"{"list":[3,"1",2]}"#, r#"{"output":1}"#),
        list("math/max", "Maximum", "Finds the largest number of a list.", max)
            .gives("output", "", Number, "The largest; null for an empty list.")
            .example(r#"{"list":[3,1,null]}"#, r#"{"output":3}"#)
            .example(r#"{"list":[]}"#, r#"{"output":null}"#),
        list("math/sum", "Sum", "Adds the numbers of a list.", sum)
            .gives("output", "", Number, "The sum; 0 for an empty list.")
            .example(r#"{"list":[1,2.5,null]}"#, r#"{"output":3.5}"#)
            .fails(r#"{"list":[1,[2]]}"#, "must be number"),
        list("math/average", "Average", "Gives the mean of the numbers of a list.", average)
            .gives("output", "", Number, "The mean; null for an empty list.")
            .example(r#"{"list":[1,2,6]}"#, r#"{"output":3}"#),
        card("math/random", "Random Integer", "Gives a random whole number.", random)
            .number("a", "Greater than or equal to", "The smallest number.")
            .or(0)
            .number("b", "Less than", "The number that is not reached.")
            .or(0)
            .gives("output", "", Number, "The number.")
            .help("A step that is computed again gives the same number.")
            .observes()
            .example(r#"{"a":4,"b":5}"#, r#"{"output":4}"#)
            .fails(r#"{"a":5,"b":5}"#, "must be less than")
            .decided("What does Random Integer do if no number lies between the bounds?", "It is an error."),
        card("math/parse", "Text to Number", "Reads a number at the start of a text.", parse)
            .text("string", "text", "The text.")
            .required()
            .gives("output", "", Number, "The number; null where the text does not begin with one.")
            .help("As JavaScript's `parseFloat`: white space is passed over, and what follows the number too.")
            .example(r#"{"string":" 12.5 kg"}"#, r#"{"output":12.5}"#)
            .example(r#"{"string":"kg"}"#, r#"{"output":null}"#),
        one("math/format", "Number to Text", "Writes a number with a fixed number of digits after the point.", format)
            .number("decimals", "", "Digits after the point, 0 to 15; as many as there are where not set.")
            .text("thousands", "", "What stands between groups of three digits.")
            .or("")
            .text("point", "", "What stands for the decimal point.")
            .or(".")
            .gives("text", "", Text, "The text.")
            .example(
                r#"{"a":1234567.891,"decimals":2,"thousands":","}"#,
                r#"{"text":"1,234,567.89","output":1234567.89}"#,
            )
            .example(r#"{"a":-5,"decimals":1,"point":","}"#, r#"{"text":"-5,0","output":-5}"#),
    ]
}

fn modulo(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (a, b) = (number(call, "a")?, number(call, "b")?);
    if b == 0.0 {
        return Err(Fault::bad_input(format!("{a} cannot be divided by zero")));
    }
    give(a % b)
}

fn pow(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(number(call, "a")?.powf(number(call, "b")?))
}

fn sqrt(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let a = number(call, "a")?;
    if a < 0.0 {
        return Err(Fault::bad_input(format!("{a} has no square root")));
    }
    give(a.sqrt())
}

fn numbers(call: &Call<'_>) -> Result<Vec<f64>, Fault> {
    let items = call.list("list")?.iter().enumerate().filter(|(_, v)| !v.is_null());
    items
        .map(|(i, v)| {
            value::number(v)
                .ok_or_else(|| Fault::bad_input(format!("item {i} must be number, but it is {}", value::word(v))))
        })
        .collect()
}

fn of_list(call: &Call<'_>, fold: fn(f64, f64) -> f64) -> Result<Fields, Fault> {
    let result = numbers(call)?.into_iter().reduce(fold);
    result.map_or_else(|| Ok(Fields::one("output", Value::Null)), give)
}

fn min(call: &mut Call<'_>) -> Result<Fields, Fault> {
    of_list(call, f64::min)
}

fn max(call: &mut Call<'_>) -> Result<Fields, Fault> {
    of_list(call, f64::max)
}

fn sum(call: &mut Call<'_>) -> Result<Fields, Fault> {
    give(numbers(call)?.iter().sum())
}

fn average(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let numbers = numbers(call)?;
    if numbers.is_empty() {
        return Ok(Fields::one("output", Value::Null));
    }
    #[allow(clippy::cast_precision_loss)]
    give(numbers.iter().sum::<f64>() / numbers.len() as f64)
}

fn random(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let (a, b) = (number(call, "a")?.ceil(), number(call, "b")?.ceil());
    if a >= b || a.abs() > 9e15 || b.abs() > 9e15 {
        return Err(Fault::bad_input(format!("`Greater than or equal to` ({a}) must be less than `Less than` ({b})")));
    }
    #[allow(clippy::cast_possible_truncation)]
    Ok(Fields::one("output", call.random().random_range(a as i64..b as i64)))
}

fn parse(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    let text = text.trim_start();
    let bytes = text.as_bytes();
    let mut end = usize::from(matches!(bytes.first(), Some(b'-' | b'+')));
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    end += digits(end);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
        let power = if end + 1 + sign <= bytes.len() { digits(end + 1 + sign) } else { 0 };
        end += if power > 0 { 1 + sign + power } else { 0 };
    }
    match text[..end].parse::<f64>().ok().filter(|n| n.is_finite()) {
        Some(number) => give(number),
        None => Ok(Fields::one("output", Value::Null)),
    }
}

fn format(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let number = number(call, "a")?;
    let digits = call.whole("decimals")?.map(|d| d.clamp(0, 15));
    let number = digits.map_or(number, |digits| rounded(number, digits));
    let plain = match digits {
        Some(digits) => format!("{number:.*}", usize::try_from(digits).unwrap_or(0)),
        None => format!("{number}"),
    };
    let (whole, rest) = plain.split_once('.').unwrap_or((&plain, ""));
    let (sign, whole) = whole.strip_prefix('-').map_or(("", whole), |w| ("-", w));
    let thousands = call.text("thousands");
    let mut text = String::from(sign);
    for (i, digit) in whole.chars().enumerate() {
        if i > 0 && (whole.len() - i) % 3 == 0 {
            text.push_str(&thousands);
        }
        text.push(digit);
    }
    if !rest.is_empty() {
        text.push_str(&call.text("point"));
        text.push_str(rest);
    }
    crate::limits::text(text.len())?;
    let mut out = give(number)?;
    out.set("text", text);
    Ok(out)
}
