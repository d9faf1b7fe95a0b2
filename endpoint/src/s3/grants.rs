//! Access control lists as they are asked for, checked, kept and answered. Pure.

use s3s::dto::{AccessControlPolicy, Grant as WireGrant, Grantee, Owner, Permission, Type};
use serde::{Deserialize, Serialize};

use super::error::Failure;

pub(super) const EVERYBODY: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
const GROUPS: &[&str] = &[EVERYBODY, AUTHENTICATED, LOG_DELIVERY];
const PERMISSIONS: &[&str] = &["FULL_CONTROL", "READ", "READ_ACP", "WRITE", "WRITE_ACP"];
/// Lists that say what holds anyway where the bucket's owner owns everything.
const MEANINGLESS: &[&str] = &["private", "bucket-owner-full-control"];
const MALFORMED: &str = "The XML you provided was not well-formed or did not validate against our published schema";

/// Who is granted something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Who {
    User(String),
    Group(String),
    Email(String),
}

/// One line of an access control list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Grant {
    who: Who,
    permission: String,
}

impl Grant {
    fn new(who: Who, permission: &str) -> Grant {
        Grant { who, permission: permission.to_owned() }
    }

    fn to_wire(&self, owner: &Owner) -> WireGrant {
        let (kind, id, uri, email_address) = match &self.who {
            Who::User(id) => (Type::CANONICAL_USER, Some(id.clone()), None, None),
            Who::Group(uri) => (Type::GROUP, None, Some(uri.clone()), None),
            Who::Email(address) => (Type::AMAZON_CUSTOMER_BY_EMAIL, None, None, Some(address.clone())),
        };
        let display_name = owner.display_name.clone().filter(|_| id.is_some() && id == owner.id);
        let grantee = Grantee { display_name, email_address, id, type_: Type::from_static(kind), uri };
        WireGrant { grantee: Some(grantee), permission: Some(Permission::from(self.permission.clone())) }
    }
}

/// A list as answers have it; the owner's full control where none was ever set.
pub(super) fn to_wire(grants: Option<&[Grant]>, owner: &Owner) -> Vec<WireGrant> {
    match grants {
        Some(grants) => grants.iter().map(|grant| grant.to_wire(owner)).collect(),
        None => private(owner).iter().map(|grant| grant.to_wire(owner)).collect(),
    }
}

/// Whether a list lets everybody do something.
pub(super) fn lets_everybody(grants: &[Grant], permission: &str) -> bool {
    grants.iter().any(|grant| {
        grant.who == Who::Group(EVERYBODY.into()) && [permission, "FULL_CONTROL"].contains(&grant.permission.as_str())
    })
}

/// Whether a list lets anybody in but named users.
pub(super) fn is_public(grants: &[Grant]) -> bool {
    grants.iter().any(|grant| matches!(&grant.who, Who::Group(uri) if uri == EVERYBODY || uri == AUTHENTICATED))
}

/// What a request says about who may do what.
#[derive(Debug, Default)]
pub(super) struct Asked {
    pub(super) canned: Option<String>,
    /// Headers, each with its permission.
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) list: Option<AccessControlPolicy>,
}

/// What an input asks for in headers.
macro_rules! asked_grants {
    ($input:expr $(, $write:ident)?) => {
        $crate::s3::grants::Asked {
            canned: $input.acl.take().map(|acl| acl.as_str().to_owned()),
            headers: [
                ("FULL_CONTROL", $input.grant_full_control.take()),
                ("READ", $input.grant_read.take()),
                ("READ_ACP", $input.grant_read_acp.take()),
                $(("WRITE", $input.$write.take()),)?
                ("WRITE_ACP", $input.grant_write_acp.take()),
            ]
            .into_iter()
            .filter_map(|(permission, header)| Some((permission, header?)))
            .collect(),
            list: None,
        }
    };
}

pub(super) use asked_grants;

impl Asked {
    pub(super) fn is_nothing(&self) -> bool {
        self.canned.is_none() && self.headers.is_empty() && self.list.is_none()
    }

    /// Whether it says only what holds anyway where the bucket's owner owns everything.
    pub(super) fn changes_nothing(&self, owner: &Owner) -> bool {
        let same = |list: &AccessControlPolicy| listed_grants(list, owner).is_ok_and(|grants| grants == private(owner));
        self.headers.is_empty()
            && self.canned.as_deref().is_none_or(|canned| MEANINGLESS.contains(&canned))
            && self.list.as_ref().is_none_or(same)
    }

    /// The list that is meant; none where nothing is asked for.
    pub(super) fn grants(&self, owner: &Owner) -> Result<Option<Vec<Grant>>, Failure> {
        match (&self.canned, &self.headers[..], &self.list) {
            (Some(_), [_, ..], _) => {
                let reason = "Specifying both Canned ACLs and Header Grants is not allowed";
                Err(Failure::InvalidRequest(reason.into()))
            }
            (Some(_), _, Some(_)) | (_, [_, ..], Some(_)) => {
                Err(Failure::special("UnexpectedContent", "This request does not support content"))
            }
            (Some(canned), ..) => canned_grants(canned, owner).map(Some),
            (None, [_, ..], None) => {
                let lists = self.headers.iter().map(|(permission, header)| header_grants(permission, header, owner));
                Ok(Some(lists.collect::<Result<Vec<_>, _>>()?.concat()))
            }
            (None, [], Some(list)) => listed_grants(list, owner).map(Some),
            (None, [], None) => Ok(None),
        }
    }
}

fn private(owner: &Owner) -> Vec<Grant> {
    vec![Grant::new(Who::User(owner.id.clone().unwrap_or_default()), "FULL_CONTROL")]
}

fn canned_grants(canned: &str, owner: &Owner) -> Result<Vec<Grant>, Failure> {
    let others: &[(&str, &str)] = match canned {
        "private" | "aws-exec-read" | "bucket-owner-read" | "bucket-owner-full-control" => &[],
        "public-read" => &[(EVERYBODY, "READ")],
        "public-read-write" => &[(EVERYBODY, "READ"), (EVERYBODY, "WRITE")],
        "authenticated-read" => &[(AUTHENTICATED, "READ")],
        "log-delivery-write" => &[(LOG_DELIVERY, "READ_ACP"), (LOG_DELIVERY, "WRITE")],
        unknown => return Err(Failure::argument("x-amz-acl", unknown, "")),
    };
    let others = others.iter().map(|(group, permission)| Grant::new(Who::Group((*group).to_owned()), permission));
    Ok(private(owner).into_iter().chain(others).collect())
}

/// Grantees as a header has them: `id="1", uri="http://..."`.
fn header_grants(permission: &str, header: &str, owner: &Owner) -> Result<Vec<Grant>, Failure> {
    let grant = |grantee: &str| {
        let (kind, value) = grantee.split_once('=').unwrap_or((grantee, ""));
        let value = value.trim_matches('"').to_owned();
        let who = match kind {
            "uri" if GROUPS.contains(&value.as_str()) => Who::Group(value),
            "uri" => return Err(Failure::argument("uri", value, "Invalid group uri")),
            "id" if is_user(&value, owner) => Who::User(value),
            "id" => return Err(Failure::argument("id", value, "Invalid id")),
            "emailAddress" => Who::Email(value),
            _ => {
                let name = format!("x-amz-grant-{}", permission.to_ascii_lowercase().replace('_', "-"));
                return Err(Failure::argument(name, grantee, "Argument format not recognized"));
            }
        };
        Ok(Grant::new(who, permission))
    };
    header.split(',').map(str::trim).map(grant).collect()
}

fn listed_grants(list: &AccessControlPolicy, owner: &Owner) -> Result<Vec<Grant>, Failure> {
    let malformed = || Failure::special("MalformedACLError", MALFORMED);
    let (Some(named), Some(grants)) = (&list.owner, &list.grants) else { return Err(malformed()) };
    let bad_id = |id: &str| Failure::argument("CanonicalUser/ID", id, "Invalid id");
    let named = named.id.as_deref().unwrap_or_default();
    if !is_user(named, owner) {
        return Err(bad_id(named));
    }
    let grant = |grant: &WireGrant| {
        let permission = grant.permission.as_ref().map(Permission::as_str).filter(|name| PERMISSIONS.contains(name));
        let (Some(permission), Some(grantee)) = (permission, &grant.grantee) else { return Err(malformed()) };
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let who = match grantee.type_.as_str() {
            Type::GROUP if GROUPS.contains(&text(&grantee.uri).as_str()) => Who::Group(text(&grantee.uri)),
            Type::GROUP => return Err(Failure::argument("Group/URI", text(&grantee.uri), "Invalid group uri")),
            Type::CANONICAL_USER if is_user(&text(&grantee.id), owner) => Who::User(text(&grantee.id)),
            Type::CANONICAL_USER => return Err(bad_id(&text(&grantee.id))),
            Type::AMAZON_CUSTOMER_BY_EMAIL => Who::Email(text(&grantee.email_address)),
            _ => return Err(malformed()),
        };
        Ok(Grant::new(who, permission))
    };
    grants.iter().map(grant).collect()
}

/// Whether a text can be the id of a user: the owner's here, or one as AWS has them.
fn is_user(id: &str, owner: &Owner) -> bool {
    owner.id.as_deref() == Some(id) || id.len() == 64 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn owner() -> Owner {
        Owner { id: Some("1".into()), display_name: None }
    }

    fn canned(name: &str) -> Asked {
        Asked { canned: Some(name.into()), ..Asked::default() }
    }

    fn header(permission: &'static str, text: &str) -> Asked {
        Asked { headers: vec![(permission, text.into())], ..Asked::default() }
    }

    #[test]
    fn canned_lists_become_grants() {
        let grants = canned("public-read").grants(&owner()).unwrap().unwrap();
        assert!(lets_everybody(&grants, "READ") && !lets_everybody(&grants, "WRITE") && is_public(&grants));
        let grants = canned("log-delivery-write").grants(&owner()).unwrap().unwrap();
        assert_eq!((grants.len(), is_public(&grants)), (3, false));
        assert!(canned("fake").grants(&owner()).is_err());
        assert!(canned("private").changes_nothing(&owner()) && !canned("public-read").changes_nothing(&owner()));
        assert!(Asked::default().grants(&owner()).unwrap().is_none());
    }

    #[test]
    fn headers_become_grants_without_the_owners() {
        let text = format!("uri=\"{EVERYBODY}\", id=\"1\"");
        let grants = header("READ", &text).grants(&owner()).unwrap().unwrap();
        assert!(grants.len() == 2 && lets_everybody(&grants, "READ"));
        for refused in ["uri=\"x\"", "id=\"x\"", "name=\"x\"", ""] {
            assert!(header("READ", refused).grants(&owner()).is_err(), "{refused}");
        }
        let both = Asked { canned: Some("private".into()), ..header("READ", "id=\"1\"") };
        assert!(both.grants(&owner()).unwrap_err().to_string().starts_with("Specifying both"));
    }

    #[test]
    fn bodies_become_grants() {
        let grants = to_wire(None, &owner());
        let list = |grants, owner| Asked { list: Some(AccessControlPolicy { grants, owner }), ..Asked::default() };
        let asked = list(Some(grants.clone()), Some(owner()));
        assert!(asked.changes_nothing(&owner()));
        assert_eq!(to_wire(asked.grants(&owner()).unwrap().as_deref(), &owner()), grants);
        assert!(list(Some(grants.clone()), None).grants(&owner()).is_err());
        let stranger = Owner { id: Some("x".into()), display_name: None };
        assert!(list(Some(grants), Some(stranger)).grants(&owner()).is_err());
    }
}
