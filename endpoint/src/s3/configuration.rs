//! Configurations of buckets that are kept and answered, and have no effect here, but for that of CORS.

use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        BucketLifecycleConfiguration, CORSConfiguration, DeleteBucketCorsInput, DeleteBucketCorsOutput,
        DeleteBucketEncryptionInput, DeleteBucketEncryptionOutput, DeleteBucketLifecycleInput,
        DeleteBucketLifecycleOutput, DeleteBucketPolicyInput, DeleteBucketPolicyOutput, GetBucketCorsInput,
        GetBucketCorsOutput, GetBucketEncryptionInput, GetBucketEncryptionOutput, GetBucketLifecycleConfigurationInput,
        GetBucketLifecycleConfigurationOutput, GetBucketPolicyInput, GetBucketPolicyOutput, PutBucketCorsInput,
        PutBucketCorsOutput, PutBucketEncryptionInput, PutBucketEncryptionOutput, PutBucketLifecycleConfigurationInput,
        PutBucketLifecycleConfigurationOutput, PutBucketPolicyInput, PutBucketPolicyOutput, ServerSideEncryption,
        ServerSideEncryptionByDefault, ServerSideEncryptionConfiguration, ServerSideEncryptionRule,
        TransitionDefaultMinimumObjectSize,
    },
};
use serde_json::Value;

use crate::store::Unit;

use super::{
    Buckets, cors,
    error::Failure,
    lifecycle,
    rows::existing_bucket,
    settings::{self, Setting, from_xml, to_xml},
};

const MAX_POLICY: usize = 20 * 1024;

impl Buckets {
    /// Keeps the text of a setting.
    pub(super) async fn keep(&self, bucket: String, setting: Setting, text: String) -> Result<(), Failure> {
        let keep = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            Ok(settings::put(unit, &bucket, setting, &text)?)
        };
        self.store.write(keep).await
    }

    pub(super) async fn forget(&self, bucket: String, setting: Setting) -> Result<(), Failure> {
        let forget = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            Ok(settings::remove(unit, &bucket, setting)?)
        };
        self.store.write(forget).await
    }

    /// The text of a setting, where the bucket has it.
    pub(super) async fn kept(&self, bucket: String, setting: Setting) -> Result<Option<String>, Failure> {
        let read = move |connection: &rusqlite::Connection| {
            let bucket = existing_bucket(connection, &bucket)?;
            Ok(settings::find(connection, &bucket, setting)?)
        };
        self.store.read(read).await
    }

    pub(super) async fn existing_setting(&self, bucket: String, setting: Setting) -> Result<String, Failure> {
        let found = self.kept(bucket.clone(), setting).await?;
        found.ok_or_else(|| setting.missing(bucket))
    }

    pub(super) async fn cors(
        &self,
        request: S3Request<GetBucketCorsInput>,
    ) -> S3Result<S3Response<GetBucketCorsOutput>> {
        let kept: CORSConfiguration = from_xml(&self.existing_setting(request.input.bucket, Setting::Cors).await?)?;
        Ok(S3Response::new(GetBucketCorsOutput { cors_rules: Some(kept.cors_rules) }))
    }

    pub(super) async fn set_cors(
        &self,
        request: S3Request<PutBucketCorsInput>,
    ) -> S3Result<S3Response<PutBucketCorsOutput>> {
        let input = request.input;
        cors::check(&input.cors_configuration.cors_rules)?;
        self.keep(input.bucket, Setting::Cors, to_xml(&input.cors_configuration)?).await?;
        Ok(S3Response::new(PutBucketCorsOutput::default()))
    }

    pub(super) async fn remove_cors(
        &self,
        request: S3Request<DeleteBucketCorsInput>,
    ) -> S3Result<S3Response<DeleteBucketCorsOutput>> {
        self.forget(request.input.bucket, Setting::Cors).await?;
        Ok(S3Response::new(DeleteBucketCorsOutput::default()))
    }

    pub(super) async fn lifecycle(
        &self,
        request: S3Request<GetBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketLifecycleConfigurationOutput>> {
        let bucket = request.input.bucket;
        let kept: BucketLifecycleConfiguration =
            from_xml(&self.existing_setting(bucket.clone(), Setting::Lifecycle).await?)?;
        let minimum = self.kept(bucket, Setting::TransitionMinimum).await?;
        Ok(S3Response::new(GetBucketLifecycleConfigurationOutput {
            rules: Some(kept.rules),
            transition_default_minimum_object_size: Some(transition_minimum(minimum)),
        }))
    }

    pub(super) async fn set_lifecycle(
        &self,
        request: S3Request<PutBucketLifecycleConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketLifecycleConfigurationOutput>> {
        let input = request.input;
        let mut configuration = input.lifecycle_configuration.ok_or(Failure::MalformedXml)?;
        lifecycle::check(&mut configuration.rules)?;
        if let Some(other) =
            input.transition_default_minimum_object_size.as_ref().filter(|size| !is_minimum(size.as_str()))
        {
            let reason = format!("Invalid TransitionDefaultMinimumObjectSize found: {}", other.as_str());
            return Err(Failure::InvalidRequest(reason).into());
        }
        let minimum =
            transition_minimum(input.transition_default_minimum_object_size.map(|minimum| minimum.as_str().to_owned()));
        self.keep(input.bucket.clone(), Setting::TransitionMinimum, minimum.as_str().to_owned()).await?;
        self.keep(input.bucket, Setting::Lifecycle, to_xml(&configuration)?).await?;
        Ok(S3Response::new(PutBucketLifecycleConfigurationOutput {
            transition_default_minimum_object_size: Some(minimum),
        }))
    }

    pub(super) async fn remove_lifecycle(
        &self,
        request: S3Request<DeleteBucketLifecycleInput>,
    ) -> S3Result<S3Response<DeleteBucketLifecycleOutput>> {
        self.forget(request.input.bucket, Setting::Lifecycle).await?;
        Ok(S3Response::new(DeleteBucketLifecycleOutput::default()))
    }

    /// Every bucket has one: without another, that of S3's own keys.
    pub(super) async fn encryption(
        &self,
        request: S3Request<GetBucketEncryptionInput>,
    ) -> S3Result<S3Response<GetBucketEncryptionOutput>> {
        let kept = self.kept(request.input.bucket, Setting::Encryption).await?;
        let configuration = kept.as_deref().map_or_else(|| Ok(own_keys()), from_xml)?;
        Ok(S3Response::new(GetBucketEncryptionOutput { server_side_encryption_configuration: Some(configuration) }))
    }

    pub(super) async fn set_encryption(
        &self,
        request: S3Request<PutBucketEncryptionInput>,
    ) -> S3Result<S3Response<PutBucketEncryptionOutput>> {
        let input = request.input;
        let configuration = input.server_side_encryption_configuration;
        self.bucket(input.bucket.clone()).await?;
        check_encryption(&configuration)?;
        self.keep(input.bucket, Setting::Encryption, to_xml(&configuration)?).await?;
        Ok(S3Response::new(PutBucketEncryptionOutput::default()))
    }

    pub(super) async fn remove_encryption(
        &self,
        request: S3Request<DeleteBucketEncryptionInput>,
    ) -> S3Result<S3Response<DeleteBucketEncryptionOutput>> {
        self.forget(request.input.bucket, Setting::Encryption).await?;
        Ok(S3Response::new(DeleteBucketEncryptionOutput::default()))
    }

    pub(super) async fn policy(
        &self,
        request: S3Request<GetBucketPolicyInput>,
    ) -> S3Result<S3Response<GetBucketPolicyOutput>> {
        let policy = Some(self.existing_setting(request.input.bucket, Setting::Policy).await?);
        Ok(S3Response::new(GetBucketPolicyOutput { policy }))
    }

    pub(super) async fn set_policy(
        &self,
        request: S3Request<PutBucketPolicyInput>,
    ) -> S3Result<S3Response<PutBucketPolicyOutput>> {
        let input = request.input;
        check_policy(&input.policy)?;
        self.keep(input.bucket, Setting::Policy, input.policy).await?;
        Ok(S3Response::new(PutBucketPolicyOutput::default()))
    }

    pub(super) async fn remove_policy(
        &self,
        request: S3Request<DeleteBucketPolicyInput>,
    ) -> S3Result<S3Response<DeleteBucketPolicyOutput>> {
        self.forget(request.input.bucket, Setting::Policy).await?;
        Ok(S3Response::new(DeleteBucketPolicyOutput::default()))
    }
}

fn is_minimum(text: &str) -> bool {
    matches!(text, "all_storage_classes_128K" | "varies_by_storage_class")
}

fn transition_minimum(given: Option<String>) -> TransitionDefaultMinimumObjectSize {
    TransitionDefaultMinimumObjectSize::from(
        given.unwrap_or_else(|| TransitionDefaultMinimumObjectSize::ALL_STORAGE_CLASSES_128K.to_owned()),
    )
}

fn own_keys() -> ServerSideEncryptionConfiguration {
    let algorithm = ServerSideEncryption::from_static(ServerSideEncryption::AES256);
    let default = ServerSideEncryptionByDefault { kms_master_key_id: None, sse_algorithm: algorithm };
    ServerSideEncryptionConfiguration {
        rules: vec![ServerSideEncryptionRule {
            apply_server_side_encryption_by_default: Some(default),
            bucket_key_enabled: Some(false),
        }],
    }
}

fn check_encryption(configuration: &ServerSideEncryptionConfiguration) -> Result<(), Failure> {
    let [rule] = &configuration.rules[..] else { return Err(Failure::MalformedXml) };
    let default = rule.apply_server_side_encryption_by_default.as_ref().ok_or(Failure::MalformedXml)?;
    match default.sse_algorithm.as_str() {
        "aws:kms" | "aws:kms:dsse" => Ok(()),
        ServerSideEncryption::AES256 if default.kms_master_key_id.is_some() => {
            let reason =
                "a KMSMasterKeyID is not applicable if the default sse algorithm is not aws:kms or aws:kms:dsse";
            Err(Failure::argument("ApplyServerSideEncryptionByDefault", "", reason))
        }
        ServerSideEncryption::AES256 => Ok(()),
        _ => Err(Failure::MalformedXml),
    }
}

fn check_policy(text: &str) -> Result<(), Failure> {
    if text.len() > MAX_POLICY {
        return Err(Failure::MalformedPolicy("Policies must be no longer than 20480 bytes"));
    }
    if !text.starts_with('{') {
        return Err(Failure::MalformedPolicy("Policies must be valid JSON and the first byte must be '{'"));
    }
    let policy: Value =
        serde_json::from_str(text).map_err(|_| Failure::MalformedPolicy("This policy contains invalid Json"))?;
    match &policy["Statement"] {
        Value::Array(statements) if !statements.is_empty() => Ok(()),
        Value::Object(_) => Ok(()),
        _ => Err(Failure::MalformedPolicy("Missing required field Statement")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_checked() {
        assert!(check_policy(r#"{"Statement": [{"Effect": "Allow"}]}"#).is_ok());
        for refused in ["", "[]", "{", "{}", r#"{"Statement": []}"#] {
            assert!(check_policy(refused).is_err(), "{refused}");
        }
    }
}
