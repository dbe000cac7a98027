//! Reads keys from PEM text (RFC 7468).
//!
//! Must never show a key, not even a part of it.
//! Tests: below.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flowdeck_model::Fault;

/// What a PEM text holds.
pub(super) struct Pem {
    /// The words of its first line, as in `PRIVATE KEY`.
    pub(super) label: String,
    /// Its content.
    pub(super) der: Vec<u8>,
}

/// Reads the first block of a PEM text. `\n` written as two characters counts as a line end.
///
/// # Errors
/// `bad-input` where there is none.
pub(super) fn pem(text: &str) -> Result<Pem, Fault> {
    let wrong = || {
        Fault::bad_input("the key is not a PEM text")
            .remedy("give the whole text, from `-----BEGIN …-----` to `-----END …-----`")
    };
    let text = text.replace("\\n", "\n");
    let (_, rest) = text.split_once("-----BEGIN ").ok_or_else(wrong)?;
    let (label, rest) = rest.split_once("-----").ok_or_else(wrong)?;
    let (body, _) = rest.split_once("-----END ").ok_or_else(wrong)?;
    let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
    Ok(Pem { label: label.to_owned(), der: STANDARD.decode(body).map_err(|_| wrong())? })
}

/// What a public key is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// RSA, for RS… and PS….
    Rsa,
    /// The curve P-256, for ES256.
    P256,
    /// The curve P-384, for ES384.
    P384,
    /// Anything else.
    Other,
}

impl Kind {
    /// What such a key is called in a message.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Rsa => "an RSA key",
            Self::P256 => "an EC key on the curve P-256",
            Self::P384 => "an EC key on the curve P-384",
            Self::Other => "a key of another kind",
        }
    }
}

/// A public key: an RSAPublicKey in DER, or the point of an EC key.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Public {
    pub(super) kind: Kind,
    pub(super) bytes: Vec<u8>,
}

/// Object identifiers in DER: rsaEncryption and id-RSASSA-PSS (RFC 8017, appendix C).
const RSA: [&[u8]; 2] =
    [&[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1], &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10]];
/// id-ecPublicKey, secp256r1 and secp384r1 (RFC 5480, section 2.1).
const EC: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 2, 1];
const P256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 3, 1, 7];
const P384: &[u8] = &[0x2b, 0x81, 4, 0, 34];

/// The key inside a SubjectPublicKeyInfo (RFC 5280, section 4.1), or a bare RSAPublicKey.
pub(super) fn public(pem: &Pem) -> Result<Public, Fault> {
    if pem.label == "RSA PUBLIC KEY" {
        return Ok(Public { kind: Kind::Rsa, bytes: pem.der.clone() });
    }
    let remedy = match pem.label.as_str() {
        "CERTIFICATE" => "take the public key out of the certificate: `openssl x509 -pubkey -noout`",
        _ => "give a `PUBLIC KEY` in PEM; `openssl pkey -pubout` makes it from a private key",
    };
    let wrong = || Fault::bad_input("the key is not a public key").remedy(remedy);
    if pem.label != "PUBLIC KEY" {
        return Err(wrong());
    }
    let (outer, _) = element(&pem.der, 0x30).ok_or_else(wrong)?;
    let (algorithm, rest) = element(outer, 0x30).ok_or_else(wrong)?;
    let (bits, _) = element(rest, 0x03).ok_or_else(wrong)?;
    let (name, parameters) = element(algorithm, 0x06).ok_or_else(wrong)?;
    let kind = match element(parameters, 0x06) {
        _ if RSA.contains(&name) => Kind::Rsa,
        Some((P256, _)) if name == EC => Kind::P256,
        Some((P384, _)) if name == EC => Kind::P384,
        _ => Kind::Other,
    };
    // The first byte says how many bits of the last are unused: none in a key.
    Ok(Public { kind, bytes: bits.strip_prefix(&[0]).ok_or_else(wrong)?.to_vec() })
}

/// The length of an RSAPublicKey's modulus in bits (RFC 8017, appendix A.1.1).
pub(super) fn modulus_bits(key: &[u8]) -> Option<usize> {
    let (numbers, _) = element(key, 0x30)?;
    let (modulus, _) = element(numbers, 0x02)?;
    let zeros = modulus.iter().take_while(|&&byte| byte == 0).count();
    let first = modulus.get(zeros)?;
    Some((modulus.len() - zeros) * 8 - first.leading_zeros() as usize)
}

/// Whether a text is, or holds, a key or certificate in PEM.
pub(super) fn is_pem(text: &str) -> bool {
    text.contains("-----BEGIN ")
}

/// One DER element with this tag: its content and what follows.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = if first < 0x80 {
        (usize::from(first), rest)
    } else {
        let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f)).filter(|(b, _)| b.len() <= 4)?;
        (bytes.iter().fold(0, |length, &byte| length << 8 | usize::from(byte)), rest)
    };
    if found != tag { None } else { rest.split_at_checked(length) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_blocks_and_refuses_broken_ones() {
        let key = pem("x -----BEGIN PUBLIC KEY-----\\nMAkwAwYBAAMCAAc=\n-----END PUBLIC KEY-----").unwrap();
        assert_eq!(key.label, "PUBLIC KEY");
        assert_eq!(public(&key).unwrap(), Public { kind: Kind::Other, bytes: vec![7] });
        for bad in ["", "-----BEGIN X-----", "-----BEGIN X-----\n*\n-----END X-----"] {
            assert!(pem(bad).is_err(), "{bad}");
        }
        for der in [vec![], vec![0x30], vec![0x30, 0x84, 1], vec![0x30, 0xff], vec![0x30, 2, 0x30, 0]] {
            assert!(public(&Pem { label: "PUBLIC KEY".into(), der }).is_err());
        }
    }

    #[test]
    fn a_modulus_is_measured_without_its_leading_zeros() {
        for (der, bits) in [
            (vec![0x30, 4, 2, 2, 0, 0x80], Some(8)),
            (vec![0x30, 3, 2, 1, 1], Some(1)),
            (vec![0x30, 4, 2, 2, 0x7f, 0xff], Some(15)),
            (vec![0x30, 2, 2, 0], None),
            (vec![0x30, 3, 2, 1, 0], None),
            (vec![], None),
        ] {
            assert_eq!(modulus_bits(&der), bits, "{der:?}");
        }
    }
}
