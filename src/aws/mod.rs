//! The target `aws`: what is done to an account, through CloudFormation, and what is read back from its services.
//!
//! Owns every call to AWS but those that both targets make (`services`). It is given a template and gives back changes,
//! events and reports: it lowers nothing, asks nobody, and knows no terminal. Every operation may be repeated.

pub mod artifacts;
pub mod cause;
pub mod change_set;
pub mod changes;
pub mod data;
pub mod environments;
mod error;
pub mod events;
pub mod last_words;
mod launches;
pub mod live;
pub mod logs;
pub mod operation;
pub mod outputs;
mod pace;
mod progress;
pub mod ready;
pub mod refusals;
mod session;
pub mod stack;

pub use error::Error;
pub use session::{Login, Session};
