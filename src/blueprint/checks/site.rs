//! The site: its name, its tags, and the environment of its workers.

use super::Subject;
use crate::blueprint::diagnostic::{dotted, join};

/// AWS takes 50 tags; decouple adds six: what it belongs to (site, environment, stage, part), a name, and when it expires.
const MAX_TAGS: usize = 44;
/// Characters of tags beside letters, digits and spaces.
const TAG_SIGNS: &str = "_.:/=+-@";
/// Words that AWS keeps for the beginning of names of its own.
const KEPT_WORDS: [&str; 3] = ["internal", "sthree", "amzn-s3-demo"];
/// The one variable of decouple's own that is the user's to set.
const LOG: &str = "DECOUPLE_LOG";

pub(super) fn check(subject: &mut Subject<'_>) {
    name(subject);
    tags(subject);
    environment(subject);
}

/// The form is the schema's. AWS adds to it: a database's name has no two hyphens in a row, and some words may not begin
/// the name of a load balancer or a bucket. The environment follows after a hyphen, so the bare word counts as well.
fn name(subject: &mut Subject<'_>) {
    let Some(name) = subject.text("/name") else { return };
    if name.contains("--") {
        subject.error(&["/name"], "`name` must not have two hyphens in a row: AWS refuses such names", None);
    }
    let begins = |word: &str| name.strip_prefix(word).is_some_and(|rest| rest.is_empty() || rest.starts_with('-'));
    if let Some(word) = KEPT_WORDS.into_iter().find(|word| begins(word)) {
        let message = format!("`name` must not begin with `{word}`: AWS refuses such names");
        subject.error(&["/name"], message, "put another word first".to_owned());
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
            subject.key_error(&at, message, None);
        }
        if key.to_lowercase().starts_with("aws:") {
            subject.key_error(&at, format!("the tag `{key}` begins with `aws:`, which AWS keeps for itself"), None);
        }
        if let Some(sign) = refused_sign(key) {
            subject.key_error(&at, format!("the tag `{key}` has `{sign}` in it, which AWS refuses"), Some(TAG_HELP));
        }
        let Some(value) = value.as_str() else { continue };
        if value.chars().count() > 256 {
            subject.error(&[&at], format!("`{}` is longer than 256 characters", dotted(&at)), None);
        }
        if let Some(sign) = refused_sign(value) {
            let message = format!("the value of `{}` has `{sign}` in it, which AWS refuses", dotted(&at));
            subject.error(&[&at], message, TAG_HELP.to_owned());
        }
    }
}

const TAG_HELP: &str = "use letters, digits, spaces and _ . : / = + - @";

fn refused_sign(text: &str) -> Option<char> {
    let taken = |c: char| c.is_alphanumeric() || (c.is_whitespace() && !c.is_control()) || TAG_SIGNS.contains(c);
    text.chars().find(|c| !taken(*c))
}

fn environment(subject: &mut Subject<'_>) {
    for (name, value) in subject.entries("/environment") {
        let at = join("/environment", name);
        let formed = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
            && name.bytes().next().is_some_and(|byte| !byte.is_ascii_digit());
        if !formed {
            let message = format!("`{name}` is no name of an environment variable");
            let help = "use letters, digits and underscores, with no digit first";
            subject.key_error(&at, message, Some(help));
        } else if name.starts_with("DECOUPLE_") && name != LOG {
            let message = format!("`{name}` is decouple's own to set");
            subject.key_error(&at, message, Some("`DECOUPLE_LOG` is the only such variable that a blueprint may set"));
        } else if name.starts_with("AWS_") {
            let message =
                format!("`{name}` is decouple's own to set: the target gives workers their credentials and region");
            subject.key_error(&at, message, None);
        }
        if value.as_str().is_some_and(|value| value.contains('\0')) {
            subject.error(&[&at], format!("`{}` must not contain a null character", dotted(&at)), None);
        }
    }
}
