//! JSON Web Tokens under every algorithm, against tokens that OpenSSL signed and keys that do not fit.
//!
//! Must never use a key that protects anything: those in `keys/` are published.
//! Tests: this file is one.
#![allow(clippy::unwrap_used, reason = "a test may panic")]

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use flowdeck_engine::machine::coerce;
use flowdeck_functions::Functions;
use flowdeck_model::{Ambient, CardName, Fault, Fields, Millis, Value};
use serde_json::json;

macro_rules! key {
    ($name:literal) => {
        include_str!(concat!("keys/", $name))
    };
}

const RSA: &str = key!("rsa.pem");
const RSA_PUBLIC: &str = key!("rsa.pub.pem");
const TOKENS: &str = key!("tokens.txt");

fn run(card: &str, inputs: Value) -> Result<Fields, Fault> {
    let functions = Functions::new();
    let name = CardName::new(card).unwrap();
    let decl = functions.all().iter().find(|f| f.decl().name == name).unwrap().decl().clone();
    let inputs = coerce::inputs(&decl.inputs, decl.more_inputs.as_ref(), Fields::from_value(inputs))?;
    functions.evaluate(&name, inputs, &Ambient { now: Millis(1_705_314_600_000), seed: 7 })
}

fn sign(algorithm: &str, key: &str) -> Result<String, Fault> {
    let inputs = json!({ "algorithm": algorithm, "key": key, "noTimestamp": true, "subject": "1" });
    run("jwt/sign", inputs).map(|out| out.get("token").as_str().unwrap().to_owned())
}

/// The reason why it is not valid; empty where it is.
fn verify(token: &str, algorithm: &str, key: &str) -> Result<String, Fault> {
    let out = run("jwt/verify", json!({ "token": token, "algorithm": algorithm, "key": key }))?;
    let reason = out.get("reason").as_str().unwrap().to_owned();
    assert_eq!(out.get("valid"), &Value::Bool(reason.is_empty()), "{algorithm}");
    assert_eq!(out.get("payload").is_null(), !reason.is_empty(), "claims are shown only where they are proved");
    Ok(reason)
}

fn of_openssl() -> impl Iterator<Item = (&'static str, &'static str)> {
    TOKENS.lines().map(|line| line.split_once(' ').unwrap())
}

fn pair(algorithm: &str) -> (&'static str, &'static str) {
    match algorithm {
        "ES256" => (key!("p256.pem"), key!("p256.pub.pem")),
        "ES384" => (key!("p384.pem"), key!("p384.pub.pem")),
        _ => (RSA, RSA_PUBLIC),
    }
}

#[test]
fn tokens_that_openssl_signed_are_valid_and_ours_are_equal_where_the_scheme_has_no_chance_in_it() {
    assert_eq!(of_openssl().count(), 8);
    for (algorithm, token) in of_openssl() {
        let (private, public) = pair(algorithm);
        assert_eq!(verify(token, algorithm, public).unwrap(), "", "{algorithm}");
        let ours = sign(algorithm, private).unwrap();
        assert_eq!(verify(&ours, algorithm, public).unwrap(), "", "{algorithm}");
        // RSA with PKCS #1 v1.5 signs the same text the same way (RFC 8017, section 8.2).
        assert_eq!(ours == token, algorithm.starts_with("RS"), "{algorithm}");
    }
}

#[test]
fn older_forms_of_rsa_keys_are_read_and_line_ends_may_be_written_out() {
    let (_, token) = of_openssl().next().unwrap();
    assert_eq!(sign("RS256", key!("rsa.pkcs1.pem")).unwrap(), token);
    assert_eq!(verify(token, "RS256", key!("rsa.pkcs1.pub.pem")).unwrap(), "");
    assert_eq!(sign("RS256", &RSA.replace('\n', "\\n")).unwrap(), token);
    assert_eq!(verify(token, "RS256", &RSA_PUBLIC.replace('\n', "\\n")).unwrap(), "");
}

#[test]
fn a_changed_token_and_another_signature_are_wrong() {
    for (algorithm, token) in of_openssl() {
        let (_, public) = pair(algorithm);
        let (signed, signature) = token.rsplit_once('.').unwrap();
        let (header, _) = signed.split_once('.').unwrap();
        let forged = format!("{header}.{}.{signature}", BASE64URL.encode(r#"{"sub":"admin"}"#));
        assert_eq!(verify(&forged, algorithm, public).unwrap(), "the signature is wrong", "{algorithm}");
        let mut bytes = BASE64URL.decode(signature).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        for other in [BASE64URL.encode(&bytes), BASE64URL.encode(&bytes[1..]), String::new(), "*".into()] {
            let token = format!("{signed}.{other}");
            assert_eq!(verify(&token, algorithm, public).unwrap(), "the signature is wrong", "{algorithm} {other}");
        }
        // A signature of zeros once passed for ECDSA in well-known libraries (CVE-2022-21449).
        let zeros = format!("{signed}.{}", BASE64URL.encode(vec![0; bytes.len()]));
        assert_eq!(verify(&zeros, algorithm, public).unwrap(), "the signature is wrong", "{algorithm}");
    }
}

#[test]
fn a_key_of_another_kind_is_named_and_no_wrong_signature() {
    let tokens: std::collections::BTreeMap<_, _> = of_openssl().collect();
    for (algorithm, key, expected) in [
        ("RS256", key!("p256.pub.pem"), "RS256 needs an RSA key, but the key is an EC key on the curve P-256"),
        ("PS512", key!("p384.pub.pem"), "PS512 needs an RSA key, but the key is an EC key on the curve P-384"),
        ("ES256", RSA_PUBLIC, "ES256 needs an EC key on the curve P-256, but the key is an RSA key"),
        ("ES256", key!("rsa.pkcs1.pub.pem"), "but the key is an RSA key"),
        ("ES256", key!("p384.pub.pem"), "but the key is an EC key on the curve P-384"),
        ("ES384", key!("p256.pub.pem"), "but the key is an EC key on the curve P-256"),
        ("ES384", key!("p521.pub.pem"), "but the key is a key of another kind"),
        ("RS256", key!("ed.pub.pem"), "but the key is a key of another kind"),
        ("RS256", key!("small.pub.pem"), "the RSA key has 1024 bits"),
        ("RS256", RSA, "the key is not a public key"),
        ("ES256", key!("p256.pem"), "the key is not a public key"),
        ("RS256", "secret", "the key is not a PEM text"),
    ] {
        let fault = verify(tokens[algorithm], algorithm, key).unwrap_err();
        assert!(fault.message.contains(expected), "{algorithm}: {}", fault.message);
        assert!(!fault.remedy.is_empty(), "{algorithm} {expected}");
    }
    for (algorithm, key) in [
        ("RS256", key!("p256.pem")),
        ("ES256", RSA),
        ("ES256", key!("p384.pem")),
        ("ES384", key!("p256.pem")),
        ("RS256", RSA_PUBLIC),
        ("ES256", key!("p256.pub.pem")),
    ] {
        let fault = sign(algorithm, key).unwrap_err();
        assert!(fault.message.starts_with(&format!("the key cannot sign with {algorithm}")), "{}", fault.message);
    }
}

/// Whoever knows the public key could otherwise make tokens with it as the shared secret (RFC 8725, section 2.1).
#[test]
fn a_public_key_is_no_shared_secret() {
    for key in [RSA_PUBLIC, key!("p256.pub.pem"), RSA, &RSA_PUBLIC.replace('\n', "\\n"), &format!("\n{RSA_PUBLIC}")] {
        for algorithm in ["HS256", "HS384", "HS512"] {
            let header = BASE64URL.encode(format!(r#"{{"alg":"{algorithm}"}}"#));
            let fault = verify(&format!("{header}.e30.AAAA"), algorithm, key).unwrap_err();
            assert!(fault.message.contains("needs a shared secret"), "{}", fault.message);
            assert!(sign(algorithm, key).unwrap_err().message.contains("needs a shared secret"));
        }
    }
    // The token names another algorithm than the flow: it does not choose.
    let mine = run("jwt/sign", json!({ "algorithm": "HS256", "key": "secret" })).unwrap();
    let token = mine.get("token").as_str().unwrap();
    assert_eq!(verify(token, "RS256", RSA_PUBLIC).unwrap(), "it is signed with another algorithm");
}

#[test]
fn a_token_without_a_signature_is_never_valid() {
    let body = BASE64URL.encode(r#"{"sub":"admin"}"#);
    for algorithm in ["none", "None", "NONE", "nOnE", ""] {
        let header = BASE64URL.encode(json!({ "alg": algorithm }).to_string());
        for asked in ["HS256", "RS256", "ES256", "PS256"] {
            let key = if asked == "HS256" { "secret" } else { pair(asked).1 };
            let reason = verify(&format!("{header}.{body}."), asked, key).unwrap();
            assert_eq!(reason, "it is signed with another algorithm", "{algorithm} as {asked}");
        }
        let asked = json!({ "token": format!("{header}.{body}."), "algorithm": algorithm, "key": "secret" });
        assert!(algorithm.is_empty() || run("jwt/verify", asked).is_err(), "{algorithm} cannot be asked for");
        assert!(algorithm.is_empty() || sign(algorithm, "secret").is_err(), "{algorithm} does not sign");
        // Nor may it come in by the header's own fields.
        let header = json!({ "alg": algorithm });
        let inputs = json!({ "algorithm": "HS256", "key": "secret", "header": header });
        assert!(run("jwt/sign", inputs).unwrap_err().message.contains("names another algorithm"), "{algorithm}");
    }
    let header = json!({ "kid": "7", "alg": "HS256" });
    assert!(run("jwt/sign", json!({ "algorithm": "HS256", "key": "secret", "header": header })).is_ok());
}

#[test]
fn a_token_that_needs_an_unknown_extension_is_void() {
    let inputs = json!({ "algorithm": "HS256", "key": "secret", "header": { "crit": ["exp"] } });
    let token = run("jwt/sign", inputs).unwrap().get("token").as_str().unwrap().to_owned();
    assert!(verify(&token, "HS256", "secret").unwrap().contains("extension"));
}

#[test]
fn no_part_of_a_key_is_in_a_fault() {
    let words = ["hunter2", "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----"];
    let faults = words.iter().flat_map(|key| {
        ["RS256", "PS256", "ES256", "ES512"].map(|algorithm| (sign(algorithm, key), verify("e30.e30.", algorithm, key)))
    });
    for (signed, verified) in faults {
        let shown = format!("{signed:?} {verified:?}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
}
