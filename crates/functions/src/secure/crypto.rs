//! Encryption of texts under a key, and random identifiers.
//!
//! Must never use a nonce twice for two texts: it is made of key, text, time and seed together.
//! Tests: the examples here.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowdeck_model::FieldType::Text;
use flowdeck_model::{Fault, Fields};
use rand::Rng;
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};

use super::digest;
use crate::call::Call;
use crate::function::{Card, card};
use crate::{limits, text};

const KEY: &str = "The key: 32 bytes, written as Base64 or as 64 hexadecimal digits.";

pub(super) fn cards() -> Vec<Card> {
    vec![
        card("crypto/encrypt", "Encrypt", "Encrypts a text with AES-256-GCM.", encrypt)
            .text("key", "", KEY).required().secret()
            .text("data", "", "The text.").required()
            .gives("output", "", Text, "Nonce (12 bytes), encrypted text and tag (16 bytes), together as Base64.")
            .observes()
            .example(
                r#"{"key":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=","data":"secret"}"#,
                r#"{"output":"uQs5ERK46ZrRxpCdXb5Dv/xh77pZ+mVXZPOrZdmPtqvbdg=="}"#,
            )
            .fails(r#"{"key":"short","data":"secret"}"#, "32 bytes"),
        card("crypto/decrypt", "Decrypt", "Decrypts what Encrypt made.", decrypt)
            .text("key", "", KEY).required().secret()
            .text("data", "", "The encrypted text.").required()
            .gives("output", "", Text, "The text.")
            .example(
                r#"{"key":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","data":"uQs5ERK46ZrRxpCdXb5Dv/xh77pZ+mVXZPOrZdmPtqvbdg=="}"#,
                r#"{"output":"secret"}"#,
            )
            .fails(r#"{"key":"000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f","data":"AAAA"}"#, "cannot be decrypted"),
        card("string/uuid", "UUID", "Makes a random identifier (RFC 9562, version 4).", uuid)
            .gives("output", "", Text, "As in `6f1d0c4e-8d0f-4b60-9a52-3f2f2f6d7a10`.")
            .help("A step that is computed again makes the same identifier.")
            .observes()
            .example("{}", r#"{"output":"bee986e8-cd46-4905-b6ad-e04fd2ab8aa0"}"#),
    ]
}

fn key(call: &Call<'_>) -> Result<Vec<u8>, Fault> {
    let given = call.text("key");
    let bytes = hex::decode(given.trim()).ok().or_else(|| text::encode::from_base64(&given));
    bytes.filter(|bytes| bytes.len() == 32).ok_or_else(|| {
        Fault::bad_input("`key` must be 32 bytes, as Base64 or as 64 hexadecimal digits")
            .remedy("make one with `openssl rand -base64 32`")
    })
}

fn cipher(key: &[u8]) -> Result<LessSafeKey, Fault> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| Fault::bad_input("the key cannot be used"))?;
    Ok(LessSafeKey::new(key))
}

fn encrypt(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let key = key(call)?;
    let data = call.text("data");
    limits::text(data.len() / 3 * 4 + 64)?;
    let mut basis = call.random().random::<[u8; 16]>().to_vec();
    basis.extend(call.now().0.to_be_bytes());
    basis.extend(data.as_bytes());
    let made = digest::mac("sha256", &key, &basis)?;
    let mut nonce = [0; NONCE_LEN];
    nonce.copy_from_slice(&made[..NONCE_LEN]);
    let mut sealed = data.as_bytes().to_vec();
    cipher(&key)?
        .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::empty(), &mut sealed)
        .map_err(|_| Fault::bad_input("the text cannot be encrypted"))?;
    let whole = [&nonce[..], &sealed].concat();
    Ok(Fields::one("output", STANDARD.encode(whole)))
}

fn decrypt(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let key = key(call)?;
    let wrong = || Fault::bad_input("the text cannot be decrypted: it was changed, or the key is another");
    let bytes = text::encode::from_base64(&call.text("data")).ok_or_else(wrong)?;
    let (nonce, sealed) = bytes.split_at_checked(NONCE_LEN).ok_or_else(wrong)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| wrong())?;
    let mut sealed = sealed.to_vec();
    let plain = cipher(&key)?.open_in_place(nonce, Aad::empty(), &mut sealed).map_err(|_| wrong())?;
    Ok(Fields::one("output", String::from_utf8(plain.to_vec()).map_err(|_| wrong())?))
}

fn uuid(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let mut bytes = call.random().random::<[u8; 16]>();
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let hex = hex::encode(bytes);
    let text = format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]);
    Ok(Fields::one("output", text))
}
