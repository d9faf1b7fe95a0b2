//! Blueprints: what a person writes, checked in one go, and lowered to a topology.
//!
//! Owns the file format, its defaults, its schema and its mistakes. It knows nothing of any target, and starts nothing.

mod checks;
mod diagnostic;
mod load;
mod lowering;
mod merge;
pub mod model;
mod quantity;
mod reference;
mod roles;
mod schema;
mod structure;
#[cfg(test)]
mod tests;
mod yaml;

pub use diagnostic::{Diagnostic, Place, Places, Severity};
pub use load::{Glance, LoadError, Loaded, Selection, glance, load};
pub use lowering::lower;
pub use model::{Blueprint, Stage, Target};
pub use quantity::{Bytes, ParseQuantityError, Span};
pub use reference::reference;
pub use schema::schema;

/// Returns the text of a stage's built-in blueprint: the defaults of everything that a file leaves out.
pub const fn built_in(stage: Stage) -> &'static str {
    match stage {
        Stage::Elb => include_str!("../../blueprints/elb.yaml"),
        Stage::ElbSqs => include_str!("../../blueprints/elb-sqs.yaml"),
        Stage::SnsSqs => include_str!("../../blueprints/sns-sqs.yaml"),
    }
}
