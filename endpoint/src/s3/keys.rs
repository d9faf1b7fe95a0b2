//! The one key pair that S3 requests are signed with.

use s3s::{
    S3Result,
    auth::{S3Auth, SecretKey},
    s3_error,
};

use crate::Credentials;

/// Knows the secret of one access key; of any other it says what AWS says.
pub(super) struct OneKey {
    access_key_id: String,
    secret: SecretKey,
}

impl OneKey {
    pub(super) fn new(credentials: &Credentials) -> Self {
        OneKey {
            access_key_id: credentials.access_key_id.clone(),
            secret: SecretKey::from(credentials.secret_access_key.as_str()),
        }
    }
}

#[async_trait::async_trait]
impl S3Auth for OneKey {
    async fn get_secret_key(&self, access_key: &str) -> S3Result<SecretKey> {
        if access_key == self.access_key_id {
            Ok(self.secret.clone())
        } else {
            Err(s3_error!(InvalidAccessKeyId, "The AWS Access Key Id you provided does not exist in our records."))
        }
    }
}
