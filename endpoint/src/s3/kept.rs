//! Settings of buckets about who serves, logs and pays: kept and answered, without any effect.
//!
//! A new bucket begins with some of them, as on AWS: its owner owns every object, and all that is public is blocked.

use rusqlite::Connection;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        AccelerateConfiguration, BucketLoggingStatus, DeleteBucketOwnershipControlsInput,
        DeleteBucketOwnershipControlsOutput, DeleteBucketReplicationInput, DeleteBucketReplicationOutput,
        DeleteBucketWebsiteInput, DeleteBucketWebsiteOutput, DeletePublicAccessBlockInput,
        DeletePublicAccessBlockOutput, GetBucketAccelerateConfigurationInput, GetBucketAccelerateConfigurationOutput,
        GetBucketLoggingInput, GetBucketLoggingOutput, GetBucketOwnershipControlsInput,
        GetBucketOwnershipControlsOutput, GetBucketReplicationInput, GetBucketReplicationOutput,
        GetBucketRequestPaymentInput, GetBucketRequestPaymentOutput, GetBucketWebsiteInput, GetBucketWebsiteOutput,
        GetPublicAccessBlockInput, GetPublicAccessBlockOutput, ObjectOwnership, OwnershipControls,
        OwnershipControlsRule, Payer, PublicAccessBlockConfiguration, PutBucketAccelerateConfigurationInput,
        PutBucketAccelerateConfigurationOutput, PutBucketLoggingInput, PutBucketLoggingOutput,
        PutBucketOwnershipControlsInput, PutBucketOwnershipControlsOutput, PutBucketReplicationInput,
        PutBucketReplicationOutput, PutBucketRequestPaymentInput, PutBucketRequestPaymentOutput, PutBucketWebsiteInput,
        PutBucketWebsiteOutput, PutPublicAccessBlockInput, PutPublicAccessBlockOutput, RequestPaymentConfiguration,
        WebsiteConfiguration,
    },
};
use uuid::Uuid;

use super::{
    Buckets,
    error::Failure,
    regions::FIRST_REGION,
    rows::{Bucket, Versioning},
    settings::{self, REMOVED, Setting, from_xml, to_xml},
    website,
};

/// Answers an operation that takes a setting away.
macro_rules! removals {
    ($($method:ident($input:ident) -> $output:ident = $change:ident $setting:ident;)*) => {
        impl Buckets {
            $(
                pub(super) async fn $method(&self, request: S3Request<$input>) -> S3Result<S3Response<$output>> {
                    self.$change(request.input.bucket, Setting::$setting).await?;
                    Ok(S3Response::new($output::default()))
                }
            )*
        }
    };
}

removals! {
    remove_ownership(DeleteBucketOwnershipControlsInput) -> DeleteBucketOwnershipControlsOutput = take_away Ownership;
    remove_public_block(DeletePublicAccessBlockInput) -> DeletePublicAccessBlockOutput = take_away PublicAccessBlock;
    remove_website(DeleteBucketWebsiteInput) -> DeleteBucketWebsiteOutput = forget Website;
    remove_replication(DeleteBucketReplicationInput) -> DeleteBucketReplicationOutput = forget Replication;
}

impl Buckets {
    /// Removes a setting that every bucket begins with.
    async fn take_away(&self, bucket: String, setting: Setting) -> Result<(), Failure> {
        self.keep(bucket, setting, REMOVED.to_owned()).await
    }

    /// The text of a setting that every bucket begins with; nothing where it is as it was at first.
    async fn changed(&self, bucket: String, setting: Setting) -> Result<Option<String>, Failure> {
        let kept = self.kept(bucket.clone(), setting).await?;
        if kept.as_deref() == Some(REMOVED) { Err(setting.missing(bucket)) } else { Ok(kept) }
    }

    pub(super) async fn ownership(
        &self,
        request: S3Request<GetBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<GetBucketOwnershipControlsOutput>> {
        let kept = self.changed(request.input.bucket, Setting::Ownership).await?;
        let enforced = || ownership_of(ObjectOwnership::from_static(ObjectOwnership::BUCKET_OWNER_ENFORCED));
        let controls = kept.as_deref().map_or_else(|| Ok(enforced()), from_xml)?;
        Ok(S3Response::new(GetBucketOwnershipControlsOutput { ownership_controls: Some(controls) }))
    }

    pub(super) async fn set_ownership(
        &self,
        request: S3Request<PutBucketOwnershipControlsInput>,
    ) -> S3Result<S3Response<PutBucketOwnershipControlsOutput>> {
        let input = request.input;
        let [rule] = &input.ownership_controls.rules[..] else { return Err(Failure::MalformedXml.into()) };
        check_ownership(&rule.object_ownership)?;
        self.keep(input.bucket, Setting::Ownership, to_xml(&input.ownership_controls)?).await?;
        Ok(S3Response::new(PutBucketOwnershipControlsOutput::default()))
    }

    pub(super) async fn public_block(
        &self,
        request: S3Request<GetPublicAccessBlockInput>,
    ) -> S3Result<S3Response<GetPublicAccessBlockOutput>> {
        let kept = self.changed(request.input.bucket, Setting::PublicAccessBlock).await?;
        let configuration = kept.as_deref().map_or_else(|| Ok(all_blocked()), from_xml)?;
        Ok(S3Response::new(GetPublicAccessBlockOutput { public_access_block_configuration: Some(configuration) }))
    }

    pub(super) async fn set_public_block(
        &self,
        request: S3Request<PutPublicAccessBlockInput>,
    ) -> S3Result<S3Response<PutPublicAccessBlockOutput>> {
        let given = request.input.public_access_block_configuration;
        let whole = PublicAccessBlockConfiguration {
            block_public_acls: given.block_public_acls.or(Some(false)),
            block_public_policy: given.block_public_policy.or(Some(false)),
            ignore_public_acls: given.ignore_public_acls.or(Some(false)),
            restrict_public_buckets: given.restrict_public_buckets.or(Some(false)),
        };
        self.keep(request.input.bucket, Setting::PublicAccessBlock, to_xml(&whole)?).await?;
        Ok(S3Response::new(PutPublicAccessBlockOutput::default()))
    }

    pub(super) async fn website(
        &self,
        request: S3Request<GetBucketWebsiteInput>,
    ) -> S3Result<S3Response<GetBucketWebsiteOutput>> {
        let kept: WebsiteConfiguration =
            from_xml(&self.existing_setting(request.input.bucket, Setting::Website).await?)?;
        let WebsiteConfiguration { error_document, index_document, redirect_all_requests_to, routing_rules } = kept;
        Ok(S3Response::new(GetBucketWebsiteOutput {
            error_document,
            index_document,
            redirect_all_requests_to,
            routing_rules,
        }))
    }

    pub(super) async fn set_website(
        &self,
        request: S3Request<PutBucketWebsiteInput>,
    ) -> S3Result<S3Response<PutBucketWebsiteOutput>> {
        let PutBucketWebsiteInput { bucket, website_configuration: wanted, .. } = request.input;
        website::check(&wanted)?;
        self.keep(bucket, Setting::Website, to_xml(&wanted)?).await?;
        Ok(S3Response::new(PutBucketWebsiteOutput::default()))
    }

    pub(super) async fn logging(
        &self,
        request: S3Request<GetBucketLoggingInput>,
    ) -> S3Result<S3Response<GetBucketLoggingOutput>> {
        let kept = self.kept(request.input.bucket, Setting::Logging).await?;
        let status: Option<BucketLoggingStatus> = kept.as_deref().map(from_xml).transpose()?;
        let logging_enabled = status.and_then(|status| status.logging_enabled);
        Ok(S3Response::new(GetBucketLoggingOutput { logging_enabled }))
    }

    pub(super) async fn set_logging(
        &self,
        request: S3Request<PutBucketLoggingInput>,
    ) -> S3Result<S3Response<PutBucketLoggingOutput>> {
        let PutBucketLoggingInput { bucket, bucket_logging_status: status, .. } = request.input;
        let target = status.logging_enabled.as_ref().map(|enabled| enabled.target_bucket.clone());
        if let Some(target) = target {
            let source = self.bucket(bucket.clone()).await?;
            let found = self.bucket(target).await;
            let target = found.map_err(|failure| match failure {
                Failure::NoSuchBucket(target) => {
                    let reason = "The target bucket for logging does not exist";
                    Failure::special("InvalidTargetBucketForLogging", reason).with_detail("TargetBucket", target)
                }
                other => other,
            })?;
            if target.region != source.region {
                let failure =
                    Failure::special("CrossLocationLoggingProhibitted", "Cross S3 location logging not allowed. ");
                let mut failure = failure.with_status(http::StatusCode::FORBIDDEN);
                if source.region != FIRST_REGION {
                    failure = failure.with_detail("SourceBucketLocation", source.region);
                }
                return Err(failure.with_detail("TargetBucketLocation", target.region).into());
            }
        }
        self.keep(bucket, Setting::Logging, to_xml(&status)?).await?;
        Ok(S3Response::new(PutBucketLoggingOutput::default()))
    }

    pub(super) async fn acceleration(
        &self,
        request: S3Request<GetBucketAccelerateConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketAccelerateConfigurationOutput>> {
        let kept = self.kept(request.input.bucket, Setting::Acceleration).await?;
        let kept: Option<AccelerateConfiguration> = kept.as_deref().map(from_xml).transpose()?;
        let status = kept.and_then(|kept| kept.status);
        Ok(S3Response::new(GetBucketAccelerateConfigurationOutput { request_charged: None, status }))
    }

    pub(super) async fn set_acceleration(
        &self,
        request: S3Request<PutBucketAccelerateConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketAccelerateConfigurationOutput>> {
        let PutBucketAccelerateConfigurationInput { bucket, accelerate_configuration: wanted, .. } = request.input;
        if bucket.contains('.') {
            let reason = "S3 Transfer Acceleration is not supported for buckets with periods (.) in their names";
            return Err(Failure::InvalidRequest(reason.into()).into());
        }
        if !wanted.status.as_ref().is_some_and(|status| matches!(status.as_str(), "Enabled" | "Suspended")) {
            return Err(Failure::MalformedXml.into());
        }
        let suspends = wanted.status.as_ref().is_some_and(|status| status.as_str() == "Suspended");
        if suspends && self.kept(bucket.clone(), Setting::Acceleration).await?.is_none() {
            // What never was on is not turned off.
            return Ok(S3Response::new(PutBucketAccelerateConfigurationOutput::default()));
        }
        self.keep(bucket, Setting::Acceleration, to_xml(&wanted)?).await?;
        Ok(S3Response::new(PutBucketAccelerateConfigurationOutput::default()))
    }

    pub(super) async fn payer(
        &self,
        request: S3Request<GetBucketRequestPaymentInput>,
    ) -> S3Result<S3Response<GetBucketRequestPaymentOutput>> {
        let kept = self.kept(request.input.bucket, Setting::RequestPayment).await?;
        let kept: Option<RequestPaymentConfiguration> = kept.as_deref().map(from_xml).transpose()?;
        let payer = kept.map_or_else(|| Payer::from_static(Payer::BUCKET_OWNER), |kept| kept.payer);
        Ok(S3Response::new(GetBucketRequestPaymentOutput { payer: Some(payer) }))
    }

    pub(super) async fn set_payer(
        &self,
        request: S3Request<PutBucketRequestPaymentInput>,
    ) -> S3Result<S3Response<PutBucketRequestPaymentOutput>> {
        let PutBucketRequestPaymentInput { bucket, request_payment_configuration: wanted, .. } = request.input;
        if !matches!(wanted.payer.as_str(), Payer::BUCKET_OWNER | Payer::REQUESTER) {
            return Err(Failure::MalformedXml.into());
        }
        self.keep(bucket, Setting::RequestPayment, to_xml(&wanted)?).await?;
        Ok(S3Response::new(PutBucketRequestPaymentOutput::default()))
    }

    pub(super) async fn replication(
        &self,
        request: S3Request<GetBucketReplicationInput>,
    ) -> S3Result<S3Response<GetBucketReplicationOutput>> {
        let kept = from_xml(&self.existing_setting(request.input.bucket, Setting::Replication).await?)?;
        Ok(S3Response::new(GetBucketReplicationOutput { replication_configuration: Some(kept) }))
    }

    pub(super) async fn set_replication(
        &self,
        request: S3Request<PutBucketReplicationInput>,
    ) -> S3Result<S3Response<PutBucketReplicationOutput>> {
        let PutBucketReplicationInput { bucket, replication_configuration: mut wanted, .. } = request.input;
        if self.bucket(bucket.clone()).await?.versioning != Versioning::Enabled {
            let reason = "Versioning must be 'Enabled' on the bucket to apply a replication configuration";
            return Err(Failure::InvalidRequest(reason.into()).into());
        }
        if wanted.rules.is_empty() {
            return Err(Failure::MalformedXml.into());
        }
        for rule in &mut wanted.rules {
            rule.id.get_or_insert_with(|| Uuid::new_v4().to_string());
            let target = rule.destination.bucket.rsplit(':').next().unwrap_or_default().to_owned();
            let versioning = match self.bucket(target).await {
                Ok(target) => target.versioning,
                // The service does not tell one that is not there from one without versions.
                Err(Failure::NoSuchBucket(_)) => Versioning::Never,
                Err(other) => return Err(other.into()),
            };
            if versioning != Versioning::Enabled {
                let reason = "Destination bucket must have versioning enabled.";
                return Err(Failure::InvalidRequest(reason.into()).into());
            }
        }
        self.keep(bucket, Setting::Replication, to_xml(&wanted)?).await?;
        Ok(S3Response::new(PutBucketReplicationOutput::default()))
    }
}

pub(super) fn check_ownership(ownership: &ObjectOwnership) -> Result<(), Failure> {
    match ownership.as_str() {
        ObjectOwnership::BUCKET_OWNER_ENFORCED
        | ObjectOwnership::BUCKET_OWNER_PREFERRED
        | ObjectOwnership::OBJECT_WRITER => Ok(()),
        _ => Err(Failure::MalformedXml),
    }
}

/// Checks the header of a new bucket, which the crate takes for absent where it is empty.
pub(super) fn check_ownership_header(header: Option<&str>) -> Result<(), Failure> {
    let known = |header: &str| check_ownership(&ObjectOwnership::from(header.to_owned())).is_ok();
    match header.filter(|header| !known(header)) {
        None => Ok(()),
        Some(other) => {
            let reason = format!("Invalid x-amz-object-ownership header: {other}");
            Err(Failure::argument("x-amz-object-ownership", "", reason))
        }
    }
}

pub(super) fn ownership_of(object_ownership: ObjectOwnership) -> OwnershipControls {
    OwnershipControls { rules: vec![OwnershipControlsRule { object_ownership }] }
}

/// Whether access control lists count for nothing in a bucket, as in a new one.
pub(super) fn owner_owns_all(connection: &Connection, bucket: &Bucket) -> Result<bool, Failure> {
    match settings::find(connection, bucket, Setting::Ownership)?.as_deref() {
        None => Ok(true),
        Some(REMOVED) => Ok(false),
        Some(text) => {
            let controls: OwnershipControls = from_xml(text)?;
            let enforced =
                |rule: &OwnershipControlsRule| rule.object_ownership.as_str() == ObjectOwnership::BUCKET_OWNER_ENFORCED;
            Ok(controls.rules.iter().any(enforced))
        }
    }
}

pub(super) fn all_blocked() -> PublicAccessBlockConfiguration {
    PublicAccessBlockConfiguration {
        block_public_acls: Some(true),
        block_public_policy: Some(true),
        ignore_public_acls: Some(true),
        restrict_public_buckets: Some(true),
    }
}
