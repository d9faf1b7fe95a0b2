//! What the command line itself must be allowed on AWS: one table, from which the policy and the documentation are made.
//!
//! Whatever has a name is scoped to names that begin with the site's; what has an id that nobody knows beforehand, to
//! resources that bear the site's tag; and `*` stands only where AWS knows neither for the action.

mod table;

use serde_json::{Value, json};

use super::TAG_SITE;

pub use table::PERMISSIONS;

/// Longest policy that IAM takes as one, in characters without blanks.
pub const POLICY_LIMIT: usize = 6_144;

/// Who needs a permission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// Whoever runs `decouple`.
    CommandLine,
    /// Whoever provisions: the same, or the blueprint's deployment role.
    Deployment,
}

/// What a permission is limited to.
#[derive(Debug, Clone, Copy)]
enum Scope {
    /// AWS knows no resource for these actions, or none that exists before they are done.
    Any,
    /// Resources by name; `{site}` begins them, `{partition}` is AWS's.
    Named(&'static [&'static str]),
    /// Resources that bear the site's tag.
    Tagged,
    /// Resources that the same request makes, by one of these actions of EC2.
    Made(&'static [&'static str]),
    /// Roles by name, which must have the permissions boundary where the blueprint names one.
    Bounded(&'static [&'static str]),
    /// Roles by name, where the blueprint names no permissions boundary.
    Unbounded(&'static [&'static str]),
    /// Roles by name, which may be given to one service only.
    Passed(&'static [&'static str], &'static str),
    /// Roles that services make for themselves, once an account.
    ServiceRoles(&'static [&'static str]),
}

/// Some actions, on what, and why.
#[derive(Debug)]
pub struct Permission {
    /// Name of the statement.
    pub sid: &'static str,
    /// Who needs it.
    pub holder: Holder,
    /// The actions.
    pub actions: &'static [&'static str],
    scope: Scope,
    /// What for.
    pub reason: &'static str,
}

/// What a policy is for.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// The site whose environments it is about.
    pub site: &'a str,
    /// The region, where it is known: it tells which part of AWS.
    pub region: Option<&'a str>,
    /// The role that CloudFormation provisions with, where there is one.
    pub deployment_role: Option<&'a str>,
    /// What no role of the environments goes beyond, where that is wanted.
    pub boundary: Option<&'a str>,
}

/// Returns a policy that allows what the holders need for the environments of a site.
pub fn policy(wanted: &Wanted<'_>, holders: &[Holder]) -> Value {
    let held = PERMISSIONS.iter().filter(|permission| holders.contains(&permission.holder));
    let mut statements: Vec<Value> = held.filter_map(|permission| statement(permission, wanted)).collect();
    if let Some(role) = wanted.deployment_role.filter(|_| holders.contains(&Holder::CommandLine)) {
        statements.push(json!({
            "Sid": "DeploymentRole",
            "Effect": "Allow",
            "Action": "iam:PassRole",
            "Resource": role,
            "Condition": { "StringEquals": { "iam:PassedToService": "cloudformation.amazonaws.com" } },
        }));
    }
    super::intrinsics::policy(&statements)
}

/// One permission as a statement, unless it is for others.
fn statement(permission: &Permission, wanted: &Wanted<'_>) -> Option<Value> {
    let (site, partition) = (wanted.site, partition(wanted.region));
    // What is left of the stack's name in those that CloudFormation makes up for load balancers, which have 32 characters.
    let short: String = site.chars().take(5).collect();
    let fill = |arn: &&str| arn.replace("{partition}", partition).replace("{site}", site).replace("{short}", &short);
    let (resource, condition) = match permission.scope {
        Scope::Any => (json!("*"), None),
        Scope::Unbounded(_) if wanted.boundary.is_some() => return None,
        Scope::Named(arns) | Scope::Unbounded(arns) => (json!(arns.iter().map(fill).collect::<Vec<_>>()), None),
        Scope::Passed(arns, service) => (
            json!(arns.iter().map(fill).collect::<Vec<_>>()),
            Some(json!({ "StringEquals": { "iam:PassedToService": service } })),
        ),
        Scope::Bounded(arns) => (
            json!(arns.iter().map(fill).collect::<Vec<_>>()),
            wanted.boundary.map(|boundary| json!({ "StringEquals": { "iam:PermissionsBoundary": boundary } })),
        ),
        Scope::Tagged => (json!("*"), Some(json!({ "StringEquals": { format!("aws:ResourceTag/{TAG_SITE}"): site } }))),
        Scope::Made(by) => (json!("*"), Some(json!({ "StringEquals": { "ec2:CreateAction": by } }))),
        Scope::ServiceRoles(services) => (
            json!(format!("arn:{partition}:iam::*:role/aws-service-role/*")),
            Some(json!({ "StringEquals": { "iam:AWSServiceName": services } })),
        ),
    };
    let mut statement =
        json!({ "Sid": permission.sid, "Effect": "Allow", "Action": permission.actions, "Resource": resource });
    if let Some(condition) = condition {
        statement["Condition"] = condition;
    }
    Some(statement)
}

/// The part of AWS that a region belongs to.
fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// Returns every permission as rows of Markdown, for the documentation.
pub fn reference() -> String {
    let mut text = String::from("| Statement | Who | Actions | On | What for |\n|---|---|---|---|---|\n");
    for permission in PERMISSIONS {
        let who = match permission.holder {
            Holder::CommandLine => "you",
            Holder::Deployment => "provisioning",
        };
        let on = match permission.scope {
            Scope::Any => "anything".to_owned(),
            Scope::Named(arns) | Scope::Passed(arns, _) => code(arns),
            Scope::Bounded(arns) => {
                format!("{}, with the `permissions_boundary` if the blueprint names one", code(arns))
            }
            Scope::Unbounded(arns) => format!("{}, unless the blueprint names a `permissions_boundary`", code(arns)),
            Scope::Tagged => format!("what has the tag `{TAG_SITE}`"),
            Scope::Made(by) => format!("what is being made by {}", code(by)),
            Scope::ServiceRoles(services) => format!("roles of {}", code(services)),
        };
        let row = [permission.sid, who, &code(permission.actions), &on, permission.reason].join(" | ");
        text.extend(["| ", &row, " |\n"]);
    }
    text
}

fn code(words: &[&str]) -> String {
    // Which part of AWS it is goes without saying.
    words.iter().map(|word| format!("`{}`", word.replace("{partition}", "aws"))).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PHOTOS: Wanted<'static> = Wanted { site: "photos", region: None, deployment_role: None, boundary: None };

    /// Whoever makes roles without it, or takes it away, could give them anything.
    #[test]
    fn a_boundary_holds_whoever_provisions() {
        let bounded = policy(&Wanted { boundary: Some("arn:the-boundary"), ..PHOTOS }, &[Holder::Deployment]);
        for action in ["iam:CreateRole", "iam:PutRolePolicy", "iam:PutRolePermissionsBoundary"] {
            for statement in bounded["Statement"].as_array().unwrap() {
                let allows = statement["Action"].as_array().unwrap().iter().any(|allowed| allowed == action);
                let condition = &statement["Condition"]["StringEquals"]["iam:PermissionsBoundary"];
                assert!(!allows || condition == "arn:the-boundary", "{statement}");
            }
        }
        assert!(!bounded.to_string().contains("iam:DeleteRolePermissionsBoundary"));
        assert!(policy(&PHOTOS, &[Holder::Deployment]).to_string().contains("iam:DeleteRolePermissionsBoundary"));
    }

    #[test]
    fn each_policy_fits_in_one_of_iam() {
        for holder in [Holder::CommandLine, Holder::Deployment] {
            let (site, role) = ("s".repeat(32), "r".repeat(64));
            let wanted = Wanted {
                site: &site,
                region: Some("us-gov-west-1"),
                deployment_role: Some(&role),
                boundary: Some(&role),
            };
            let policy = policy(&wanted, &[holder]);
            let length = policy.to_string().len();
            assert!(length <= POLICY_LIMIT, "{holder:?}: {length}");
        }
    }

    #[test]
    fn a_policy_names_the_site_and_nobody_elses_resources() {
        let all = policy(&PHOTOS, &[Holder::CommandLine, Holder::Deployment]);
        for statement in all["Statement"].as_array().unwrap() {
            let resource = statement["Resource"].to_string();
            let sid = statement["Sid"].as_str().unwrap();
            assert!(!resource.contains('{'), "{resource}");
            let narrow = resource.contains("photos") || statement.get("Condition").is_some();
            let known = [
                "Bundles",
                "Look",
                "MakeNetworkAndInstances",
                "LookWhileProvisioning",
                "DatabaseLogin",
                "Keys",
                "Images",
                "Balancers",
            ];
            assert!(narrow || known.contains(&sid), "{statement}");
        }
        insta::assert_snapshot!(format!("{all:#}"));
    }

    #[test]
    fn the_documentation_has_every_permission() {
        const BEGIN: &str = "<!-- begin: generated, UPDATE_GENERATED=1 cargo test --lib -p decouple permissions -->\n";
        const END: &str = "<!-- end -->";
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/aws.md");
        let committed = std::fs::read_to_string(&path).unwrap();
        let (before, rest) = committed.split_once(BEGIN).unwrap();
        let (_, after) = rest.split_once(END).unwrap();
        let generated = [before, BEGIN, &reference(), END, after].concat();
        if std::env::var_os("UPDATE_GENERATED").is_some() {
            std::fs::write(&path, &generated).unwrap();
        }
        assert!(
            std::fs::read_to_string(&path).unwrap() == generated,
            "docs/aws.md is out of date; write it anew: UPDATE_GENERATED=1 cargo test --lib -p decouple permissions"
        );
    }

    #[test]
    fn sids_are_unique_and_of_letters() {
        for (index, permission) in PERMISSIONS.iter().enumerate() {
            assert!(permission.sid.chars().all(char::is_alphanumeric), "{}", permission.sid);
            assert!(PERMISSIONS[..index].iter().all(|other| other.sid != permission.sid), "{}", permission.sid);
        }
    }
}
