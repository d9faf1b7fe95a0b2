//! One trace a photo, through all roles: W3C trace context, from the request that uploads to the last worker.
//!
//! Every line that is logged about a photo has its id, its trace's, that of what this worker does (the span), and that of whoever
//! asked for it (the parent). A photo whose upload came without a trace gets the one that its id stands for.

use std::str::FromStr;

use http::HeaderMap;
use tracing::Span;

/// Names of the headers, and of the message attributes.
pub(crate) const TRACEPARENT: &str = "traceparent";
pub(crate) const TRACESTATE: &str = "tracestate";
/// The only version of the format that there is, and the flag that the trace is recorded.
const VERSION: &str = "00";
const SAMPLED: &str = "01";
/// What vendors add is passed on up to such a length, as the standard asks for.
const LONGEST_STATE: usize = 512;

/// A trace as it is carried: by a request, by a message, or by a photo's record. Not yet looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Carried {
    pub(crate) traceparent: Option<String>,
    pub(crate) tracestate: Option<String>,
}

impl Carried {
    /// Reads what a request carries.
    pub(crate) fn by(headers: &HeaderMap) -> Self {
        let all = |name| headers.get_all(name).iter().filter_map(|value| value.to_str().ok()).collect::<Vec<_>>();
        let joined = |values: Vec<&str>| (!values.is_empty()).then(|| values.join(","));
        Self { traceparent: joined(all(TRACEPARENT)), tracestate: joined(all(TRACESTATE)) }
    }

    /// Returns names and values of what there is.
    pub(crate) fn pairs(self) -> impl Iterator<Item = (&'static str, String)> {
        [(TRACEPARENT, self.traceparent), (TRACESTATE, self.tracestate)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
    }
}

/// A place in a trace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trace {
    /// The same for everything about a photo: 32 hexadecimal digits.
    id: String,
    /// What is done here: 16 hexadecimal digits.
    span: String,
    /// Whoever asked for it; none where the trace begins here.
    parent: Option<String>,
    flags: String,
    /// What vendors add.
    state: Option<String>,
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
        Self { id, span: span_id(), parent: None, flags: SAMPLED.to_owned(), state: None }
    }

    /// Returns a place in the trace that was carried here, or else in the photo's own.
    pub(crate) fn continued(carried: &Carried, image: &str) -> Self {
        let continued = carried.traceparent.as_deref().and_then(|text| text.parse::<Self>().ok());
        continued.map_or_else(|| Self::of(image), |trace| Self { state: state(carried), ..trace })
    }

    /// Returns what is carried on to whoever is asked for something: a child of this.
    pub(crate) fn carried(&self) -> Carried {
        let Self { id, span, flags, .. } = self;
        Carried { traceparent: Some(format!("{VERSION}-{id}-{span}-{flags}")), tracestate: self.state.clone() }
    }

    /// Returns what the log says of everything that is done about a photo.
    pub(crate) fn span(&self, image: &str) -> Span {
        // Of the highest level, so that no filter takes the ids from lines that it lets through.
        tracing::error_span!("photo", image, trace_id = self.id, span_id = self.span, parent_id = self.parent)
    }
}

/// Returns what vendors add, where it can be passed on. What is too long or garbled is dropped, and not the trace.
fn state(carried: &Carried) -> Option<String> {
    let state = carried.tracestate.as_deref()?.trim();
    let fit =
        !state.is_empty() && state.len() <= LONGEST_STATE && state.bytes().all(|byte| matches!(byte, b' '..=b'~'));
    fit.then(|| state.to_owned())
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
            Ok(Self {
                id: id.to_owned(),
                span: span_id(),
                parent: Some(parent.to_owned()),
                flags: flags.to_owned(),
                state: None,
            })
        } else {
            Err(NoTrace)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GIVEN: &str = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    const IMAGE: &str = "0198f3c2-6a3c-7d4e-9c1e-5d0f7f1f2a31";

    fn carried(traceparent: &str, tracestate: &str) -> Carried {
        Carried { traceparent: Some(traceparent.to_owned()), tracestate: Some(tracestate.to_owned()) }
    }

    #[test]
    fn a_trace_goes_on_under_a_new_parent() {
        let trace = Trace::continued(&carried(GIVEN, "vendor=abc"), IMAGE);
        let next = Trace::continued(&trace.carried(), IMAGE);
        assert_eq!((&next.id, &next.flags), (&trace.id, &trace.flags));
        assert_eq!((trace.parent.as_deref(), next.parent.as_ref()), (Some("b7ad6b7169203331"), Some(&trace.span)));
        assert_ne!(next.span, trace.span);
        assert_eq!(next.state.as_deref(), Some("vendor=abc"));
    }

    #[test]
    fn what_vendors_add_is_dropped_where_it_cannot_be_passed_on() {
        for odd in ["", " ", "a=\u{e9}", "a\n=b", &"a".repeat(LONGEST_STATE + 1)] {
            let trace = Trace::continued(&carried(GIVEN, odd), IMAGE);
            assert_eq!((trace.parent.is_some(), trace.state), (true, None), "{odd}");
        }
        assert_eq!(Trace::continued(&carried("hello", "vendor=abc"), IMAGE).state, None);
    }

    #[test]
    fn a_photo_without_a_trace_has_one_of_its_own_and_always_the_same() {
        let none = Carried::default();
        let zeros = carried("00-00000000000000000000000000000000-b7ad6b7169203331-01", "");
        for broken in [none, carried("hello", ""), zeros] {
            let trace = Trace::continued(&broken, IMAGE);
            assert_eq!((trace.id.as_str(), trace.parent), ("0198f3c26a3c7d4e9c1e5d0f7f1f2a31", None));
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
