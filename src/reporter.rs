//! What a long-running operation tells whoever started it. No terminal here: `ui` renders what it is told.

use serde::{Deserialize, Serialize};

/// Something that happened while an operation ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// A part moved on. The same part is told of again and again until it is done or failed.
    Part {
        /// The part, as in `group/web`.
        part: String,
        /// How far it is.
        state: State,
        /// What it waits for, or what came of it, in people's words.
        detail: String,
    },
    /// Nothing has happened for a while; what goes on all the same. Whoever sees every part does not need it.
    Still {
        /// What goes on, and since when.
        message: String,
    },
    /// Something worth knowing that belongs to no part, such as a port that was taken.
    Note {
        /// What there is to know.
        message: String,
    },
}

/// How far a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum State {
    /// It is being worked on.
    Working,
    /// It is as it should be.
    Done,
    /// It failed.
    Failed,
}

/// Takes events, from any thread.
pub trait Reporter: Send + Sync {
    /// Takes one event. It must not block for long: the operation waits meanwhile.
    fn report(&self, event: Event);
}

/// A reporter that nobody listens to.
pub struct Nobody;

impl Reporter for Nobody {
    fn report(&self, _event: Event) {}
}

/// Shorthands for the events of one part.
pub trait ReporterExt: Reporter {
    /// Tells what a part waits for.
    fn working(&self, part: &impl ToString, detail: impl Into<String>) {
        self.part(part, State::Working, detail);
    }

    /// Tells that a part is as it should be.
    fn done(&self, part: &impl ToString, detail: impl Into<String>) {
        self.part(part, State::Done, detail);
    }

    /// Tells that a part failed.
    fn failed(&self, part: &impl ToString, detail: impl Into<String>) {
        self.part(part, State::Failed, detail);
    }

    /// Tells something that belongs to no part.
    fn note(&self, message: impl Into<String>) {
        self.report(Event::Note { message: message.into() });
    }

    /// Tells how far a part is.
    fn part(&self, part: &impl ToString, state: State, detail: impl Into<String>) {
        self.report(Event::Part { part: part.to_string(), state, detail: detail.into() });
    }
}

impl<R: Reporter + ?Sized> ReporterExt for R {}
