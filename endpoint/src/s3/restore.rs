//! Archived objects, brought back for some days. There is no archive: they can be read at once.

use std::sync::Arc;

use http::StatusCode;
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{RestoreObjectInput, RestoreObjectOutput},
};

use crate::{
    clock::{Millis, SECOND},
    store::Unit,
};

use super::{
    Buckets,
    error::Failure,
    events::{Change, Event, trace_header},
    versions::{existing_object, save},
};

const DAY: Millis = 24 * 60 * 60 * SECOND;

impl Buckets {
    pub(super) async fn restore(
        &self,
        request: S3Request<RestoreObjectInput>,
    ) -> S3Result<S3Response<RestoreObjectOutput>> {
        let trace_header = trace_header(&request.headers);
        let input = request.input;
        let days = input.restore_request.and_then(|wanted| wanted.days).ok_or(Failure::MalformedXml)?;
        if days < 1 {
            return Err(Failure::argument("Days", days.to_string(), "restoration days should be at least 1").into());
        }
        let (clock, names) = (Arc::clone(&self.clock), self.names.clone());
        let (bucket, key, version) = (input.bucket, input.key, input.version_id);
        let restore = move |unit: &mut Unit<'_>| {
            let (bucket, mut stored) = existing_object(unit.connection(), &bucket, &key, version.as_deref(), "POST")?;
            let facts = &mut stored.object.facts;
            if !facts.is_archived() {
                let message = "Restore is not allowed for the object's current storage class";
                return Err(Failure::InvalidObjectState { class: facts.class(), message });
            }
            let again = facts.restored_until.is_some();
            // It ends with a day, as the service counts.
            let end = clock.now() + i64::from(days) * DAY;
            facts.restored_until = Some((end / DAY + 1) * DAY);
            save(unit.connection(), &stored)?;
            if !again {
                for change in [Change::RestorePost, Change::RestoreCompleted] {
                    let version = bucket.shown(&stored.version);
                    let event = Event::of_object(change, &key, &stored.object, version).traced(trace_header.clone());
                    event.send(unit, &names, &bucket)?;
                }
            }
            Ok::<_, Failure>(again)
        };
        let again = self.store.write(restore).await?;
        let mut response = S3Response::new(RestoreObjectOutput::default());
        response.extensions.insert(if again { StatusCode::OK } else { StatusCode::ACCEPTED });
        Ok(response)
    }
}
