//! Encodes and decodes texts, and makes random ones.
//!
//! Must never answer text that is not Unicode.
//! Tests: the examples here.

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use flowdeck_model::FieldType::Text;
use flowdeck_model::{Fault, Fields};
use rand::Rng;

use crate::call::Call;
use crate::function::{Card, card};
use crate::limits;

/// Letters and digits of random texts.
const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

pub(super) fn cards() -> Vec<Card> {
    let change = |name, title, summary, eval| {
        card(name, title, summary, eval).text("string", "text", "The text.").required().gives(
            "output",
            "",
            Text,
            "The new text.",
        )
    };
    vec![
        change("string/base64", "Base64", "Encodes a text (its UTF-8 bytes) as Base64.", base64)
            .example(r#"{"string":"user:pass"}"#, r#"{"output":"dXNlcjpwYXNz"}"#),
        change("string/base64Decode", "Base64 Decode", "Decodes Base64 to a text.", base64_decode)
            .help("White space is passed over; padding may be missing; the URL form with `-` and `_` is read too.")
            .example(r#"{"string":"IA=="}"#, r#"{"output":" "}"#)
            .example(r#"{"string":"Pz8_ IB"}"#, r#"{"output":"??? "}"#)
            .fails(r#"{"string":"a*b"}"#, "not Base64")
            .decided("What does Base64 Decode do with bytes that are not text?", "Each broken byte becomes the replacement character U+FFFD, as in JavaScript."),
        change("string/hex", "Hex Encode", "Encodes a text (its UTF-8 bytes) as hexadecimal digits.", hex_encode)
            .example(r#"{"string":"Añ"}"#, r#"{"output":"41c3b1"}"#),
        change("string/hexDecode", "Hex Decode", "Decodes hexadecimal digits to a text.", hex_decode)
            .example(r#"{"string":"41c3b1"}"#, r#"{"output":"Añ"}"#)
            .fails(r#"{"string":"4"}"#, "not hexadecimal"),
        change("string/htmlEncode", "HTML Encode", "Writes `& < > \" '` so that HTML shows them.", html)
            .example(r#"{"string":"<a & 'b'>"}"#, r#"{"output":"&lt;a &amp; &#39;b&#39;&gt;"}"#),
        change("string/htmlDecode", "HTML Decode", "Reads the character references of HTML.", html_back)
            .example(r#"{"string":"&lt;b&gt; &amp; &#233; &#x41; &unknown;"}"#, r#"{"output":"<b> & é A &unknown;"}"#),
        card("string/random", "Random", "Makes a random text of letters and digits.", random)
            .number("length", "", "How many characters; 0 to 10,000.").required()
            .gives("output", "", Text, "The text.")
            .help("Letters A to Z, a to z and digits. A step that is computed again makes the same text. Made from a 64-bit seed: fine for names and first passwords, not for keys.")
            .observes()
            .example(r#"{"length":0}"#, r#"{"output":""}"#)
            .fails(r#"{"length":20000}"#, "0 to 10,000")
            .decided("Which characters does Random use?", "A to Z, a to z and 0 to 9."),
    ]
}

fn base64(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    limits::text(text.len() / 3 * 4 + 4)?;
    Ok(Fields::one("output", STANDARD.encode(text.as_bytes())))
}

/// Passes over the bits of the last character that belong to no byte, as JavaScript does.
const TOLERANT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Decodes Base64 tolerantly: white space, missing padding, both alphabets.
pub(crate) fn from_base64(text: &str) -> Option<Vec<u8>> {
    let usual = |c| match c {
        '-' => '+',
        '_' => '/',
        c => c,
    };
    let plain: String = text.chars().filter(|c| !c.is_whitespace()).map(usual).collect();
    TOLERANT.decode(plain.trim_end_matches('=')).ok()
}

fn base64_decode(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let bytes = from_base64(&call.text("string"))
        .ok_or_else(|| Fault::bad_input("the text is not Base64").remedy("check what is mapped to `string`"))?;
    Ok(Fields::one("output", String::from_utf8_lossy(&bytes).into_owned()))
}

fn hex_encode(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let text = call.text("string");
    limits::text(text.len() * 2)?;
    Ok(Fields::one("output", hex::encode(text.as_bytes())))
}

fn hex_decode(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let bytes = hex::decode(call.text("string").trim())
        .map_err(|_| Fault::bad_input("the text is not hexadecimal: pairs of 0 to 9 and a to f"))?;
    Ok(Fields::one("output", String::from_utf8_lossy(&bytes).into_owned()))
}

/// Writes the five characters that mean something in HTML and XML as references.
pub(crate) fn html_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c => out.push(c),
        }
    }
    out
}

/// Reads the named references that matter and all numeric ones; others stay.
pub(crate) fn html_decode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let end = rest.bytes().take(12).position(|b| b == b';');
        match end.and_then(|end| Some((reference(&rest[1..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &rest[end + 1..];
            }
            None => {
                out.push('&');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

fn reference(name: &str) -> Option<char> {
    if let Some(number) = name.strip_prefix('#') {
        let code = match number.strip_prefix(['x', 'X']) {
            Some(digits) => u32::from_str_radix(digits, 16).ok()?,
            None => number.parse().ok()?,
        };
        return char::from_u32(code);
    }
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => '\u{a0}',
        _ => return None,
    })
}

fn html(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let out = html_encode(&call.text("string"));
    limits::text(out.len())?;
    Ok(Fields::one("output", out))
}

fn html_back(call: &mut Call<'_>) -> Result<Fields, Fault> {
    Ok(Fields::one("output", html_decode(&call.text("string"))))
}

fn random(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let length = call.some_number("length")?;
    if !(0.0..=10_000.0).contains(&length) {
        return Err(Fault::bad_input("`length` must be 0 to 10,000"));
    }
    let mut random = call.random();
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let text =
        (0..length as usize).map(|_| char::from(ALPHABET[random.random_range(0..ALPHABET.len())])).collect::<String>();
    Ok(Fields::one("output", text))
}
