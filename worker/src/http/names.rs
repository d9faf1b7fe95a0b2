//! File names as they come with an upload and go with a download.

use http::HeaderMap;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// Longer file names are cut: they are only shown.
const LONGEST: usize = 255;
/// What stands for itself in `filename*` (RFC 8187).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'.').remove(b'-').remove(b'_');

/// Finds a name in `X-Filename` (percent-encoded), in `Content-Disposition`, or after `?filename=`.
pub(super) fn of(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    let header = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let after = |query: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(name, _)| *name == "filename").map(|(_, value)| decode(&value.replace('+', " ")))
    };
    header("x-filename")
        .map(decode)
        .or_else(|| header("content-disposition").and_then(disposition))
        .or_else(|| query.and_then(after))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn disposition(value: &str) -> Option<String> {
    let mut plain = None;
    for parameter in parameters(value).skip(1) {
        let Some((name, value)) = parameter.split_once('=') else { continue };
        match name.trim().to_ascii_lowercase().as_str() {
            "filename*" => return value.trim().splitn(3, '\'').nth(2).map(decode),
            "filename" => plain = Some(value.trim().trim_matches('"').replace("\\\"", "\"")),
            _ => {}
        }
    }
    plain
}

/// Splits a header's value at semicolons, but not at those that stand in quotes.
fn parameters(value: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    value.split(move |character| {
        let (was_quoted, was_escaped) = (quoted, escaped);
        escaped = was_quoted && !was_escaped && character == '\\';
        quoted = was_quoted != (character == '"' && !was_escaped);
        character == ';' && !was_quoted
    })
}

/// Makes a name fit to be shown: it is no path, and holds no control characters, nor any by which it would read as another.
pub(super) fn clean(name: &str) -> String {
    let last = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let shown: String = last.chars().filter(|one| !one.is_control() && !turns_text(*one)).collect();
    let mut end = shown.len().min(LONGEST);
    while !shown.is_char_boundary(end) {
        end -= 1;
    }
    let shown = shown[..end].trim();
    if shown.is_empty() { "photo".to_owned() } else { shown.to_owned() }
}

/// Tells whether a character changes in which direction those around it are shown (Unicode's `Bidi_Control`).
fn turns_text(character: char) -> bool {
    matches!(
        character,
        '\u{61C}' | '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}'
    )
}

/// Writes the header under which a browser shows a file, and saves it by its name when asked to.
pub(super) fn inline(name: &str) -> String {
    format!("inline; filename*=UTF-8''{}", utf8_percent_encode(name, KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_path() {
        assert_eq!(clean("../../etc/passwd"), "passwd");
        assert_eq!(clean("C:\\photos\\cat.png"), "cat.png");
        assert_eq!(clean("a\u{0}b\n.png"), "ab.png");
        assert_eq!(clean("///"), "photo");
        assert_eq!(clean("cat\u{202E}gpj.exe\u{2066}"), "catgpj.exe");
        assert_eq!(clean("\u{5D0}\u{5D1}.png"), "\u{5D0}\u{5D1}.png");
        assert!(clean(&"é".repeat(400)).len() <= LONGEST);
    }

    #[test]
    fn a_name_is_found_wherever_it_stands() {
        let with = |header: &'static str, value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header, value.parse().unwrap());
            headers
        };
        assert_eq!(of(&with("x-filename", "caf%C3%A9.png"), None).unwrap(), "café.png");
        assert_eq!(of(&with("content-disposition", "attachment; filename=\"a b.png\""), None).unwrap(), "a b.png");
        let odd = "attachment; filename=\"a;b=\\\";c.png\"; x;";
        assert_eq!(of(&with("content-disposition", odd), None).unwrap(), "a;b=\";c.png");
        let both = "form-data; filename=\"x.png\"; filename*=UTF-8''caf%C3%A9.png";
        assert_eq!(of(&with("content-disposition", both), None).unwrap(), "café.png");
        assert_eq!(of(&HeaderMap::new(), Some("x=1&filename=a+b%21.png")).unwrap(), "a b!.png");
        assert_eq!(of(&HeaderMap::new(), None), None);
    }

    #[test]
    fn a_name_cannot_leave_its_header() {
        assert_eq!(inline("a\"; x=\r\n.png"), "inline; filename*=UTF-8''a%22%3B%20x%3D%0D%0A.png");
    }
}
