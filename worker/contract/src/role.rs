//! The roles that one worker program can take.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What a group of workers does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Serves uploads and does all the work while the uploader waits (stage `elb`).
    All,
    /// Serves uploads, stores them and sends a task (stages `elb-sqs` and `sns-sqs`).
    Web,
    /// Resizes and tags (stage `elb-sqs`).
    Process,
    /// Resizes (stage `sns-sqs`).
    Resize,
    /// Tags (stage `sns-sqs`).
    Tag,
}

impl Role {
    /// Every role, in the order in which a photo meets them.
    pub const ALL: [Self; 5] = [Self::All, Self::Web, Self::Process, Self::Resize, Self::Tag];

    /// Returns the name that stands in blueprints and in `DECOUPLE_ROLE`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Web => "web",
            Self::Process => "process",
            Self::Resize => "resize",
            Self::Tag => "tag",
        }
    }

    /// Tells whether this role serves uploads behind the balancer.
    pub const fn serves(self) -> bool {
        matches!(self, Self::All | Self::Web)
    }

    /// Tells whether this role receives tasks from a queue.
    pub const fn consumes(self) -> bool {
        !self.serves()
    }

    /// Tells whether an uploader waits until this role has resized and tagged the photo.
    pub const fn is_waited_for(self) -> bool {
        self.serves() && self.resizes() && self.tags()
    }

    /// Tells whether this role makes renditions.
    pub const fn resizes(self) -> bool {
        matches!(self, Self::All | Self::Process | Self::Resize)
    }

    /// Tells whether this role runs the model.
    pub const fn tags(self) -> bool {
        matches!(self, Self::All | Self::Process | Self::Tag)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A role's name that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a role; it is one of all, web, process, resize, tag")]
pub struct ParseRoleError(String);

impl FromStr for Role {
    type Err = ParseRoleError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|role| role.name() == name).ok_or_else(|| ParseRoleError(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_parses_back() {
        for role in Role::ALL {
            assert_eq!(role.name().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert!("Web".parse::<Role>().is_err());
    }
}
