//! Regions: which there are, and which a bucket is made in.

use super::error::Failure;

/// The region that has no name in a location, and where making one's own bucket again is no error.
pub(super) const FIRST_REGION: &str = "us-east-1";

/// What SDKs call the region of a client that has none.
const GLOBAL: &str = "aws-global";
/// The service's regions. `EU` is the oldest name of one.
const REGIONS: &[&str] = &[
    "EU",
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];
/// Where a bucket will be: a client of the first region may choose, all others get their own, and must say so where it is not the
/// endpoint's.
pub(super) fn region_of(constraint: Option<&str>, asked_from: Option<&str>, home: &str) -> Result<String, Failure> {
    // A client of no region signs for the first one.
    let asked_from = asked_from.map_or(home, |region| if region == GLOBAL { FIRST_REGION } else { region });
    let illegal = |named: &str| {
        let reason = format!(
            "The {named} location constraint is incompatible for the region specific endpoint this request was sent to."
        );
        Err(Failure::special("IllegalLocationConstraintException", reason))
    };
    match constraint {
        None if asked_from == FIRST_REGION || asked_from == home => Ok(asked_from.to_owned()),
        None => illegal("unspecified"),
        Some("EU") if asked_from == "eu-west-1" => Ok("EU".to_owned()),
        Some(named) if asked_from != FIRST_REGION && named != asked_from => illegal(named),
        Some(named) if named != FIRST_REGION && is_region(named, home) => Ok(named.to_owned()),
        Some(other) => Err(Failure::InvalidLocationConstraint(other.to_owned())),
    }
}

/// Whether there is a region of that name: of the service's, or the endpoint's own.
pub(super) fn is_region(name: &str, home: &str) -> bool {
    REGIONS.contains(&name) || name == home
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_made_where_their_client_is() {
        let made = |constraint, asked_from| region_of(constraint, asked_from, "local-1").ok();
        assert_eq!(made(None, None).as_deref(), Some("local-1"));
        assert_eq!(made(None, Some("us-east-1")).as_deref(), Some("us-east-1"));
        assert_eq!(made(None, Some("aws-global")).as_deref(), Some("us-east-1"));
        assert_eq!(made(Some("eu-west-2"), Some("aws-global")).as_deref(), Some("eu-west-2"));
        assert_eq!(made(Some("EU"), Some("eu-west-1")).as_deref(), Some("EU"));
        assert_eq!(made(Some("local-1"), Some("us-east-1")).as_deref(), Some("local-1"));
        for (constraint, asked_from) in [
            (None, "eu-west-2"),
            (Some("us-east-1"), "us-east-1"),
            (Some("eu-west-1"), "eu-west-2"),
            (Some("eu-east-1"), "us-east-1"),
        ] {
            assert_eq!(made(constraint, Some(asked_from)), None, "{constraint:?} {asked_from}");
        }
    }
}
