//! Blueprints as a user meets them: text in, blueprint or rendered mistakes out.

mod generated;
mod loading;
mod mistakes;
mod robustness;

use std::path::Path;

use super::{Loaded, Selection, load::LoadError};
use crate::ui::diagnostics::render;

/// Checks a text without flags, as if it stood in `decouple.yaml`.
fn check(text: &str) -> Result<Loaded, LoadError> {
    super::load::check(text, "decouple.yaml", Path::new("/site"), &Selection::default())
}

/// Returns what the terminal would show for a text, warnings included.
fn shown(text: &str) -> String {
    match check(text) {
        Ok(loaded) => render(&loaded.warnings, false),
        Err(LoadError::Invalid(diagnostics)) => render(&diagnostics, false),
        Err(error) => error.to_string(),
    }
}
