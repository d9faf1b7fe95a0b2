//! Logical ids: stable names of the parts' resources. A changed id replaces the resource.

use serde_json::Value;

use super::intrinsics::sub;

/// The load balancer.
pub const BALANCER: &str = "Balancer";
/// The target group of the instances that serve.
pub const TARGET_GROUP: &str = "TargetGroup";
/// The bucket, where it is the environment's own.
pub const BUCKET: &str = "Bucket";
/// The database.
pub const CATALOG: &str = "Catalog";
/// The topic.
pub const TOPIC: &str = "Topic";

/// The network, where the environment has one of its own.
pub const VPC: &str = "Vpc";
pub(super) const BALANCER_SECURITY_GROUP: &str = "BalancerSecurityGroup";
pub(super) const INSTANCE_SECURITY_GROUP: &str = "InstanceSecurityGroup";
pub(super) const SERVING_SECURITY_GROUP: &str = "ServingSecurityGroup";
pub(super) const CATALOG_SECURITY_GROUP: &str = "CatalogSecurityGroup";
pub(super) const CATALOG_CLIENT_SECURITY_GROUP: &str = "CatalogClientSecurityGroup";
pub(super) const ENDPOINT_SECURITY_GROUP: &str = "EndpointSecurityGroup";

/// Begins the ids of a part's resources with its name: `resize` and `Queue` give `ResizeQueue`.
pub(super) fn of(part: &str, suffix: &str) -> String {
    let mut id = String::with_capacity(part.len() + suffix.len());
    for word in part.split(|c: char| !c.is_ascii_alphanumeric()) {
        let mut letters = word.chars();
        id.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        id.push_str(letters.as_str());
    }
    id.push_str(suffix);
    id
}

/// Returns the logical id of a group's Auto Scaling group.
pub fn auto_scaling_group(group: &str) -> String {
    of(group, "Group")
}

/// Returns the logical id of a queue.
pub fn queue(queue: &str) -> String {
    of(queue, "Queue")
}

/// Returns the logical id of a queue's dead-letter queue.
pub fn dead_letters(queue: &str) -> String {
    of(queue, "DeadLetters")
}

/// Returns the name of a group's Auto Scaling group. Roles and workers must know it before the group exists.
pub fn group_name(stack_name: &str, group: &str) -> String {
    format!("{stack_name}-{group}")
}

/// Returns the name of a group's log group.
pub fn log_group(site: &str, environment: &str, group: &str) -> String {
    format!("/decouple/{site}/{environment}/{group}")
}

/// The name of a group's Auto Scaling group inside the template.
pub(super) fn group_name_value(group: &str) -> Value {
    sub(group_name("${AWS::StackName}", group))
}

#[cfg(test)]
mod tests {
    #[test]
    fn ids_have_letters_and_digits_only() {
        assert_eq!(super::of("resize", "Queue"), "ResizeQueue");
        assert_eq!(super::of("fast-lane", "Queue"), "FastLaneQueue");
        assert_eq!(super::of("", "Queue"), "Queue");
    }
}
