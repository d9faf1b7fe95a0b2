//! What is wrong with a blueprint, and where in its file that stands.
//!
//! Owns messages and places; it does not decide what is wrong, and does not write to the terminal.

use std::collections::HashMap;

use serde::Serialize;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The blueprint cannot be used.
    Error,
    /// It can be used, though probably not with the result that was meant.
    Warning,
}

/// One thing that is wrong with a blueprint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// What is wrong, naming the key.
    pub message: String,
    /// Where it stands. There is none for what no file says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
}

impl Diagnostic {
    /// Makes an error.
    pub fn error(message: impl Into<String>, place: Option<Place>) -> Self {
        Self { severity: Severity::Error, message: printable(message.into()), place, help: None }
    }

    /// Makes a warning.
    pub fn warning(message: impl Into<String>, place: Option<Place>) -> Self {
        Self { severity: Severity::Warning, message: printable(message.into()), place, help: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(printable(help.into()));
        self
    }

    /// Tells whether the blueprint cannot be used because of this.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }
}

/// Puts diagnostics in the order of the file; what has no place comes last.
pub(super) fn sort(diagnostics: &mut Vec<Diagnostic>) {
    let rank =
        |diagnostic: &Diagnostic| diagnostic.place.as_ref().map_or((usize::MAX, 0), |place| (place.line, place.column));
    diagnostics.sort_by_key(rank);
    diagnostics.dedup();
}

/// A piece of one line of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file, as it was named.
    pub file: String,
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// Number of characters, at least 1.
    pub length: usize,
    /// The whole line. A password in it is masked.
    pub text: String,
}

/// The places of everything that a file says, by JSON pointer.
#[derive(Debug, Clone, Default)]
pub struct Places {
    values: HashMap<String, Place>,
    keys: HashMap<String, Place>,
}

impl Places {
    /// Returns the place of a value. For a map or a list that is its key's.
    pub fn of(&self, pointer: &str) -> Option<&Place> {
        self.values.get(pointer).or_else(|| self.keys.get(pointer))
    }

    /// Returns the place of a key.
    pub fn key(&self, pointer: &str) -> Option<&Place> {
        self.keys.get(pointer).or_else(|| self.values.get(pointer))
    }

    /// Returns the place of a value, or of the innermost thing around it that the file has.
    pub(super) fn nearest(&self, pointer: &str) -> Option<&Place> {
        let mut pointer = pointer;
        loop {
            if let Some(place) = self.of(pointer) {
                return Some(place);
            }
            pointer = &pointer[..pointer.rfind('/')?];
        }
    }

    /// Returns the place that decides about a key: its own, or that of the innermost thing around it that the file has. A
    /// file that has neither leaves it to the built-in blueprint, so there is none.
    pub fn deciding(&self, pointer: &str) -> Option<&Place> {
        let mut pointer = pointer;
        while !pointer.is_empty() {
            if let Some(place) = self.key(pointer) {
                return Some(place);
            }
            pointer = &pointer[..pointer.rfind('/').unwrap_or_default()];
        }
        None
    }

    pub(super) fn insert_value(&mut self, pointer: String, place: Place) {
        self.values.insert(pointer, place);
    }

    pub(super) fn insert_key(&mut self, pointer: String, place: Place) {
        self.keys.insert(pointer, place);
    }
}

/// Adds a key to a JSON pointer.
pub(super) fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Returns a JSON pointer as people write it: `groups.web.instances`.
pub(super) fn dotted(pointer: &str) -> String {
    let mut out = String::new();
    for part in pointer.split('/').skip(1) {
        let part = part.replace("~1", "/").replace("~0", "~");
        if part.bytes().all(|byte| byte.is_ascii_digit()) && !out.is_empty() {
            out.push('[');
            out.push_str(&part);
            out.push(']');
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(&part);
        }
    }
    out
}

/// Writes control characters as YAML would: a key from the file must not break the line or reach the terminal.
fn printable(text: String) -> String {
    if !text.contains(char::is_control) {
        return text;
    }
    text.chars().fold(String::new(), |mut out, c| {
        if c.is_control() {
            out.extend(c.escape_default());
        } else {
            out.push(c);
        }
        out
    })
}

/// Masks the password of every URL in a line, with as many characters, so that columns stay right.
pub(super) fn mask(line: &str) -> String {
    let mut out = String::new();
    let mut rest = line;
    while let Some(start) = rest.find("://") {
        let (before, after) = rest.split_at(start + 3);
        out.push_str(before);
        let (url, further) = after.split_at(end_of_url(before, after));
        let (authority, path) = url.split_at(url.rfind('@').unwrap_or(0));
        match authority.split_once(':') {
            Some((user, password)) => {
                out.push_str(user);
                out.push(':');
                stars(&mut out, password);
            }
            None => out.push_str(authority),
        }
        mask_query(&mut out, path);
        rest = further;
    }
    out.push_str(rest);
    out
}

/// Finds where the text ends that a URL begins: at its quote or, without one, at a comment. Not at a space: a password with
/// a space in it makes no URL, and must not be shown for that.
fn end_of_url(before: &str, after: &str) -> usize {
    let scheme = before.trim_end_matches("://").trim_end_matches(|c: char| c.is_ascii_alphanumeric() || c == '+');
    let end = match scheme.chars().next_back() {
        Some(quote @ ('"' | '\'')) => after.find(quote),
        _ => after.find(" #"),
    };
    end.unwrap_or(after.len())
}

/// `PostgreSQL` takes a password among the parameters, too.
fn mask_query(out: &mut String, path: &str) {
    const PARAMETER: &str = "password=";
    let mut rest = path;
    while let Some(start) = rest.to_ascii_lowercase().find(PARAMETER) {
        let (before, after) = rest.split_at(start + PARAMETER.len());
        let (password, further) = after.split_at(after.find('&').unwrap_or(after.len()));
        out.push_str(before);
        stars(out, password);
        rest = further;
    }
    out.push_str(rest);
}

fn stars(out: &mut String, secret: &str) {
    out.extend(secret.chars().map(|_| '*'));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_masked_and_columns_stay() {
        for (line, masked) in [
            ("url: postgres://me:secret@host/db", "url: postgres://me:******@host/db"),
            ("url: postgres://me:a@b/c@host/db # x", "url: postgres://me:*****@host/db # x"),
            ("url: postgres://h/d?user=m&password=abc&x=1", "url: postgres://h/d?user=m&password=***&x=1"),
            ("url: postgres://me@host:5432/db", "url: postgres://me@host:5432/db"),
            ("url: \"postgres://m:ü@h\" x://", "url: \"postgres://m:*@h\" x://"),
            ("url: \"postgres://me:a b@h/d\" # me@home", "url: \"postgres://me:***@h/d\" # me@home"),
            ("url: postgres://me:a b@h/d # me@home", "url: postgres://me:***@h/d # me@home"),
            ("{ url: 'postgres://me:ab@h', x: y@z }", "{ url: 'postgres://me:**@h', x: y@z }"),
            ("name: photos", "name: photos"),
        ] {
            assert_eq!(mask(line), masked);
        }
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        let diagnostic = Diagnostic::error("no `a\n\u{1b}[2J`", None).help("ü\t");
        assert_eq!((diagnostic.message.as_str(), diagnostic.help.as_deref()), (r"no `a\n\u{1b}[2J`", Some(r"ü\t")));
    }

    #[test]
    fn pointers_are_written_as_people_do() {
        assert_eq!(dotted("/groups/web/instance_types/0"), "groups.web.instance_types[0]");
        assert_eq!(dotted(&join("/tags", "a/b~c")), "tags.a/b~c");
        assert_eq!(dotted(""), "");
    }
}
