//! Formula: an expression over numbers.
//!
//! Must never go deeper than the limit or loop beyond the text.
//! Tests: below and the examples here.

use flowdeck_model::FieldType::{Any, Number};
use flowdeck_model::{Fault, FaultCode, Fields};

use super::basic::{give, half_up};
use crate::call::Call;
use crate::function::{Card, card};
use crate::limits::{DEPTH_MAX, FORMULA_BYTES_MAX};
use crate::value;

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("math/expression", "Formula", "Computes a formula.", formula)
            .text("_text_", "formula", "The formula. `{{{name}}}` stands for the number of the input `name`.").required()
            .more(Any)
            .gives("output", "", Number, "The result.")
            .help("Operators, strongest first: `^` (power, from the right), sign, `* / %`, `+ -`. Constants `pi` and `e`. Functions: abs, ceil, floor, round, trunc, sign, sqrt, cbrt, exp, ln, log (base 10), log2, sin, cos, tan, asin, acos, atan, and of several numbers min, max, sum, avg, pow, mod. Null counts as 0.")
            .example(r#"{"_text_":"({{{a}}} + 11644473600000) * 10000","a":1656375171000}"#, r#"{"output":133008487710000000}"#)
            .example(r#"{"_text_":"{{{a}}} *(256)^3 + {{{b}}}","a":10,"b":"1"}"#, r#"{"output":167772161}"#)
            .example(r#"{"_text_":"-2^2 + max(1, 7 % 4) / 2"}"#, r#"{"output":-2.5}"#)
            .fails(r#"{"_text_":"1 / (2 - 2)"}"#, "divided by zero")
            .fails(r#"{"_text_":"2 +"}"#, "ends too early")
            .fails(r#"{"_text_":"(-8)^0.5"}"#, "is not a number")
            .fails(r#"{"_text_":"2 x 3"}"#, "`x 3` is not expected")
            .decided("Which functions does Formula know?", "abs, ceil, floor, round, trunc, sign, sqrt, cbrt, exp, ln, log, log2, sin, cos, tan, asin, acos, atan, min, max, sum, avg, pow, mod.")
            .decided("How strong is a sign before a power in Formula?", "Weaker: `-2^2` is -4, as in mathematics."),
    ]
}

fn formula(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("_text_");
    if text.len() > FORMULA_BYTES_MAX {
        return Err(Fault::new(
            FaultCode::LimitReached,
            format!("the formula is longer than {FORMULA_BYTES_MAX} bytes"),
        ));
    }
    let mut parser = Parser { rest: &text, call, depth: 0 };
    let result = parser.sum()?;
    parser.end()?;
    give(result)
}

/// Computes while it reads.
struct Parser<'p> {
    rest: &'p str,
    call: &'p Call<'p>,
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<char> {
        self.rest = self.rest.trim_start();
        self.rest.chars().next()
    }

    fn take(&mut self, wanted: &str) -> bool {
        self.next();
        self.rest.strip_prefix(wanted).map(|rest| self.rest = rest).is_some()
    }

    fn wrong(&self) -> Fault {
        if self.rest.trim().is_empty() {
            return Fault::bad_input("the formula ends too early").remedy("check its operators and brackets");
        }
        Fault::bad_input(format!("`{}` is not expected in the formula", value::short(self.rest.trim_start())))
            .remedy("see the card's page for what a formula may contain")
    }

    fn end(&mut self) -> Result<(), Fault> {
        if self.next().is_none() { Ok(()) } else { Err(self.wrong()) }
    }

    fn inside<T>(&mut self, work: impl FnOnce(&mut Self) -> Result<T, Fault>) -> Result<T, Fault> {
        if self.depth >= DEPTH_MAX {
            return Err(Fault::new(FaultCode::LimitReached, format!("the formula nests deeper than {DEPTH_MAX}")));
        }
        self.depth += 1;
        let result = work(self);
        self.depth -= 1;
        result
    }

    fn sum(&mut self) -> Result<f64, Fault> {
        let mut left = self.product()?;
        loop {
            if self.take("+") {
                left += self.product()?;
            } else if self.take("-") {
                left -= self.product()?;
            } else {
                return Ok(left);
            }
        }
    }

    fn product(&mut self) -> Result<f64, Fault> {
        let mut left = self.signed()?;
        loop {
            if self.take("*") {
                left *= self.signed()?;
            } else if self.take("/") {
                left /= divisor(self.signed()?)?;
            } else if self.take("%") {
                left %= divisor(self.signed()?)?;
            } else {
                return Ok(left);
            }
        }
    }

    fn signed(&mut self) -> Result<f64, Fault> {
        if self.take("-") {
            return self.inside(Self::signed).map(|n| -n);
        }
        if self.take("+") {
            return self.inside(Self::signed);
        }
        let base = self.atom()?;
        if self.take("^") { Ok(base.powf(self.inside(Self::signed)?)) } else { Ok(base) }
    }

    fn atom(&mut self) -> Result<f64, Fault> {
        if self.take("{{{") {
            let close = self.rest.find("}}}").ok_or_else(|| self.wrong())?;
            let name = self.rest[..close].trim();
            self.rest = &self.rest[close + 3..];
            if !self.call.inputs.has(name) {
                return Err(Fault::bad_input(format!("the formula names `{name}`, which is no input of the card")));
            }
            return Ok(self.call.number(name)?.unwrap_or(0.0));
        }
        if self.take("(") {
            let inner = self.inside(Self::sum)?;
            return if self.take(")") { Ok(inner) } else { Err(self.wrong()) };
        }
        match self.next() {
            Some(c) if c.is_ascii_digit() || c == '.' => self.number(),
            Some(c) if c.is_ascii_alphabetic() => self.named(),
            _ => Err(self.wrong()),
        }
    }

    fn number(&mut self) -> Result<f64, Fault> {
        let bytes = self.rest.as_bytes();
        let mut end = bytes.iter().take_while(|b| b.is_ascii_digit() || **b == b'.').count();
        if matches!(bytes.get(end), Some(b'e' | b'E')) {
            let sign = usize::from(matches!(bytes.get(end + 1), Some(b'-' | b'+')));
            let power = bytes.iter().skip(end + 1 + sign).take_while(|b| b.is_ascii_digit()).count();
            end += if power > 0 { 1 + sign + power } else { 0 };
        }
        let number = self.rest[..end].parse().map_err(|_| self.wrong())?;
        self.rest = &self.rest[end..];
        Ok(number)
    }

    fn named(&mut self) -> Result<f64, Fault> {
        let end = self.rest.bytes().take_while(u8::is_ascii_alphanumeric).count();
        let before = self.rest;
        let name = self.rest[..end].to_ascii_lowercase();
        self.rest = &self.rest[end..];
        if !self.take("(") {
            return match name.as_str() {
                "pi" => Ok(std::f64::consts::PI),
                "e" => Ok(std::f64::consts::E),
                _ => {
                    self.rest = before;
                    Err(self.wrong())
                }
            };
        }
        let mut arguments = vec![self.inside(Self::sum)?];
        while self.take(",") {
            arguments.push(self.inside(Self::sum)?);
        }
        if !self.take(")") {
            return Err(self.wrong());
        }
        apply(&name, &arguments)
    }
}

fn divisor(number: f64) -> Result<f64, Fault> {
    if number == 0.0 { Err(Fault::bad_input("in the formula a number is divided by zero")) } else { Ok(number) }
}

fn apply(name: &str, numbers: &[f64]) -> Result<f64, Fault> {
    #[allow(clippy::cast_precision_loss)]
    Ok(match (name, numbers) {
        ("abs", [n]) => n.abs(),
        ("ceil", [n]) => n.ceil(),
        ("floor", [n]) => n.floor(),
        ("round", [n]) => half_up(*n),
        ("trunc", [n]) => n.trunc(),
        ("sign", [n]) => {
            if *n == 0.0 {
                0.0
            } else {
                n.signum()
            }
        }
        ("sqrt", [n]) if *n >= 0.0 => n.sqrt(),
        ("cbrt", [n]) => n.cbrt(),
        ("exp", [n]) => n.exp(),
        ("ln", [n]) if *n > 0.0 => n.ln(),
        ("log", [n]) if *n > 0.0 => n.log10(),
        ("log2", [n]) if *n > 0.0 => n.log2(),
        ("sin", [n]) => n.sin(),
        ("cos", [n]) => n.cos(),
        ("tan", [n]) => n.tan(),
        ("asin", [n]) if n.abs() <= 1.0 => n.asin(),
        ("acos", [n]) if n.abs() <= 1.0 => n.acos(),
        ("atan", [n]) => n.atan(),
        ("pow", [a, b]) => a.powf(*b),
        ("mod", [a, b]) => a % divisor(*b)?,
        ("min", all) => all.iter().copied().fold(f64::INFINITY, f64::min),
        ("max", all) => all.iter().copied().fold(f64::NEG_INFINITY, f64::max),
        ("sum", all) => all.iter().sum(),
        ("avg", all) => all.iter().sum::<f64>() / all.len() as f64,
        _ => {
            let list: Vec<String> = numbers.iter().map(ToString::to_string).collect();
            return Err(Fault::bad_input(format!("the formula cannot compute `{name}({})`", list.join(", ")))
                .remedy("see the card's page for the functions of a formula"));
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use flowdeck_model::{Ambient, CardDecl, CardName, Millis};

    fn compute(text: &str) -> Result<f64, Fault> {
        let decl = CardDecl::function(CardName::new("math/expression").unwrap(), "Formula", "F.");
        let ambient = Ambient { now: Millis(0), seed: 0 };
        let mut call = Call::new(&decl, Fields::one("_text_", text), &ambient);
        formula(&mut call).map(|out| out.get("output").as_f64().unwrap())
    }

    #[test]
    fn computes_by_the_usual_rules() {
        for (text, expected) in [
            ("1 + 2 * 3", 7.0),
            ("(1+2)*3", 9.0),
            ("2^3^2", 512.0),
            ("-2^2", -4.0),
            ("2^-1", 0.5),
            ("10 - 4 - 3", 3.0),
            ("24 / 4 / 2", 3.0),
            ("1.5e3 + .5", 1500.5),
            ("ROUND(2.5) + sqrt(16)", 7.0),
            ("--3", 3.0),
            ("2 * pi / pi", 2.0),
        ] {
            assert_eq!(compute(text).unwrap(), expected, "{text}");
        }
        for text in ["", "()", "1 2", "foo(1)", "x", "min()", "1..2", "{{{a}}}", "sqrt(-1)", "9e999"] {
            assert!(compute(text).is_err(), "{text}");
        }
    }

    #[test]
    fn deep_and_long_formulas_are_refused() {
        assert_eq!(compute(&"(".repeat(4000)).unwrap_err().code, FaultCode::LimitReached);
        assert_eq!(compute(&"-".repeat(4000)).unwrap_err().code, FaultCode::LimitReached);
        assert_eq!(compute(&"1+".repeat(8000)).unwrap_err().code, FaultCode::LimitReached);
    }
}
