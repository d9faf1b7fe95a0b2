//! From YAML to a JSON value that knows where everything stood. Knows nothing of what a blueprint may hold.

use std::{collections::HashMap, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};
use serde_yaml::{DuplicateKeyPolicy, Error, Location, Options, Spanned};

use super::diagnostic::{Diagnostic, Place, Places, dotted, join, mask};

/// How deep maps and lists may nest. A blueprint needs five levels.
const MAX_DEPTH: usize = 64;
/// How many values a file may hold, aliases followed: a small file of aliases of aliases would otherwise fill the memory.
const MAX_NODES: usize = 100_000;

/// What a file says, and where.
#[derive(Debug, Default)]
pub(super) struct Document {
    pub(super) value: Value,
    pub(super) places: Places,
    /// Keys that stand twice or are no text.
    pub(super) diagnostics: Vec<Diagnostic>,
}

/// Reads a file's text. An error is the one mistake beyond which nothing can be read.
pub(super) fn parse(text: &str, file: &str) -> Result<Document, Box<Diagnostic>> {
    let lines = Lines::new(text, file);
    // A file of comments says nothing; the parser would call it an early end.
    if text.lines().all(|line| line.trim_start().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Document { value: Value::Object(Map::new()), ..Document::default() });
    }
    let root: Spanned<Node> =
        serde_yaml::from_str_with_options(text, options()).map_err(|error| Box::new(syntax(&error, &lines)))?;
    let mut reader = Reader { lines, places: Places::default(), diagnostics: Vec::new() };
    let value = reader.value("", root);
    Ok(Document { value, places: reader.places, diagnostics: reader.diagnostics })
}

fn options() -> Options {
    serde_yaml::options! {
        budget: serde_yaml::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        // In YAML 1.1 `y`, `on` and `no` are booleans, which nobody who writes a tag expects.
        strict_booleans: true,
    }
}

fn syntax(error: &Error, lines: &Lines<'_>) -> Diagnostic {
    let place = error.location().and_then(|location| lines.place(location));
    if let Some(words) = in_plain_words(error) {
        return Diagnostic::error(words, place);
    }
    let text = error.to_string();
    // The place is shown beside the message; the parser says it in the message as well.
    let message = text.split(" at line ").next().unwrap_or(&text).lines().next().unwrap_or_default();
    Diagnostic::error(format!("this is not valid YAML: {message}"), place)
}

/// Says what the parser says to programmers only: names of its functions and options, or counts of its own.
fn in_plain_words(error: &Error) -> Option<&'static str> {
    Some(match error {
        Error::MultipleDocuments { .. } => "a blueprint is one YAML document, and here a second one begins",
        Error::UnknownAnchor { .. } => "there is no anchor of this name above; an alias repeats what `&name` marks",
        Error::RecursiveReferencesRequireWeakTypes { .. } => "this alias stands within the value that it repeats",
        Error::MergeValueNotMapOrSeqOfMaps { .. } => "`<<` takes a map, or a list of maps",
        Error::NonFiniteFloat { .. } => "this number is too large, or no number at all",
        Error::BinaryNotUtf8 { .. } | Error::InvalidBinaryBase64 { .. } => {
            "a blueprint has no use for `!!binary` values"
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "this file is nested too deeply or holds too much, aliases followed, to be a blueprint"
        }
        Error::AliasError { error, .. } => return in_plain_words(error),
        _ => return None,
    })
}

/// One value of a file.
#[derive(Debug)]
enum Node {
    Scalar(Value),
    List(Vec<Spanned<Node>>),
    Map(Vec<(Spanned<Node>, Spanned<Node>)>),
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(NodeVisitor)
    }
}

struct NodeVisitor;

impl<'de> Visitor<'de> for NodeVisitor {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Node, E> {
        Ok(Node::Scalar(value.into()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_none<E: de::Error>(self) -> Result<Node, E> {
        Ok(Node::Scalar(Value::Null))
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        Node::deserialize(deserializer)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(item) = list.next_element()? {
            all.push(item);
        }
        Ok(Node::List(all))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut all = Vec::new();
        while let Some(entry) = map.next_entry()? {
            all.push(entry);
        }
        Ok(Node::Map(all))
    }
}

/// Takes a tree apart into its value and its places.
struct Reader<'a> {
    lines: Lines<'a>,
    places: Places,
    diagnostics: Vec<Diagnostic>,
}

impl Reader<'_> {
    fn value(&mut self, pointer: &str, node: Spanned<Node>) -> Value {
        let place = self.lines.place(node.referenced);
        // The whole document has no key to stand for it.
        if let Some(place) = place.clone().filter(|_| pointer.is_empty()) {
            self.places.insert_value(String::new(), Place { length: 1, ..place });
        }
        match node.value {
            Node::Scalar(scalar) => {
                // Nothing is written where null stands, so its key is the place.
                if let Some(place) = place.filter(|_| !scalar.is_null()) {
                    self.places.insert_value(pointer.to_owned(), place);
                }
                scalar
            }
            Node::List(items) => {
                let value = |(index, item)| self.value(&format!("{pointer}/{index}"), item);
                Value::Array(items.into_iter().enumerate().map(value).collect())
            }
            Node::Map(entries) => self.map(pointer, entries),
        }
    }

    fn map(&mut self, pointer: &str, entries: Vec<(Spanned<Node>, Spanned<Node>)>) -> Value {
        let mut map = Map::new();
        let mut first: HashMap<String, Option<usize>> = HashMap::new();
        for (key, value) in entries {
            let place = self.lines.place(key.referenced);
            let Some(name) = name(key.value) else {
                self.diagnostics.push(Diagnostic::error("a key must be a text", place));
                continue;
            };
            let pointer = join(pointer, &name);
            if let Some(line) = first.get(&name) {
                let message = format!("`{}` stands here twice", dotted(&pointer));
                let first = line.map(|line| format!("the first one is on line {line}; keep one of them"));
                let help = first.unwrap_or_else(|| "keep one of them".to_owned());
                self.diagnostics.push(Diagnostic::error(message, place).help(help));
                continue;
            }
            first.insert(name.clone(), place.as_ref().map(|place| place.line));
            if let Some(place) = place {
                self.places.insert_key(pointer.clone(), place);
            }
            let value = self.value(&pointer, value);
            map.insert(name, value);
        }
        Value::Object(map)
    }
}

fn name(key: Node) -> Option<String> {
    match key {
        Node::Scalar(Value::String(text)) => Some(text),
        Node::Scalar(scalar @ (Value::Number(_) | Value::Bool(_))) => Some(scalar.to_string()),
        _ => None,
    }
}

/// The lines of a file.
struct Lines<'a> {
    file: &'a str,
    lines: Vec<&'a str>,
}

impl<'a> Lines<'a> {
    fn new(text: &'a str, file: &'a str) -> Self {
        Self { file, lines: text.trim_start_matches('\u{feff}').lines().collect() }
    }

    /// Returns the place of what the parser read, cut at the end of its first line.
    fn place(&self, location: Location) -> Option<Place> {
        if location.line() == 0 {
            return None;
        }
        let wanted = usize::try_from(location.line()).ok()?;
        // An early end is told one line past the last.
        let line = wanted.min(self.lines.len()).max(1);
        let text = self.lines.get(line - 1).copied().unwrap_or_default();
        let width = text.trim_end().chars().count();
        let column = match usize::try_from(location.column()) {
            Ok(column) if line == wanted => column.clamp(1, width + 1),
            _ => width + 1,
        };
        let length = usize::try_from(location.span().len()).unwrap_or(1).clamp(1, (width + 1 - column).max(1));
        Some(Place { file: self.file.to_owned(), line, column, length, text: mask(text.trim_end()) })
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use serde_json::json;

    use super::*;

    #[test]
    fn values_keys_and_list_items_have_places() {
        let text = "name: photos\ngroups:\n  web: { instances: [1, 22] }\n  # ü\n  all: &x\n    q: \"a b\"\n  y: *x\n";
        let document = parse(text, "f.yaml").unwrap();
        assert_eq!(
            document.value,
            json!({"name": "photos", "groups": {"web": {"instances": [1, 22]}, "all": {"q": "a b"}, "y": {"q": "a b"}}})
        );
        let at = |pointer: &str| document.places.of(pointer).map(|place| (place.line, place.column, place.length));
        assert_eq!(at("/name"), Some((1, 7, 6)));
        assert_eq!(at("/groups/web/instances"), Some((3, 10, 9)));
        assert_eq!(at("/groups/web/instances/1"), Some((3, 25, 2)));
        assert_eq!(at("/groups/all/q"), Some((6, 8, 5)));
        assert_eq!(document.places.key("/name").map(|place| place.column), Some(1));
        assert_eq!(at("/nothing"), None);
    }

    #[test]
    fn an_empty_file_says_nothing() {
        for text in ["", "\n", "# only\n  # comments", "   "] {
            assert_eq!(parse(text, "f.yaml").unwrap().value, json!({}), "{text:?}");
        }
    }

    #[test]
    fn merge_keys_fill_in_what_a_map_does_not_say() {
        for text in [
            "a: &a { x: 1, y: { z: 2 } }\nb:\n  <<: *a\n  x: 3\n",
            "a: &a { x: 1, y: { z: 2 } }\nb: { x: 3, <<: *a }\n",
        ] {
            let document = parse(text, "f.yaml").unwrap();
            assert_eq!(document.value, json!({"a": {"x": 1, "y": {"z": 2}}, "b": {"x": 3, "y": {"z": 2}}}));
            assert_eq!(document.diagnostics, []);
        }
    }

    #[test]
    fn aliases_of_aliases_are_refused() {
        let mut text = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1]\n".to_owned();
        for level in 1..12 {
            let alias = format!("*a{}", level - 1);
            let _ = writeln!(text, "a{level}: &a{level} [{}]", vec![alias; 9].join(", "));
        }
        assert!(parse(&text, "f.yaml").is_err());
    }
}
