//! Signs requests for AWS (Signature Version 4).
//!
//! Must never put a key into a header or an error: only the signature made with it.
//! Tests: below, by AWS's published example.

use bytes::Bytes;
use hmac::{Hmac, Mac};
use http::Method;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use sha2::{Digest, Sha256};
use url::Url;

use crate::secret::SecretText;

/// Keys of an AWS account.
pub(crate) struct AwsKeys {
    pub(crate) id: String,
    pub(crate) secret: SecretText,
    /// Empty but for temporary keys.
    pub(crate) session: SecretText,
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Vec::new() };
    mac.update(text.as_bytes());
    mac.finalize().into_bytes().to_vec()
}

fn hash(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// All but letters, digits and `-_.~`.
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');
const PATH: &AsciiSet = &UNRESERVED.remove(b'/');

/// Percent-encoded as AWS wants it.
fn encoded(text: &str, set: &'static AsciiSet) -> String {
    utf8_percent_encode(text, set).to_string()
}

impl AwsKeys {
    /// The headers of a request at `now` (`20260131T093000Z`). Service and region are the host's first two labels.
    pub(crate) fn sign(&self, method: &Method, url: &Url, body: &Bytes, now: &str) -> Vec<(&'static str, SecretText)> {
        let mut labels = url.host_str().unwrap_or_default().split('.');
        let service = labels.next().unwrap_or_default();
        // Services that are one for the whole world are signed for us-east-1.
        let region = labels.next().filter(|label| *label != "amazonaws").unwrap_or("us-east-1");
        self.sign_for([service, region], method, url, body, now)
    }

    fn sign_for(
        &self,
        [service, region]: [&str; 2],
        method: &Method,
        url: &Url,
        body: &Bytes,
        now: &str,
    ) -> Vec<(&'static str, SecretText)> {
        let host = url.host_str().unwrap_or_default();
        let day = now.get(..8).unwrap_or_default();
        let scope = format!("{day}/{region}/{service}/aws4_request");
        let mut pairs: Vec<(String, String)> =
            url.query_pairs().map(|(k, v)| (encoded(&k, UNRESERVED), encoded(&v, UNRESERVED))).collect();
        pairs.sort();
        let query = pairs.iter().map(|(k, v)| format!("{k}={v}")).collect::<Vec<_>>().join("&");
        let mut signed = vec![("host", host.to_owned()), ("x-amz-date", now.to_owned())];
        if !self.session.is_empty() {
            signed.push(("x-amz-security-token", self.session.expose().to_owned()));
        }
        let headers: String = signed.iter().map(|(name, value)| format!("{name}:{value}\n")).collect();
        let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
        // The path is encoded once in the URL, and AWS wants it encoded once more (all services but S3).
        let path = encoded(url.path(), PATH);
        let request = format!("{method}\n{path}\n{query}\n{headers}\n{names}\n{}", hash(body));
        let to_sign = format!("AWS4-HMAC-SHA256\n{now}\n{scope}\n{}", hash(request.as_bytes()));
        let mut key = hmac(format!("AWS4{}", self.secret.expose()).as_bytes(), day);
        for part in [region, service, "aws4_request"] {
            key = hmac(&key, part);
        }
        let signature = hex::encode(hmac(&key, &to_sign));
        let text =
            format!("AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders={names}, Signature={signature}", self.id);
        let mut out = vec![("x-amz-date", SecretText::from(now)), ("authorization", text.into())];
        if !self.session.is_empty() {
            out.push(("x-amz-security-token", self.session.expose().into()));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `get-vanilla` and `get-vanilla-query-order-key-case` of AWS's test suite for Signature Version 4.
    #[test]
    fn a_signature_is_that_of_the_published_example() {
        let keys = AwsKeys {
            id: "AKIDEXAMPLE".into(),
            secret: "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY".into(),
            session: SecretText::default(),
        };
        let check = |url: &str, expected: &str| {
            let url = Url::parse(url).unwrap();
            let parts = ["service", "us-east-1"];
            let headers = keys.sign_for(parts, &Method::GET, &url, &Bytes::new(), "20150830T123600Z");
            let text = headers.iter().find(|(name, _)| *name == "authorization").unwrap().1.expose().to_owned();
            let (scope, signature) = text.split_once(", Signature=").unwrap();
            assert_eq!(signature, expected);
            assert!(
                scope.ends_with("20150830/us-east-1/service/aws4_request, SignedHeaders=host;x-amz-date"),
                "{text}"
            );
        };
        let plain = "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31";
        check("https://example.amazonaws.com/", plain);
        let query = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500";
        check("https://example.amazonaws.com/?Param2=value2&Param1=value1", query);
    }

    #[test]
    fn service_and_region_are_those_of_the_host() {
        let keys = AwsKeys { id: "a".into(), secret: "b".into(), session: "s".into() };
        let url = Url::parse("https://lambda.eu-west-1.amazonaws.com/x").unwrap();
        let headers = keys.sign(&Method::POST, &url, &Bytes::new(), "20260131T093000Z");
        assert!(headers[1].1.expose().contains("/20260131/eu-west-1/lambda/aws4_request"));
        assert_eq!(headers[2].0, "x-amz-security-token");
    }
}
