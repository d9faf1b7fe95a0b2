//! Shows what is wrong with a blueprint the way rustc does: message, place, line, carets, help.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};

use crate::blueprint::{Diagnostic, Place};

/// Returns the text of diagnostics, with an empty line between two and none at the end.
pub fn render(diagnostics: &[Diagnostic], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
    let texts: Vec<String> = diagnostics.iter().map(|diagnostic| one(diagnostic, &renderer)).collect();
    texts.join("\n\n")
}

fn one(diagnostic: &Diagnostic, renderer: &Renderer) -> String {
    let level = if diagnostic.is_error() { Level::ERROR } else { Level::WARNING };
    let title = level.primary_title(diagnostic.message.as_str());
    let help = diagnostic.help.as_deref().map(|help| Level::HELP.message(help));
    let group = match &diagnostic.place {
        // Without a line there is nothing to underline, but the file is worth naming.
        Some(place) if place.text.is_empty() => Group::with_title(title)
            .element(Origin::path(place.file.as_str()).line(place.line).char_column(place.column)),
        Some(place) => Group::with_title(title).element(
            Snippet::source(place.text.as_str())
                .line_start(place.line)
                .path(place.file.as_str())
                .annotation(AnnotationKind::Primary.span(bytes(place))),
        ),
        None => Group::with_title(title),
    };
    renderer.render(&[group.elements(help)])
}

/// Turns columns in characters into an offset in bytes, within the line whatever the place says.
fn bytes(place: &Place) -> std::ops::Range<usize> {
    let offset =
        |character: usize| place.text.char_indices().nth(character).map_or(place.text.len(), |(offset, _)| offset);
    let start = place.column.saturating_sub(1);
    offset(start)..offset(start.saturating_add(place.length))
}
