//! Hash, HMAC and RSA signatures.
//!
//! Must never show a key.
//! Tests: the examples here (values of RFC 1321, RFC 3174, RFC 4231).

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use flowdeck_model::FieldType::Text;
use flowdeck_model::{Fault, Fields};
use hmac::{Hmac, Mac};
use md5::Md5;
use sha1::Sha1;
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};

use super::sign;
use crate::call::Call;
use crate::function::{Card, card};

const DIGESTS: &[&str] = &["base64", "hex", "binary", "base64url"];
const ALGORITHMS: &str =
    "md5, sha1, sha224, sha256, sha384 or sha512; OpenSSL's `RSA-SHA256` and the like mean the same.";

pub(super) fn cards() -> Vec<Card> {
    let form = |card: Card| {
        card.text("digest", "", "The form of the result; `binary` has one character for each byte.")
            .or("hex")
            .choices(DIGESTS)
            .gives("output", "", Text, "The result.")
    };
    vec![
        form(
            card("crypto/hash", "Hash", "Computes the hash of a text.", hash)
                .text("algorithm", "", ALGORITHMS)
                .required()
                .or("sha256")
                .text("data", "", "The text (its UTF-8 bytes).")
                .required(),
        )
        .help("MD5 and SHA-1 are for old interfaces only: they no longer protect anything.")
        .example(
            r#"{"algorithm":"sha256","data":"abc"}"#,
            r#"{"output":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"}"#,
        )
        .example(r#"{"algorithm":"md5","data":"abc"}"#, r#"{"output":"900150983cd24fb0d6963f7d28e17f72"}"#)
        .example(
            r#"{"algorithm":"sha1","data":"abc","digest":"base64"}"#,
            r#"{"output":"qZk+NkcGgWq6PiVxeFDCbJzQ2J0="}"#,
        )
        .fails(r#"{"algorithm":"whirlpool","data":"abc"}"#, "`whirlpool` is not a hash"),
        form(
            card("crypto/hmac", "HMAC", "Signs a text with a secret key.", hmac)
                .text("algorithm", "", ALGORITHMS)
                .required()
                .or("sha256")
                .text("key", "", "The secret key (its UTF-8 bytes).")
                .required()
                .secret()
                .text("data", "", "The text to sign (its UTF-8 bytes).")
                .required(),
        )
        .example(
            r#"{"algorithm":"sha256","key":"Jefe","data":"what do ya want for nothing?","digest":"hex"}"#,
            r#"{"output":"5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"}"#,
        )
        .decided(
            "Which algorithms does HMAC know?",
            "md5, sha1, sha224, sha256, sha384, sha512, also under OpenSSL's `RSA-…` names; others are an error.",
        ),
        form(
            card("crypto/sign", "Sign", "Signs a text with an RSA private key.", rsa)
                .text("algorithm", "", "sha256, sha384 or sha512.")
                .required()
                .or("sha256")
                .text("data", "", "The text to sign (its UTF-8 bytes).")
                .required()
                .text("key", "", "The private key in PEM, 2048 bits or more.")
                .exported("privateKey.key")
                .required()
                .secret()
                .text("passphrase", "", "Must be empty: keys under a passphrase are not read.")
                .exported("privateKey.passphrase")
                .secret(),
        )
        .help("The signature is RSASSA-PKCS1-v1_5 (RFC 8017), as `openssl dgst -sign` makes it.")
        // The key of `tests/keys`, which protects nothing.
        .example(
            include_str!("sign_example.json"),
            r#"{"output":"YiS0cCplDnJOh2Nz7SwpG25YCrWGUbb64Mi/iwf1LVH6+NxiXRdlzaNx9ddWYDnlTx5Zy/UZs8uq/M9/EdDKiH8wJ6AZy15N48387XnpNoq6BnJ364Yz2sgaDP3UrZJ7Get9Q2uPwtQygx86U+YQ2jEVDNKlMOJBjH+3RVv5dxSsw2lEY6IPB3X3hHR2G5Zdt20mSIBSx3+JWUZEgXqVUa37TXHGL3/g418ix24t4aUo1JMyCS1w9y3U+boVy3ov9+/lgwFfwv9D4DRhKfipQPOJKnccImTiApbDdzfi5ds6z5ZlFIWsVyWmgMJTDz/EV1joJFevPNevvDpqtBnCkQ=="}"#,
        )
        .fails(r#"{"algorithm":"md5","data":"a","key":"k"}"#, "sha256, sha384 or sha512")
        .fails(r#"{"data":"a","key":"k","passphrase":"p"}"#, "passphrase")
        .decided(
            "Which hashes and keys does Sign of the encryption family take?",
            "sha256, sha384 and sha512 with RSA keys that have no passphrase; md5 and sha1 are an error, as such signatures can be forged.",
        ),
    ]
}

/// Works with the hash of this name: `$body` sees it as the type `H`.
macro_rules! with_hash {
    ($name:expr, $H:ident => $body:expr) => {{
        let name = $name.trim().to_ascii_lowercase();
        match name.trim_start_matches("rsa-").replace('-', "").as_str() {
            "md5" => {
                type $H = Md5;
                Ok($body)
            }
            "sha1" => {
                type $H = Sha1;
                Ok($body)
            }
            "sha224" => {
                type $H = Sha224;
                Ok($body)
            }
            "sha256" => {
                type $H = Sha256;
                Ok($body)
            }
            "sha384" => {
                type $H = Sha384;
                Ok($body)
            }
            "sha512" => {
                type $H = Sha512;
                Ok($body)
            }
            _ => Err(Fault::bad_input(format!("`{}` is not a hash that this card knows", crate::value::short(&name)))
                .remedy("use md5, sha1, sha224, sha256, sha384 or sha512")),
        }
    }};
}

/// Signs with HMAC; `None` never happens, as keys of every length are allowed (RFC 2104, section 3).
pub(super) fn mac(algorithm: &str, key: &[u8], data: &[u8]) -> Result<Vec<u8>, Fault> {
    with_hash!(algorithm, H => {
        let mut mac = <Hmac<H> as Mac>::new_from_slice(key).map_err(|_| Fault::bad_input("the key cannot be used"))?;
        mac.update(data);
        mac.finalize().into_bytes().to_vec()
    })
}

fn written(bytes: &[u8], form: &str) -> Fields {
    let text = match form {
        "base64" => STANDARD.encode(bytes),
        "base64url" => URL_SAFE_NO_PAD.encode(bytes),
        "binary" => bytes.iter().map(|&b| char::from(b)).collect(),
        _ => hex::encode(bytes),
    };
    Fields::one("output", text)
}

fn hash(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let data = call.text("data");
    let bytes: Vec<u8> = with_hash!(call.text("algorithm"), H => H::digest(data.as_bytes()).to_vec())?;
    Ok(written(&bytes, &call.text("digest")))
}

fn hmac(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let bytes = mac(&call.text("algorithm"), call.text("key").as_bytes(), call.text("data").as_bytes())?;
    Ok(written(&bytes, &call.text("digest")))
}

fn rsa(call: &mut Call<'_>) -> Result<Fields, Fault> {
    let algorithm = match call.text("algorithm").trim().to_ascii_lowercase().trim_start_matches("rsa-") {
        "sha256" => "RS256",
        "sha384" => "RS384",
        "sha512" => "RS512",
        _ => {
            return Err(Fault::bad_input("the hash of a signature is sha256, sha384 or sha512")
                .remedy("md5 and sha1 do not protect signatures any more"));
        }
    };
    if !call.text("passphrase").is_empty() {
        return Err(Fault::bad_input("keys under a passphrase are not read")
            .remedy("`openssl pkcs8 -topk8 -nocrypt` writes it without; keep it as a secret"));
    }
    let bytes = sign::sign(algorithm, &call.text("key"), call.text("data").as_bytes())?;
    Ok(written(&bytes, &call.text("digest")))
}
