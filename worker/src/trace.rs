//! One trace a photo, through all roles: W3C trace context, from the request that uploads to the last worker.
//!
//! Every line that is logged about a photo has its id and its trace's. A photo whose upload came without a trace gets the one
//! that its id stands for, so that a task that the sweep sends once more stays in it.

use std::{fmt, str::FromStr};

use tracing::Span;

/// Name of the header, and of the message attribute.
pub(crate) const TRACEPARENT: &str = "traceparent";
/// The only version of the format that there is, and the flag that the trace is recorded.
const VERSION: &str = "00";
const SAMPLED: &str = "01";

/// A place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The same for everything about a photo: 32 hexadecimal digits.
    id: String,
    /// Whoever asked for what is done: 16 hexadecimal digits.
    parent: String,
    flags: String,
}

/// Not a `traceparent`.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no W3C trace context")]
pub(crate) struct NoTrace;

impl Trace {
    /// Returns the trace that a photo is in by itself.
    pub(crate) fn of(image: &str) -> Self {
        let id: String = image.chars().filter(char::is_ascii_hexdigit).collect();
        let id = if is_hex(&id, 32) { id } else { format!("{:032x}", rand::random::<u128>()) };
        Self { id, parent: span_id(), flags: SAMPLED.to_owned() }
    }

    /// Returns the trace that a caller is in, or else the photo's own.
    pub(crate) fn continued(traceparent: Option<&str>, image: &str) -> Self {
        traceparent.and_then(|text| text.parse().ok()).unwrap_or_else(|| Self::of(image))
    }

    /// Returns what is sent along with a task that comes of this.
    pub(crate) fn child(&self) -> Self {
        Self { parent: span_id(), ..self.clone() }
    }

    /// Returns what the log says of everything that is done about a photo.
    pub(crate) fn span(&self, image: &str) -> Span {
        // Of the highest level, so that no filter takes the ids from lines that it lets through.
        tracing::error_span!("photo", image, trace_id = self.id, parent_id = self.parent)
    }
}

fn span_id() -> String {
    format!("{:016x}", rand::random::<u64>().max(1))
}

fn is_hex(text: &str, length: usize) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    text.len() == length && text.bytes().all(digit) && text.bytes().any(|byte| byte != b'0')
}

impl FromStr for Trace {
    type Err = NoTrace;

    fn from_str(text: &str) -> Result<Self, NoTrace> {
        let mut parts = text.trim().split('-');
        let mut part = || parts.next().unwrap_or_default();
        let (version, id, parent, flags) = (part(), part(), part(), part());
        let known = version == VERSION && parts.next().is_none();
        // A later version may have more behind what this one has.
        let later = version.len() == 2 && version != "ff" && is_hex(version, 2);
        let flagged = flags.len() == 2 && flags.bytes().all(|byte| byte.is_ascii_hexdigit());
        if (known || later) && flagged && is_hex(id, 32) && is_hex(parent, 16) {
            Ok(Self { id: id.to_owned(), parent: parent.to_owned(), flags: flags.to_owned() })
        } else {
            Err(NoTrace)
        }
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{VERSION}-{}-{}-{}", self.id, self.parent, self.flags)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const IMAGE: &str = "0198f3c2-6a3c-7d4e-9c1e-5d0f7f1f2a31";

    #[test]
    fn a_trace_goes_on_under_a_new_parent() {
        let trace = Trace::continued(Some(GIVEN), IMAGE);
        assert_eq!(trace.to_string(), GIVEN);
        let child = trace.child();
        assert_eq!((&child.id, &child.flags), (&trace.id, &trace.flags));
        assert_ne!(child.parent, trace.parent);
    }

    #[test]
    fn a_photo_without_a_trace_has_one_of_its_own_and_always_the_same() {
        for broken in [None, Some("hello"), Some("00-00000000000000000000000000000000-b7ad6b7169203331-01")] {
            assert_eq!(Trace::continued(broken, IMAGE).id, "0198f3c26a3c7d4e9c1e5d0f7f1f2a31");
        }
        assert!(is_hex(&Trace::of("odd").id, 32));
    }

    #[test]
    fn what_is_no_trace_context_is_told() {
        let upper = GIVEN.to_uppercase();
        let longer = format!("{GIVEN}-more");
        for broken in
            ["", "00", &GIVEN[..54], &upper, &longer, "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]
        {
            assert_eq!(broken.parse::<Trace>(), Err(NoTrace), "{broken}");
        }
        assert!(longer.replacen("00", "01", 1).parse::<Trace>().is_ok());
    }
}
