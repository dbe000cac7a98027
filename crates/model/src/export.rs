//! Names of Okta's exports, without what their making added.
//!
//! Must never shorten a name to nothing.
//! Tests: below.

/// A connector without the hash or version at its end: `kandji_edae…` (32 hexadecimal digits), `salesforce2_29`.
///
/// ```
/// assert_eq!(flowdeck_model::export::connector_base("salesforce2_29"), "salesforce2");
/// ```
#[must_use]
pub fn connector_base(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((base, end)) if !base.is_empty() && !end.is_empty() => {
            let is_hash = end.len() == 32 && end.bytes().all(|b| b.is_ascii_hexdigit());
            let is_version = end.bytes().all(|b| b.is_ascii_digit());
            if is_hash || is_version { base } else { name }
        }
        _ => name,
    }
}

/// A method without the random end that Connector Builder gives it: `searchDevices_MgiZyuVso`.
#[must_use]
pub fn method_base(name: &str) -> &str {
    match name.rsplit_once('_') {
        Some((base, end)) if !base.is_empty() && (8..=12).contains(&end.len()) => {
            let is_random = end.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
            if is_random { base } else { name }
        }
        _ => name,
    }
}

/// A field's key without the random end that Connector Builder gives it: `device_id_IM34TT`.
#[must_use]
pub fn key_base(key: &str) -> &str {
    match key.rsplit_once('_') {
        Some((base, end)) if !base.is_empty() && end.len() == 6 => {
            let is_random = end.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
            if is_random { base } else { key }
        }
        _ => key,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_added_goes() {
        for (name, base) in [
            ("kandji_edae9b89cf1e4ca6a01a1ad6d985127b", "kandji"),
            ("salesforce2_29", "salesforce2"),
            ("okta", "okta"),
            ("my_connector", "my_connector"),
            ("_29", "_29"),
        ] {
            assert_eq!(connector_base(name), base);
        }
        for (name, base) in [
            ("searchDevices_MgiZyuVso", "searchDevices"),
            ("readUser_yV4wY1c5VT", "readUser"),
            ("sendEmail2", "sendEmail2"),
            ("_MgiZyuVso", "_MgiZyuVso"),
        ] {
            assert_eq!(method_base(name), base);
        }
        for (key, base) in [
            ("device_id_IM34TT", "device_id"),
            ("transport_keys_-_jwks_PLGGEN", "transport_keys_-_jwks"),
            ("work_notes", "work_notes"),
            ("work_notes_list", "work_notes_list"),
            ("_IM34TT", "_IM34TT"),
        ] {
            assert_eq!(key_base(key), base);
        }
    }
}
