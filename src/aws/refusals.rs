//! Changes that a change set offers and AWS refuses, after minutes in which half of them was made. Pure.

use serde_json::{Map, Value};

use super::changes::{Action, Changes};
use crate::cloudformation::{CATALOG, VPC};

/// Returns what AWS will refuse of these changes to a stack that is there, and what to do. Given the resources before and after.
pub fn of(
    changes: &Changes,
    old: Option<&Map<String, Value>>,
    new: &Map<String, Value>,
) -> Option<(String, &'static str)> {
    if changes.fresh {
        return None;
    }
    network(changes).or_else(|| storage(old?, new))
}

/// Subnets of another network are taken neither by the database nor by the load balancer, which stay the same ones.
fn network(changes: &Changes) -> Option<(String, &'static str)> {
    let another = changes.resources.iter().any(|change| match change.action {
        Action::Create | Action::Replace | Action::Delete if change.resource == VPC => true,
        Action::Replace => {
            change.kind == "AWS::EC2::SecurityGroup" && change.properties.iter().any(|name| name == "VpcId")
        }
        _ => false,
    });
    another.then(|| {
        let message = "the network of an environment cannot be changed (`network.vpc`, `network.cidr`): its database and its load balancer stay where they are";
        (message.to_owned(), "leave it as it is, or make another environment: --env NAME")
    })
}

/// A disk grows, and never shrinks.
fn storage(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<(String, &'static str)> {
    let gigabytes = |resources: &Map<String, Value>| {
        let size = resources.get(CATALOG)?.get("Properties")?.get("AllocatedStorage")?;
        size.as_u64().or_else(|| size.as_str()?.parse().ok())
    };
    let (old, new) = (gigabytes(old)?, gigabytes(new)?);
    (new < old).then(|| {
        let message = format!("the database's disk has {old} GB and cannot shrink to {new} (`catalog.storage_gb`)");
        (message, "leave it as it is, or raise it")
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::aws::changes::Change;

    fn changes(resource: &str, kind: &str, action: Action, property: &str) -> Changes {
        let change = Change {
            part: "network".to_owned(),
            description: "the network".to_owned(),
            resource: resource.to_owned(),
            kind: kind.to_owned(),
            action,
            fate: None,
            properties: vec![property.to_owned()],
            follows: false,
            unguarded: false,
        };
        Changes { fresh: false, resources: vec![change] }
    }

    #[test]
    fn a_network_is_for_good() {
        let nothing = Map::new();
        let refused = |changes: &Changes| of(changes, None, &nothing).is_some();
        assert!(refused(&changes(VPC, "AWS::EC2::VPC", Action::Replace, "CidrBlock")));
        assert!(refused(&changes(VPC, "AWS::EC2::VPC", Action::Delete, "")));
        assert!(refused(&changes("InstanceSecurityGroup", "AWS::EC2::SecurityGroup", Action::Replace, "VpcId")));
        assert!(!refused(&changes(
            "InstanceSecurityGroup",
            "AWS::EC2::SecurityGroup",
            Action::Replace,
            "GroupDescription"
        )));
        assert!(!refused(&changes(VPC, "AWS::EC2::VPC", Action::Update, "Tags")));
        let fresh = Changes { fresh: true, ..changes(VPC, "AWS::EC2::VPC", Action::Create, "") };
        assert!(!refused(&fresh));
    }

    #[test]
    fn a_disk_never_shrinks() {
        let of_size = |size: Value| {
            let database = json!({ "Properties": { "AllocatedStorage": size } });
            Map::from_iter([(CATALOG.to_owned(), database)])
        };
        let updated = changes(CATALOG, "AWS::RDS::DBInstance", Action::Update, "AllocatedStorage");
        let refused = |old: Value, new: Value| of(&updated, Some(&of_size(old)), &of_size(new)).map(|(why, _)| why);
        assert_eq!(refused(json!("20"), json!("40")), None);
        assert_eq!(refused(json!(40), json!(40)), None);
        assert!(refused(json!("40"), json!("20")).is_some_and(|why| why.contains("40 GB and cannot shrink to 20")));
    }
}
