//! The message that `web` sends and consumers receive.

use serde::{Deserialize, Serialize};

/// The version of the task message that this build writes.
pub const VERSION: u32 = 1;

/// One photo to be worked on. It holds a key, never the photo: SNS takes 256 KB.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Task {
    /// Version of the message's shape.
    pub version: u32,
    /// The photo's id.
    pub image: String,
    /// Key of the original in the bucket.
    pub key: String,
    /// When the upload was accepted, RFC 3339 in UTC.
    pub uploaded_at: String,
}

/// A message that is not a task of a version that this build knows.
#[derive(Debug, thiserror::Error)]
pub enum TaskError {
    /// The body is not the JSON of a task.
    #[error("the message is not a task: {0}")]
    Malformed(String),
    /// The body is a task of a later version.
    #[error("the task is of version {found}, this worker knows version {VERSION}; update the worker")]
    Version {
        /// The version that the message states.
        found: u32,
    },
}

impl Task {
    /// Returns a task of the current version.
    pub fn new(image: impl Into<String>, key: impl Into<String>, uploaded_at: impl Into<String>) -> Self {
        Self { version: VERSION, image: image.into(), key: key.into(), uploaded_at: uploaded_at.into() }
    }

    /// Reads the body of a message. Unknown fields are ignored, so that a field can be added without a new version.
    pub fn from_json(body: &str) -> Result<Self, TaskError> {
        let task: Self = serde_json::from_str(body).map_err(|error| TaskError::Malformed(error.to_string()))?;
        if task.version == VERSION { Ok(task) } else { Err(TaskError::Version { found: task.version }) }
    }

    /// Returns the body of the message.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("a task has string keys and no failing field")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_reads_back_and_ignores_what_it_does_not_know() {
        let task = Task::new("1", "originals/1", "2026-11-23T12:00:00Z");
        assert_eq!(Task::from_json(&task.to_json()).unwrap(), task);
        let more = r#"{"version":1,"image":"1","key":"originals/1","uploaded_at":"2026-11-23T12:00:00Z","trace":"x"}"#;
        assert_eq!(Task::from_json(more).unwrap(), task);
    }

    #[test]
    fn a_later_version_and_a_foreign_message_are_told_apart() {
        let later = r#"{"version":2,"image":"1","key":"k","uploaded_at":"t"}"#;
        assert!(matches!(Task::from_json(later), Err(TaskError::Version { found: 2 })));
        assert!(matches!(Task::from_json("hello"), Err(TaskError::Malformed(_))));
    }
}
