//! How a step fails: a stable code, a sentence, and what to do next.
//!
//! Must never carry a secret; texts from apps are shortened where they enter.
//! Tests: `docs/errors` is checked against [`FaultCode::ALL`] by the workspace tests.

use serde::{Deserialize, Serialize};
use serde_json::Value;

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// Stable codes of faults; `flowdeck explain CODE` prints the help page of each.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FaultCode { $($(#[$doc])* $name,)* }

        impl FaultCode {
            /// Every code.
            pub const ALL: &'static [FaultCode] = &[$(FaultCode::$name,)*];

            /// The code as people see it.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(FaultCode::$name => $text,)* }
            }

            /// The code with this text.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                match text { $($text => Some(FaultCode::$name),)* _ => None }
            }
        }
    };
}

codes! {
    /// A card got an input it cannot use.
    BadInput = "bad-input",
    /// A value could not be converted to the field's type.
    BadType = "bad-type",
    /// A mapping could not be worked out.
    BadMapping = "bad-mapping",
    /// The card is not known.
    UnknownCard = "unknown-card",
    /// The app answered with an error.
    AppError = "app-error",
    /// The app refused: the account lacks the right.
    Forbidden = "forbidden",
    /// The app does not know the thing asked for.
    NotFound = "not-found",
    /// The app limits the rate of requests.
    RateLimited = "rate-limited",
    /// The app could not be reached.
    Unreachable = "unreachable",
    /// The app answered with something that cannot be read.
    BadAnswer = "bad-answer",
    /// The address is not allowed.
    AddressDenied = "address-denied",
    /// A step or flow took longer than it may.
    Timeout = "timeout",
    /// It is not known whether a write happened.
    InDoubt = "in-doubt",
    /// A connection is needed and policy does not allow to wait for it.
    NotConnected = "not-connected",
    /// A wait came to its deadline.
    Expired = "expired",
    /// A flow or a card raised it on purpose (Return Error).
    Raised = "raised",
    /// A table operation failed.
    TableError = "table-error",
    /// A limit of the runtime was reached.
    LimitReached = "limit-reached",
    /// A card broke (a defect of ours).
    CardPanicked = "card-panicked",
    /// An approval was refused.
    Rejected = "rejected",
    /// The run was cancelled.
    Cancelled = "cancelled",
    /// This process cannot drive the run: a defect of ours, or stored bytes that cannot be read.
    SetAside = "set-aside",
}

impl Serialize for FaultCode {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FaultCode {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(d)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom(format!("unknown fault code `{text}`")))
    }
}

/// Why a step failed. Also the `error` value that catch lanes see.
///
/// ```
/// use flowdeck_model::{Fault, FaultCode};
///
/// let fault = Fault::new(FaultCode::NotFound, "there is no user `ada`").remedy("look at the login").status(404);
/// assert_eq!(fault.to_string(), "there is no user `ada` (not-found)");
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fault {
    /// Stable code.
    pub code: FaultCode,
    /// What happened, in a sentence for the person who must act.
    pub message: String,
    /// What to do next; empty where nothing is known.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// The app's HTTP status, or the status a flow raised.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The app's own error body (shortened), parsed where it is JSON; or the custom fields of a raised error.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub body: Value,
}

impl Fault {
    /// A fault with a code and a sentence.
    #[must_use]
    pub fn new(code: FaultCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), remedy: String::new(), status: None, body: Value::Null }
    }

    /// An input that cannot be used.
    #[must_use]
    pub fn bad_input(message: impl Into<String>) -> Self {
        Self::new(FaultCode::BadInput, message)
    }

    /// Adds what to do next.
    #[must_use]
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = remedy.into();
        self
    }

    /// Adds the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = Some(status);
        self
    }

    /// Adds the body.
    #[must_use]
    pub fn body(mut self, body: Value) -> Self {
        self.body = body;
        self
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({})", self.message, self.code.as_str())
    }
}

impl std::error::Error for Fault {}
