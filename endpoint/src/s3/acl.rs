//! Access control lists: everything is its owner's, and stays so.
//!
//! Where the owner of a bucket owns all that is in it, as in every new bucket on AWS, lists can be read, and set only to what they
//! are already. No other is kept here, for none would have an effect.

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        BucketCannedACL, GetBucketAclInput, GetBucketAclOutput, GetBucketPolicyStatusInput,
        GetBucketPolicyStatusOutput, GetObjectAclInput, GetObjectAclOutput, Grant, Grantee, ObjectCannedACL,
        Permission, PolicyStatus, PutBucketAclInput, PutBucketAclOutput, PutObjectAclInput, PutObjectAclOutput, Type,
    },
};
use serde_json::Value;

use super::{Buckets, error::Failure, settings::Setting, versions::existing_object, write::MEANINGLESS_ACLS};

impl Buckets {
    pub(super) async fn acl(&self, request: S3Request<GetBucketAclInput>) -> S3Result<S3Response<GetBucketAclOutput>> {
        self.bucket(request.input.bucket).await?;
        Ok(S3Response::new(GetBucketAclOutput { grants: Some(self.owners()), owner: Some(self.owner()) }))
    }

    pub(super) async fn set_acl(
        &self,
        request: S3Request<PutBucketAclInput>,
    ) -> S3Result<S3Response<PutBucketAclOutput>> {
        let input = request.input;
        self.bucket(input.bucket).await?;
        let grants = input.access_control_policy.map(|policy| policy.grants.unwrap_or_default());
        self.check(input.acl.as_ref().map(BucketCannedACL::as_str), grants.as_deref())?;
        Ok(S3Response::new(PutBucketAclOutput::default()))
    }

    pub(super) async fn object_acl(
        &self,
        request: S3Request<GetObjectAclInput>,
    ) -> S3Result<S3Response<GetObjectAclOutput>> {
        let input = request.input;
        self.look(input.bucket, input.key, input.version_id, "GET").await?;
        let (grants, owner) = (Some(self.owners()), Some(self.owner()));
        Ok(S3Response::new(GetObjectAclOutput { grants, owner, request_charged: None }))
    }

    pub(super) async fn set_object_acl(
        &self,
        request: S3Request<PutObjectAclInput>,
    ) -> S3Result<S3Response<PutObjectAclOutput>> {
        let input = request.input;
        self.look(input.bucket, input.key, input.version_id, "PUT").await?;
        let grants = input.access_control_policy.map(|policy| policy.grants.unwrap_or_default());
        self.check(input.acl.as_ref().map(ObjectCannedACL::as_str), grants.as_deref())?;
        Ok(S3Response::new(PutObjectAclOutput::default()))
    }

    /// Whether the policy lets everybody in. It is not enforced here, where only one account is.
    pub(super) async fn policy_status(
        &self,
        request: S3Request<GetBucketPolicyStatusInput>,
    ) -> S3Result<S3Response<GetBucketPolicyStatusOutput>> {
        let policy = self.existing_setting(request.input.bucket, Setting::Policy).await?;
        let is_public = serde_json::from_str(&policy).is_ok_and(|policy: Value| is_public(&policy));
        let policy_status = Some(PolicyStatus { is_public: Some(is_public) });
        Ok(S3Response::new(GetBucketPolicyStatusOutput { policy_status }))
    }

    async fn look(
        &self,
        bucket: String,
        key: String,
        version: Option<String>,
        method: &'static str,
    ) -> Result<(), Failure> {
        let look = move |connection: &rusqlite::Connection| {
            existing_object(connection, &bucket, &key, version.as_deref(), method).map(drop)
        };
        self.store.read(look).await
    }

    fn check(&self, canned: Option<&str>, grants: Option<&[Grant]>) -> Result<(), Failure> {
        let same = canned.is_some_and(|canned| MEANINGLESS_ACLS.contains(&canned))
            || grants.is_some_and(|grants| grants == self.owners().as_slice());
        if same { Ok(()) } else { Err(Failure::AccessControlListNotSupported) }
    }

    /// The one grant that there is.
    fn owners(&self) -> Vec<Grant> {
        let grantee = Grantee {
            display_name: None,
            email_address: None,
            id: self.owner().id,
            type_: Type::from_static(Type::CANONICAL_USER),
            uri: None,
        };
        let permission = Permission::from_static(Permission::FULL_CONTROL);
        vec![Grant { grantee: Some(grantee), permission: Some(permission) }]
    }
}

/// Whether a statement allows something to everybody without a condition.
fn is_public(policy: &Value) -> bool {
    let statements = match &policy["Statement"] {
        Value::Array(statements) => statements.as_slice(),
        statement => std::slice::from_ref(statement),
    };
    let everybody = |principal: &Value| match principal {
        Value::Object(_) => match &principal["AWS"] {
            Value::Array(listed) => listed.iter().any(|one| one == "*"),
            one => one == "*",
        },
        one => one == "*",
    };
    statements.iter().any(|statement| {
        statement["Effect"] == "Allow" && statement.get("Condition").is_none() && everybody(&statement["Principal"])
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::is_public;

    #[test]
    fn a_policy_is_public_where_everybody_is_allowed_something() {
        let with = |principal, effect: &str| json!({"Statement": [{"Effect": effect, "Principal": principal}]});
        assert!(is_public(&with(json!("*"), "Allow")));
        assert!(is_public(&with(json!({"AWS": ["1", "*"]}), "Allow")));
        assert!(!is_public(&with(json!("*"), "Deny")));
        assert!(!is_public(&with(json!({"AWS": "123456789012"}), "Allow")));
        let conditional = json!({"Statement": {"Effect": "Allow", "Principal": "*", "Condition": {}}});
        assert!(!is_public(&conditional));
    }
}
