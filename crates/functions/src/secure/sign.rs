//! Signatures of JSON Web Algorithms (RFC 7518, section 3).
//!
//! Must never accept `none`, or a key of another kind than the algorithm's.
//! Tests: `tests/tokens.rs`; HMAC also through the examples of `jwt`.

use flowdeck_model::Fault;
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, RsaKeyPair, UnparsedPublicKey};

use super::digest;
use super::keys::{self, Kind};

/// All algorithms.
pub(super) const ALGORITHMS: &[&str] =
    &["HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

/// Sizes of RSA keys that are accepted (RFC 7518, section 3.3).
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

fn hash(algorithm: &str) -> &'static str {
    match &algorithm[2..] {
        "256" => "sha256",
        "384" => "sha384",
        _ => "sha512",
    }
}

fn known(algorithm: &str) -> Result<(), Fault> {
    if algorithm == "ES512" {
        return Err(Fault::bad_input("ES512 is not available").remedy("use ES256 or ES384"));
    }
    if ALGORITHMS.contains(&algorithm) {
        return Ok(());
    }
    Err(Fault::bad_input(format!("`{}` is not a known algorithm", crate::value::short(algorithm))))
}

/// The bytes of a shared secret. A public key is known to everybody, so it is none: whoever checks a token with it
/// as a shared secret takes a token of anybody (RFC 8725, section 2.1).
fn shared<'k>(algorithm: &str, key: &'k str) -> Result<&'k [u8], Fault> {
    if key.is_empty() {
        return Err(Fault::bad_input("`key` is missing").remedy("give the shared secret"));
    }
    if keys::is_pem(key) {
        let why = format!("the key is one of a pair (a PEM text), but {algorithm} needs a shared secret");
        return Err(Fault::bad_input(why).remedy("choose RS…, PS… or ES… for this key, or give the shared secret"));
    }
    Ok(key.as_bytes())
}

/// The public key, if it is of the algorithm's kind.
fn fitting(algorithm: &str, key: &str) -> Result<Vec<u8>, Fault> {
    let public = keys::public(&keys::pem(key)?)?;
    let needed = match algorithm {
        "ES256" => Kind::P256,
        "ES384" => Kind::P384,
        _ => Kind::Rsa,
    };
    if public.kind != needed {
        let (needed, found) = (needed.word(), public.kind.word());
        return Err(Fault::bad_input(format!("{algorithm} needs {needed}, but the key is {found}"))
            .remedy("give the public key of whoever signs, or choose the algorithm it is for"));
    }
    let bits = if needed == Kind::Rsa { keys::modulus_bits(&public.bytes) } else { None };
    if let Some(bits) = bits.filter(|bits| !RSA_BITS.contains(bits)) {
        return Err(Fault::bad_input(format!("the RSA key has {bits} bits, but only 2048 to 8192 are safe to use"))
            .remedy("whoever signs needs a new key"));
    }
    Ok(public.bytes)
}

/// Signs.
///
/// # Errors
/// `bad-input` where the key does not fit.
pub(super) fn sign(algorithm: &str, key: &str, data: &[u8]) -> Result<Vec<u8>, Fault> {
    known(algorithm)?;
    if algorithm.starts_with("HS") {
        return digest::mac(hash(algorithm), shared(algorithm, key)?, data);
    }
    let pem = keys::pem(key)?;
    let unfit = |why: &str| {
        Fault::bad_input(format!("the key cannot sign with {algorithm}: {why}"))
            .remedy("give a private key of this kind; `openssl pkcs8 -topk8 -nocrypt` converts old forms")
    };
    let random = SystemRandom::new();
    if algorithm.starts_with("ES") {
        let kind = if algorithm == "ES256" {
            &signature::ECDSA_P256_SHA256_FIXED_SIGNING
        } else {
            &signature::ECDSA_P384_SHA384_FIXED_SIGNING
        };
        let pair = EcdsaKeyPair::from_pkcs8(kind, &pem.der, &random).map_err(|e| unfit(&e.to_string()))?;
        return pair.sign(&random, data).map(|s| s.as_ref().to_vec()).map_err(|_| unfit("signing failed"));
    }
    let pair =
        if pem.label == "RSA PRIVATE KEY" { RsaKeyPair::from_der(&pem.der) } else { RsaKeyPair::from_pkcs8(&pem.der) };
    let pair = pair.map_err(|e| unfit(&e.to_string()))?;
    let padding: &dyn signature::RsaEncoding = match algorithm {
        "RS256" => &signature::RSA_PKCS1_SHA256,
        "RS384" => &signature::RSA_PKCS1_SHA384,
        "RS512" => &signature::RSA_PKCS1_SHA512,
        "PS256" => &signature::RSA_PSS_SHA256,
        "PS384" => &signature::RSA_PSS_SHA384,
        _ => &signature::RSA_PSS_SHA512,
    };
    let mut out = vec![0; pair.public().modulus_len()];
    pair.sign(padding, &random, data, &mut out).map_err(|_| unfit("signing failed"))?;
    Ok(out)
}

/// Whether a signature is right.
///
/// # Errors
/// `bad-input` where the key does not fit.
pub(super) fn verify(algorithm: &str, key: &str, data: &[u8], found: &[u8]) -> Result<bool, Fault> {
    known(algorithm)?;
    if algorithm.starts_with("HS") {
        let expected = sign(algorithm, key, data)?;
        // Compares without telling by its time where two texts differ.
        let differences = expected.iter().zip(found).fold(0, |sum, (a, b)| sum | (a ^ b));
        return Ok(expected.len() == found.len() && differences == 0);
    }
    let public = fitting(algorithm, key)?;
    let kind: &dyn signature::VerificationAlgorithm = match algorithm {
        "RS256" => &signature::RSA_PKCS1_2048_8192_SHA256,
        "RS384" => &signature::RSA_PKCS1_2048_8192_SHA384,
        "RS512" => &signature::RSA_PKCS1_2048_8192_SHA512,
        "PS256" => &signature::RSA_PSS_2048_8192_SHA256,
        "PS384" => &signature::RSA_PSS_2048_8192_SHA384,
        "PS512" => &signature::RSA_PSS_2048_8192_SHA512,
        "ES256" => &signature::ECDSA_P256_SHA256_FIXED,
        _ => &signature::ECDSA_P384_SHA384_FIXED,
    };
    Ok(UnparsedPublicKey::new(kind, public).verify(data, found).is_ok())
}
