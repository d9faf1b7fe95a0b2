//! Buckets.

use super::{Clients, Error};

/// Sees to it that a bucket exists.
pub async fn ensure_bucket(clients: &Clients, name: &str) -> Result<(), Error> {
    match clients.s3.create_bucket().bucket(name).send().await {
        Ok(_) => Ok(()),
        Err(error) => {
            let error = error.into_service_error();
            if error.is_bucket_already_owned_by_you() { Ok(()) } else { Err(Error::new(name, "CreateBucket", error)) }
        }
    }
}
