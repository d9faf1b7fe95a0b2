//! Which groups and queues a stage has, and the names of stages and targets.

use decouple_contract::Role;

use super::model::{Group, Groups, Queue, Queues, Stage, Target};

impl Stage {
    /// Every stage, in the order of the story.
    pub const ALL: [Self; 3] = [Self::Elb, Self::ElbSqs, Self::SnsSqs];

    /// Returns the name that stands in blueprints and after `--stage`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elb => "elb",
            Self::ElbSqs => "elb-sqs",
            Self::SnsSqs => "sns-sqs",
        }
    }

    /// Returns the roles of the stage's groups, the one behind the balancer first.
    pub const fn roles(self) -> &'static [Role] {
        match self {
            Self::Elb => &[Role::All],
            Self::ElbSqs => &[Role::Web, Role::Process],
            Self::SnsSqs => &[Role::Web, Role::Resize, Role::Tag],
        }
    }
}

impl Target {
    /// Every target.
    pub const ALL: [Self; 2] = [Self::Local, Self::Aws];

    /// Returns the name that stands in blueprints and after `--target`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Aws => "aws",
        }
    }
}

impl Groups {
    /// Returns the settings of a role's group.
    pub const fn get(&self, role: Role) -> Option<&Group> {
        match role {
            Role::All => self.all.as_ref(),
            Role::Web => self.web.as_ref(),
            Role::Process => self.process.as_ref(),
            Role::Resize => self.resize.as_ref(),
            Role::Tag => self.tag.as_ref(),
        }
    }
}

impl Queues {
    /// Returns the settings of the queue that a role's group receives from.
    pub const fn get(&self, role: Role) -> Option<&Queue> {
        match role {
            Role::All | Role::Web => None,
            Role::Process => self.process.as_ref(),
            Role::Resize => self.resize.as_ref(),
            Role::Tag => self.tag.as_ref(),
        }
    }
}
