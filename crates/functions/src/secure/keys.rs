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

/// The key inside a SubjectPublicKeyInfo (RFC 5280, section 4.1): an RSAPublicKey, or the point of an EC key.
pub(super) fn public(pem: &Pem) -> Result<Vec<u8>, Fault> {
    if pem.label == "RSA PUBLIC KEY" {
        return Ok(pem.der.clone());
    }
    let wrong = || Fault::bad_input("the key is not a public key").remedy("give a `PUBLIC KEY` in PEM");
    let (outer, _) = element(&pem.der, 0x30).ok_or_else(wrong)?;
    let (_, rest) = element(outer, 0x30).ok_or_else(wrong)?;
    let (bits, _) = element(rest, 0x03).ok_or_else(wrong)?;
    // The first byte says how many bits of the last are unused: none in a key.
    Ok(bits.strip_prefix(&[0]).ok_or_else(wrong)?.to_vec())
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
        assert_eq!(public(&key).unwrap(), [7]);
        for bad in ["", "-----BEGIN X-----", "-----BEGIN X-----\n*\n-----END X-----"] {
            assert!(pem(bad).is_err(), "{bad}");
        }
        for der in [vec![], vec![0x30], vec![0x30, 0x84, 1], vec![0x30, 0xff], vec![0x30, 2, 0x30, 0]] {
            assert!(public(&Pem { label: "PUBLIC KEY".into(), der }).is_err());
        }
    }
}
