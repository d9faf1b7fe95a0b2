//! Why there is no template.

/// A topology that no template can be made of.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SynthesisError {
    /// The graph lacks a part that every stage has.
    #[error("the topology has no {0}")]
    MissingPart(&'static str),
    /// The network's address range cannot be divided into subnets.
    #[error("`network.cidr` is `{0}`, which is no IPv4 range from /16 to /24")]
    Range(String),
    /// There is one bundle, which is of one architecture.
    #[error(
        "groups `{}` and `{}` have different architectures ({} and {}), and on AWS one worker bundle serves all groups; set one `architecture`",
        .0[0].0, .0[1].0, .0[0].1, .0[1].1
    )]
    Architectures(Box<[(String, String); 2]>),
    /// The script and its environment are more than an instance can be given.
    #[error(
        "what the instances of group `{group}` are told is {bytes} bytes, and EC2 takes 16,384; shorten `environment` in the blueprint"
    )]
    UserDataTooLarge {
        /// The group.
        group: String,
        /// How large it would be.
        bytes: usize,
    },
    /// CloudFormation would refuse the template.
    #[error("the template is {bytes} bytes, and CloudFormation takes 1,000,000; use fewer or shorter `tags`")]
    TooLarge {
        /// How large it is.
        bytes: usize,
    },
}
