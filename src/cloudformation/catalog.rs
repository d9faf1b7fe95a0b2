//! The catalog: a PostgreSQL database whose password nobody sees.

use serde_json::{Value, json};

use super::{
    ids::{CATALOG, CATALOG_SECURITY_GROUP},
    intrinsics::{attribute, reference, sub},
    network,
    stack::{Owner, Resource, Stack},
};
use crate::topology::{PartId, PartKind};

/// PostgreSQL's port.
pub(super) const PORT: u16 = 5432;
/// The major version, whose minor ones AWS chooses and keeps patched: one that is named here would be withdrawn some day, and
/// would be behind what the database has become. A change of it is a decision: databases do not go back.
const VERSION: &str = "17";
/// The linter's check of versions, whose list has no major one of this.
const LINTER: &str = "W3691";
/// The database, and who owns it.
const DATABASE: &str = "photos";
const USER: &str = "photos";
/// Days that AWS keeps daily backups.
const BACKUP_DAYS: u8 = 7;

pub(super) fn owner(stack: &Stack<'_>) -> Owner {
    Owner::part(&PartId::new(PartKind::Catalog, &stack.catalog.name), "/catalog")
}

pub(super) fn add(stack: &mut Stack<'_>) {
    let owner = owner(stack);
    let subnets = json!({
        "DBSubnetGroupDescription": format!("{}, environment {}", stack.topology.site, stack.topology.environment),
        "SubnetIds": network::private_subnets(stack),
        "Tags": stack.tags(&owner),
    });
    let subnets = Resource::new("AWS::RDS::DBSubnetGroup", subnets);
    stack.add("CatalogSubnets", &owner, "the subnets that the database may stand in", subnets);
    let database = json!({
        "Engine": "postgres",
        "EngineVersion": VERSION,
        "AutoMinorVersionUpgrade": true,
        "DBInstanceClass": stack.catalog.instance_class,
        "DBName": DATABASE,
        "MasterUsername": USER,
        // The password is made, kept and rotated by Secrets Manager: it is in no template, parameter or log.
        "ManageMasterUserPassword": true,
        "AllocatedStorage": stack.catalog.storage_gb.to_string(),
        "StorageType": "gp3",
        "StorageEncrypted": true,
        "PubliclyAccessible": false,
        "DBSubnetGroupName": reference("CatalogSubnets"),
        "VPCSecurityGroups": [attribute(CATALOG_SECURITY_GROUP, "GroupId")],
        "BackupRetentionPeriod": if stack.short_lived() { 1 } else { BACKUP_DAYS },
        "CopyTagsToSnapshot": true,
        "DeleteAutomatedBackups": true,
        "Tags": stack.tags(&owner),
    });
    let gone = stack.options.delete_data || stack.short_lived();
    let fate = if gone { "Delete" } else { "Snapshot" };
    let unlisted = json!({ "config": { "ignore_checks": [LINTER] } });
    let database = Resource::new("AWS::RDS::DBInstance", database).on_deletion(fate).noted("cfn-lint", &unlisted);
    stack.add(CATALOG, &owner, "the database", database);
}

/// Where the database is. The login is not in it.
pub(super) fn url() -> Value {
    sub(format!("postgres://${{{CATALOG}.Endpoint.Address}}:${{{CATALOG}.Endpoint.Port}}/{DATABASE}"))
}

/// The secret that holds the login: user and password, and nothing else.
pub(super) fn secret() -> Value {
    attribute(CATALOG, "MasterUserSecret.SecretArn")
}
