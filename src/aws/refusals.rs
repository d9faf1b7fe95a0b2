//! Changes that CloudFormation takes and AWS refuses, after minutes in which half of them was made. Told by the templates alone: a
//! change set may call certain what is not, and the other way round. Pure.

use serde_json::{Map, Value};

use crate::cloudformation::{CATALOG, TARGET_GROUP, VPC};

/// Returns what AWS will refuse of a change from the one template's resources to the other's, and what to do.
pub fn of(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<(String, &'static str)> {
    network(old, new).or_else(|| storage(old, new))
}

/// Subnets of another network are taken neither by the database nor by the load balancer, which stay the same ones.
fn network(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<(String, &'static str)> {
    let differs = |resource: &str, name: &str| {
        property(old, resource, name).zip(property(new, resource, name)).is_some_and(|(old, new)| old != new)
    };
    (differs(VPC, "CidrBlock") || differs(TARGET_GROUP, "VpcId")).then(|| {
        let message = "the network of an environment cannot be changed (`network.vpc`, `network.cidr`): its database and its load balancer stay where they are";
        (message.to_owned(), "leave it as it is, or make another environment: --env NAME")
    })
}

/// A disk grows, and never shrinks.
fn storage(old: &Map<String, Value>, new: &Map<String, Value>) -> Option<(String, &'static str)> {
    let gigabytes = |resources| {
        let size = property(resources, CATALOG, "AllocatedStorage")?;
        size.as_u64().or_else(|| size.as_str()?.parse().ok())
    };
    let (old, new) = (gigabytes(old)?, gigabytes(new)?);
    (new < old).then(|| {
        let message = format!("the database's disk has {old} GB and cannot shrink to {new} (`catalog.storage_gb`)");
        (message, "leave it as it is, or raise it")
    })
}

fn property<'a>(resources: &'a Map<String, Value>, resource: &str, name: &str) -> Option<&'a Value> {
    resources.get(resource)?.get("Properties")?.get(name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn with(resource: &str, name: &str, value: &Value) -> Map<String, Value> {
        Map::from_iter([(resource.to_owned(), json!({ "Properties": { name: value } }))])
    }

    #[test]
    fn a_network_is_for_good() {
        let refused = |resource: &str, name: &str, old: Value, new: Value| {
            of(&with(resource, name, &old), &with(resource, name, &new)).is_some()
        };
        assert!(refused(VPC, "CidrBlock", json!("10.0.0.0/16"), json!("10.9.0.0/16")));
        assert!(!refused(VPC, "CidrBlock", json!("10.0.0.0/16"), json!("10.0.0.0/16")));
        assert!(!refused(VPC, "Tags", json!([]), json!([{}])));
        let own = || json!({ "Ref": VPC });
        assert!(refused(TARGET_GROUP, "VpcId", own(), json!("vpc-1")));
        assert!(refused(TARGET_GROUP, "VpcId", json!("vpc-1"), own()));
        assert!(refused(TARGET_GROUP, "VpcId", json!("vpc-1"), json!("vpc-2")));
        assert!(!refused(TARGET_GROUP, "VpcId", own(), own()));
    }

    #[test]
    fn a_disk_never_shrinks() {
        let refused = |old: Value, new: Value| {
            let [old, new] = [old, new].map(|size| with(CATALOG, "AllocatedStorage", &size));
            of(&old, &new).map(|(why, _)| why)
        };
        assert_eq!(refused(json!("20"), json!("40")), None);
        assert_eq!(refused(json!(40), json!(40)), None);
        assert!(refused(json!("40"), json!("20")).is_some_and(|why| why.contains("40 GB and cannot shrink to 20")));
    }
}
