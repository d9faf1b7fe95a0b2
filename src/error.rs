//! The command line's error: a kind, which alone decides the exit code, a message, and what to do.
//!
//! Domain modules have error types of their own; only `commands` turns them into this one.

use std::{error::Error as StdError, fmt};

use serde::Serialize;

use crate::blueprint::Diagnostic;

/// What went wrong, as far as a script needs to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A resource or a process failed.
    Failed,
    /// The command line is not valid.
    Usage,
    /// The blueprint is not valid.
    Blueprint,
    /// Nobody is logged in, or the login has expired.
    Credentials,
    /// Whoever is logged in may not do it.
    Denied,
    /// There is no such environment.
    NotFound,
    /// Another run works on the environment.
    Locked,
    /// The user said stop.
    Cancelled,
    /// It took too long.
    TimedOut,
    /// A bug in decouple.
    Bug,
}

impl Kind {
    /// Returns the process's exit code. This is the one table of them.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Failed => 1,
            Self::Usage | Self::Blueprint => 2,
            Self::Credentials | Self::Denied => 3,
            Self::NotFound => 4,
            Self::Locked => 6,
            Self::Cancelled => 8,
            Self::TimedOut => 9,
            Self::Bug => 70,
        }
    }
}

/// An error as the user sees it.
#[derive(Debug, Serialize)]
pub struct Error {
    /// What went wrong, as far as a script needs to know.
    pub kind: Kind,
    /// What happened, naming the file, the part or the key that it is about.
    pub message: String,
    /// What to do; whole commands where there is one.
    pub hints: Vec<String>,
    /// The mistakes of a blueprint, each with its place.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnostics: Vec<Diagnostic>,
}

impl Error {
    /// Makes an error without a hint.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hints: Vec::new(), diagnostics: Vec::new() }
    }

    /// Makes a failure out of a domain error, its causes included.
    pub fn failed(error: &(dyn StdError + 'static)) -> Self {
        Self::new(Kind::Failed, chain(error))
    }

    /// Adds something to do.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl StdError for Error {}

/// Writes an error and its causes in one line. A cause that its parent's message holds already is not said twice.
pub fn chain(error: &(dyn StdError + 'static)) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let text = cause.to_string();
        if !message.contains(&text) {
            message.push_str(": ");
            message.push_str(&text);
        }
        source = cause.source();
    }
    message
}
