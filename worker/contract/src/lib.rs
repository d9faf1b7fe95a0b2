//! What the CLI and the worker agree on, and nothing else: the names of the environment variables, the settings that
//! travel in them, the task message, and times that both go by.
//!
//! A worker of the user's own is held to the same contract, so everything here is documented for people too
//! (`docs/worker.md`). This crate must stay tiny: the CLI would otherwise inherit image and model libraries from it.

pub mod env;
mod role;
mod settings;
mod task;
pub mod timing;

pub use role::{ParseRoleError, Role};
pub use settings::{Animation, Colour, Format, ParseColourError, Renditions, Tagging};
pub use task::{Task, TaskError, VERSION};
