//! The site: its lifetime, its tags, and the environment of its workers.

use super::Subject;
use crate::blueprint::diagnostic::{Diagnostic, dotted, join};

/// AWS takes 50 tags; decouple adds five of its own.
const MAX_TAGS: usize = 45;
/// The one variable of decouple's own that is the user's to set.
const LOG: &str = "DECOUPLE_LOG";

pub(super) fn check(subject: &mut Subject<'_>) {
    subject.span_within("/ttl", "1m", "365d");
    name(subject);
    tags(subject);
    environment(subject);
}

/// The form is the schema's; what AWS adds to it are names with two hyphens in a row.
fn name(subject: &mut Subject<'_>) {
    if subject.text("/name").is_some_and(|name| name.contains("--")) {
        subject.error(&["/name"], "`name` must not have two hyphens in a row: AWS refuses such names", None);
    }
}

fn tags(subject: &mut Subject<'_>) {
    let count = subject.entries("/tags").count();
    if count > MAX_TAGS {
        subject.error(&["/tags"], format!("`tags` has {count} entries; there may be {MAX_TAGS}"), None);
    }
    for (key, value) in subject.entries("/tags") {
        let at = join("/tags", key);
        let length = key.chars().count();
        if key.is_empty() || length > 128 {
            let message = format!("the key of a tag must have 1 to 128 characters, and this has {length}");
            key_error(subject, &at, message, None);
        }
        if key.to_lowercase().starts_with("aws:") {
            key_error(subject, &at, format!("the tag `{key}` begins with `aws:`, which AWS keeps for itself"), None);
        }
        if value.as_str().is_some_and(|value| value.chars().count() > 256) {
            subject.error(&[&at], format!("`{}` is longer than 256 characters", dotted(&at)), None);
        }
    }
}

fn environment(subject: &mut Subject<'_>) {
    for (name, value) in subject.entries("/environment") {
        let at = join("/environment", name);
        let formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if !formed {
            let message = format!("`{name}` is no name of an environment variable");
            let help = "use letters, digits and underscores, with no digit first";
            key_error(subject, &at, message, Some(help));
        } else if name.starts_with("DECOUPLE_") && name != LOG {
            let message = format!("`{name}` is decouple's own to set");
            key_error(subject, &at, message, Some("`DECOUPLE_LOG` is the only such variable that a blueprint may set"));
        } else if name.starts_with("AWS_") {
            let message =
                format!("`{name}` is decouple's own to set: the target gives workers their credentials and region");
            key_error(subject, &at, message, None);
        }
        if value.as_str().is_some_and(|value| value.contains('\0')) {
            subject.error(&[&at], format!("`{}` must not contain a null character", dotted(&at)), None);
        }
    }
}

fn key_error(subject: &mut Subject<'_>, at: &str, message: String, help: Option<&str>) {
    let place = subject.places.key(at).or_else(|| subject.places.nearest(at)).cloned();
    let mut diagnostic = Diagnostic::error(message, place);
    diagnostic.help = help.map(ToOwned::to_owned);
    subject.diagnostics.push(diagnostic);
}
