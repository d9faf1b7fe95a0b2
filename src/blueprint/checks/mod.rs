//! What the schema cannot say: values that do not go together, and values that AWS or a worker would refuse later.
//!
//! A check looks at the merged document rather than at the types, so that it can speak though something else is wrong.

mod catalog;
mod groups;
mod network;
mod queues;
mod ranges;
mod site;
mod stores;

use std::path::Path;

use serde_json::Value;

use super::{
    diagnostic::{Diagnostic, Place, Places},
    model::Stage,
    quantity::Span,
};

/// Finds everything in a whole blueprint that cannot work.
pub(super) fn check(
    blueprint: &Value,
    stage: Stage,
    places: &Places,
    base_dir: &Path,
    diagnostics: &mut Vec<Diagnostic>,
) {
    let mut subject = Subject { blueprint, places, base_dir, diagnostics };
    ranges::check(&mut subject);
    site::check(&mut subject);
    groups::check(&mut subject, stage);
    queues::check(&mut subject);
    stores::check(&mut subject);
    network::check(&mut subject);
    catalog::check(&mut subject);
}

/// A document under check. What cannot be read as its type is None: the structural check has told it.
struct Subject<'a> {
    blueprint: &'a Value,
    places: &'a Places,
    base_dir: &'a Path,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl<'a> Subject<'a> {
    fn get(&self, pointer: &str) -> Option<&'a Value> {
        self.blueprint.pointer(pointer)
    }

    fn number(&self, pointer: &str) -> Option<u64> {
        self.get(pointer)?.as_u64()
    }

    fn text(&self, pointer: &str) -> Option<&'a str> {
        self.get(pointer)?.as_str()
    }

    fn span(&self, pointer: &str) -> Option<Span> {
        self.text(pointer)?.parse().ok()
    }

    fn list(&self, pointer: &str) -> &'a [Value] {
        self.get(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    fn entries(&self, pointer: &str) -> impl Iterator<Item = (&'a String, &'a Value)> + use<'a> {
        self.get(pointer).and_then(Value::as_object).into_iter().flatten()
    }

    /// Returns a length of time that is within its field's limits. Another one is told already, and compares with nothing.
    fn sound_span(&self, pointer: &str) -> Option<Span> {
        ranges::is_within(pointer, self.text(pointer)?)?.then(|| self.span(pointer))?
    }

    /// Returns the place of the first of several values that the file itself says.
    fn place(&self, pointers: &[&str]) -> Option<Place> {
        let said = pointers.iter().find_map(|pointer| self.places.of(pointer));
        said.or_else(|| self.places.nearest(pointers.first()?)).cloned()
    }

    /// Tells a mistake about a key.
    fn key_error(&mut self, pointer: &str, message: String, help: Option<&str>) {
        let place = self.places.key(pointer).or_else(|| self.places.nearest(pointer)).cloned();
        self.tell(Diagnostic::error(message, place), help.map(ToOwned::to_owned));
    }

    fn tell(&mut self, diagnostic: Diagnostic, help: Option<String>) {
        self.diagnostics.push(match help {
            Some(help) => diagnostic.help(help),
            None => diagnostic,
        });
    }

    /// Tells a mistake about a value and, where others matter as well, at the first of them that the file says.
    fn error(&mut self, pointers: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.tell(Diagnostic::error(message, self.place(pointers)), help.into());
    }

    fn warning(&mut self, pointers: &[&str], message: impl Into<String>, help: impl Into<Option<String>>) {
        self.tell(Diagnostic::warning(message, self.place(pointers)), help.into());
    }
}
