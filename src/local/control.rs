//! What the command line and an environment's background process say to each other: one JSON object a line, over a Unix
//! socket in the environment's own directory.
//!
//! A connection carries one request. Its answer is any number of events and then a result.

use serde::{Deserialize, Serialize};

use super::plan::Plan;
use crate::{
    reporter::Event,
    status::{Outputs, Report},
};

/// What is asked of the background process.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "request", rename_all = "kebab-case")]
pub enum Request {
    /// Which version are you?
    Hello,
    /// Run this.
    Apply {
        /// What should run.
        plan: Box<Plan>,
    },
    /// How is everything?
    Status,
    /// Stop everything, then yourself.
    Stop,
}

/// What the background process answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "kebab-case")]
pub enum Answer {
    /// Something happened; more will follow.
    Event {
        /// What happened.
        event: Event,
    },
    /// Answers `Hello`.
    Version {
        /// Version of decouple that runs.
        version: String,
    },
    /// Answers `Apply`.
    Applied {
        /// Where things are.
        outputs: Outputs,
        /// Whether anything had to be changed.
        changed: bool,
    },
    /// Answers `Status`.
    Status {
        /// How everything is.
        report: Box<Report>,
    },
    /// Answers `Stop`: all is stopped.
    Stopped,
    /// It could not be done.
    Failed {
        /// Whether that is because another request said stop meanwhile.
        cancelled: bool,
        /// What happened, naming the part.
        message: String,
        /// What to do.
        hints: Vec<String>,
    },
}
