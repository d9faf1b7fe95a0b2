//! What the command line itself must be allowed on AWS: one table, from which the policy and the documentation are made.
//!
//! Whatever has a name is scoped to names that begin with the site's; what has an id that nobody knows beforehand, to
//! resources that bear the site's tag; and `*` stands only where AWS knows neither for the action.

use serde_json::{Value, json};

use super::TAG_SITE;

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

/// Every permission.
pub const PERMISSIONS: &[Permission] = &[
    Permission {
        sid: "Stacks",
        holder: Holder::CommandLine,
        actions: &[
            "cloudformation:CancelUpdateStack",
            "cloudformation:ContinueUpdateRollback",
            "cloudformation:CreateChangeSet",
            "cloudformation:DeleteChangeSet",
            "cloudformation:DeleteStack",
            "cloudformation:Describe*",
            "cloudformation:ExecuteChangeSet",
            "cloudformation:GetTemplate",
            "cloudformation:RollbackStack",
            "cloudformation:TagResource",
            "cloudformation:UpdateTerminationProtection",
        ],
        scope: Scope::Named(&["arn:{partition}:cloudformation:*:*:stack/{site}-*/*"]),
        reason: "to make, change and delete the stack, and to follow what happens to it",
    },
    Permission {
        sid: "Bundles",
        holder: Holder::CommandLine,
        actions: &[
            "s3:CreateBucket",
            "s3:GetBucketTagging",
            "s3:GetObject",
            "s3:ListBucket",
            "s3:PutBucketPolicy",
            "s3:PutBucketPublicAccessBlock",
            "s3:PutBucketTagging",
            "s3:PutBucketVersioning",
            "s3:PutEncryptionConfiguration",
            "s3:PutLifecycleConfiguration",
            "s3:PutObject",
        ],
        scope: Scope::Named(&["arn:{partition}:s3:::decouple-*", "arn:{partition}:s3:::decouple-*/*"]),
        reason: "to make the artifact bucket, and to ship the worker and large templates through it",
    },
    Permission {
        sid: "Look",
        holder: Holder::CommandLine,
        actions: &[
            "autoscaling:Describe*",
            "cloudformation:ListStacks",
            "cloudwatch:DescribeAlarms",
            "cloudwatch:GetMetricData",
            "ec2:Describe*",
            "elasticloadbalancing:Describe*",
            "rds:Describe*",
        ],
        scope: Scope::Any,
        reason: "to show the live state; these actions have no narrower resource",
    },
    Permission {
        sid: "LookAtTasks",
        holder: Holder::CommandLine,
        actions: &[
            "logs:FilterLogEvents",
            "sns:GetTopicAttributes",
            "sns:ListSubscriptionsByTopic",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ],
        scope: Scope::Named(&[
            "arn:{partition}:logs:*:*:log-group:/decouple/{site}/*",
            "arn:{partition}:sns:*:*:{site}-*",
            "arn:{partition}:sqs:*:*:{site}-*",
        ]),
        reason: "to show logs, subscriptions and queues, and to try dead letters again",
    },
    Permission {
        sid: "EmptyBucket",
        holder: Holder::CommandLine,
        actions: &[
            "s3:DeleteBucket",
            "s3:DeleteObject",
            "s3:DeleteObjectVersion",
            "s3:ListBucket",
            "s3:ListBucketVersions",
        ],
        scope: Scope::Named(&["arn:{partition}:s3:::{site}-*", "arn:{partition}:s3:::{site}-*/*"]),
        reason: "for `teardown --delete-data` only",
    },
    Permission {
        sid: "DeleteSnapshots",
        holder: Holder::CommandLine,
        actions: &["rds:DeleteDBSnapshot"],
        scope: Scope::Named(&["arn:{partition}:rds:*:*:snapshot:{site}-*"]),
        reason: "for `teardown --delete-data` only",
    },
    Permission {
        sid: "Roles",
        holder: Holder::Deployment,
        actions: &[
            "iam:AddRoleToInstanceProfile",
            "iam:CreateInstanceProfile",
            "iam:CreateRole",
            "iam:DeleteInstanceProfile",
            "iam:DeleteRole",
            "iam:DeleteRolePermissionsBoundary",
            "iam:DeleteRolePolicy",
            "iam:GetInstanceProfile",
            "iam:GetRole",
            "iam:GetRolePolicy",
            "iam:ListAttachedRolePolicies",
            "iam:ListRolePolicies",
            "iam:PutRolePermissionsBoundary",
            "iam:PutRolePolicy",
            "iam:RemoveRoleFromInstanceProfile",
            "iam:TagRole",
            "iam:UntagRole",
            "iam:UpdateAssumeRolePolicy",
            "iam:UpdateRole*",
        ],
        scope: Scope::Named(&[
            "arn:{partition}:iam::*:instance-profile/{site}-*",
            "arn:{partition}:iam::*:role/{site}-*",
        ]),
        reason: "a role a group",
    },
    Permission {
        sid: "GiveRolesToInstances",
        holder: Holder::Deployment,
        actions: &["iam:PassRole"],
        scope: Scope::Passed(&["arn:{partition}:iam::*:role/{site}-*"], "ec2.amazonaws.com"),
        reason: "instances have their group's role, and nothing else may be given it",
    },
    Permission {
        sid: "ServiceRoles",
        holder: Holder::Deployment,
        actions: &["iam:CreateServiceLinkedRole"],
        scope: Scope::ServiceRoles(&[
            "autoscaling.amazonaws.com",
            "elasticloadbalancing.amazonaws.com",
            "rds.amazonaws.com",
            "spot.amazonaws.com",
        ]),
        reason: "the roles that services make for themselves, where the account has never used them",
    },
    Permission {
        sid: "MakeNetworkAndInstances",
        holder: Holder::Deployment,
        actions: &[
            "ec2:AllocateAddress",
            "ec2:CreateInternetGateway",
            "ec2:CreateLaunchTemplate",
            "ec2:CreateNatGateway",
            "ec2:CreateRouteTable",
            "ec2:CreateSecurityGroup",
            "ec2:CreateSubnet",
            "ec2:CreateTags",
            "ec2:CreateVpc",
            "ec2:CreateVpcEndpoint",
            "ec2:Describe*",
            "ec2:RunInstances",
        ],
        scope: Scope::Any,
        reason: "what is made has no id yet; Auto Scaling asks for `RunInstances` of whoever makes a group",
    },
    Permission {
        sid: "Images",
        holder: Holder::Deployment,
        actions: &["ssm:GetParameters"],
        scope: Scope::Named(&["arn:{partition}:ssm:*::parameter/aws/service/ami-amazon-linux-latest/*"]),
        reason: "to find the newest image of Amazon Linux",
    },
    Permission {
        sid: "ChangeNetworkAndInstances",
        holder: Holder::Deployment,
        actions: &[
            "ec2:AssociateRouteTable",
            "ec2:AttachInternetGateway",
            "ec2:AuthorizeSecurityGroup*",
            "ec2:CreateLaunchTemplateVersion",
            "ec2:CreateRoute",
            "ec2:Delete*",
            "ec2:DetachInternetGateway",
            "ec2:DisassociateAddress",
            "ec2:DisassociateRouteTable",
            "ec2:ModifyLaunchTemplate",
            "ec2:ModifySubnetAttribute",
            "ec2:ModifyVpcAttribute",
            "ec2:ModifyVpcEndpoint",
            "ec2:ReleaseAddress",
            "ec2:ReplaceRoute*",
            "ec2:RevokeSecurityGroup*",
            "ec2:TerminateInstances",
        ],
        scope: Scope::Tagged,
        reason: "network, security groups and launch templates",
    },
    Permission {
        sid: "Groups",
        holder: Holder::Deployment,
        actions: &["autoscaling:*"],
        scope: Scope::Named(&["arn:{partition}:autoscaling:*:*:autoScalingGroup:*:autoScalingGroupName/{site}-*"]),
        reason: "Auto Scaling groups and their policies",
    },
    Permission {
        sid: "Balancers",
        holder: Holder::Deployment,
        actions: &["elasticloadbalancing:*"],
        // CloudFormation makes up their names, and cuts the stack's where it is long.
        scope: Scope::Named(&[
            "arn:{partition}:elasticloadbalancing:*:*:listener/*",
            "arn:{partition}:elasticloadbalancing:*:*:loadbalancer/*/{short}*",
            "arn:{partition}:elasticloadbalancing:*:*:targetgroup/{short}*",
        ]),
        reason: "the load balancer, its listeners and its target group",
    },
    Permission {
        sid: "LookWhileProvisioning",
        holder: Holder::Deployment,
        actions: &[
            "autoscaling:Describe*",
            "cloudwatch:DescribeAlarms",
            "elasticloadbalancing:Describe*",
            "logs:DescribeLogGroups",
            "rds:Describe*",
        ],
        scope: Scope::Any,
        reason: "CloudFormation looks at what it has made; these actions have no narrower resource",
    },
    Permission {
        sid: "Tasks",
        holder: Holder::Deployment,
        actions: &["sns:*", "sqs:*"],
        scope: Scope::Named(&["arn:{partition}:sns:*:*:{site}-*", "arn:{partition}:sqs:*:*:{site}-*"]),
        reason: "the topic, its subscriptions, and the queues",
    },
    Permission {
        sid: "Bucket",
        holder: Holder::Deployment,
        actions: &["s3:CreateBucket", "s3:DeleteBucket*", "s3:Get*", "s3:Put*Configuration", "s3:PutBucket*"],
        scope: Scope::Named(&["arn:{partition}:s3:::{site}-*"]),
        reason: "the bucket, its policy and its settings",
    },
    Permission {
        sid: "Database",
        holder: Holder::Deployment,
        actions: &["rds:*"],
        scope: Scope::Named(&[
            "arn:{partition}:rds:*:*:db:{site}-*",
            "arn:{partition}:rds:*:*:pg:default*",
            "arn:{partition}:rds:*:*:og:default*",
            "arn:{partition}:rds:*:*:snapshot:{site}-*",
            "arn:{partition}:rds:*:*:subgrp:{site}-*",
        ]),
        reason: "the database and its subnets, and the snapshot that is kept",
    },
    Permission {
        sid: "DatabaseLogin",
        holder: Holder::Deployment,
        actions: &["secretsmanager:CreateSecret", "secretsmanager:TagResource"],
        scope: Scope::Named(&["arn:{partition}:secretsmanager:*:*:secret:rds!db-*"]),
        reason: "RDS keeps the login there, and asks for these of whoever makes a database. Reading it is not among them",
    },
    Permission {
        sid: "Keys",
        holder: Holder::Deployment,
        actions: &["kms:DescribeKey"],
        scope: Scope::Named(&["arn:{partition}:kms:*:*:key/*"]),
        reason: "RDS and Secrets Manager look at the keys that AWS manages for the account",
    },
    Permission {
        sid: "WatchNames",
        holder: Holder::Deployment,
        actions: &[
            "cloudwatch:DeleteAlarms",
            "cloudwatch:DeleteDashboards",
            "cloudwatch:GetDashboard",
            "cloudwatch:ListTagsForResource",
            "cloudwatch:PutDashboard",
            "cloudwatch:PutMetricAlarm",
            "cloudwatch:TagResource",
            "cloudwatch:UntagResource",
            "logs:*LogGroup",
            "logs:*RetentionPolicy",
            "logs:ListTagsForResource",
            "logs:TagResource",
            "logs:UntagResource",
        ],
        scope: Scope::Named(&[
            "arn:{partition}:cloudwatch:*:*:alarm:{site}-*",
            "arn:{partition}:cloudwatch::*:dashboard/{site}-*",
            "arn:{partition}:logs:*:*:log-group:/decouple/{site}/*",
        ]),
        reason: "alarms, the dashboard and log groups",
    },
];

/// Returns a policy that allows what the holders need for the environments of a site.
pub fn policy(site: &str, region: Option<&str>, holders: &[Holder], deployment_role: Option<&str>) -> Value {
    let wanted = PERMISSIONS.iter().filter(|permission| holders.contains(&permission.holder));
    let mut statements: Vec<Value> = wanted.map(|permission| statement(permission, site, partition(region))).collect();
    if let Some(role) = deployment_role.filter(|_| holders.contains(&Holder::CommandLine)) {
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

fn statement(permission: &Permission, site: &str, partition: &str) -> Value {
    // What is left of the stack's name in those that CloudFormation makes up for load balancers, which have 32 characters.
    let short: String = site.chars().take(5).collect();
    let fill = |arn: &&str| arn.replace("{partition}", partition).replace("{site}", site).replace("{short}", &short);
    let (resource, condition) = match permission.scope {
        Scope::Any => (json!("*"), None),
        Scope::Named(arns) => (json!(arns.iter().map(fill).collect::<Vec<_>>()), None),
        Scope::Passed(arns, service) => (
            json!(arns.iter().map(fill).collect::<Vec<_>>()),
            Some(json!({ "StringEquals": { "iam:PassedToService": service } })),
        ),
        Scope::Tagged => (json!("*"), Some(json!({ "StringEquals": { format!("aws:ResourceTag/{TAG_SITE}"): site } }))),
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
    statement
}

/// The part of AWS that a region belongs to.
fn partition(region: Option<&str>) -> &'static str {
    match region {
        Some(region) if region.starts_with("cn-") => "aws-cn",
        Some(region) if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_policy_fits_in_one_of_iam() {
        for holder in [Holder::CommandLine, Holder::Deployment] {
            let policy = policy(&"s".repeat(32), Some("us-gov-west-1"), &[holder], Some(&"r".repeat(64)));
            let length = policy.to_string().len();
            assert!(length <= POLICY_LIMIT, "{holder:?}: {length}");
        }
    }

    #[test]
    fn a_policy_names_the_site_and_nobody_elses_resources() {
        let all = policy("photos", None, &[Holder::CommandLine, Holder::Deployment], None);
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
    fn sids_are_unique_and_of_letters() {
        for (index, permission) in PERMISSIONS.iter().enumerate() {
            assert!(permission.sid.chars().all(char::is_alphanumeric), "{}", permission.sid);
            assert!(PERMISSIONS[..index].iter().all(|other| other.sid != permission.sid), "{}", permission.sid);
        }
    }
}
