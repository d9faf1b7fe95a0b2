//! Tags of a queue.

use serde::{Deserialize, Serialize};

use crate::{
    store::Unit,
    tags::{self, Wrong},
};

use super::{
    Sqs,
    attributes::AttributeMap,
    error::SqsError,
    queues::OneQueue,
    rows::{Queue, existing_queue, save_queue},
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct TagQueue {
    queue_url: String,
    tags: AttributeMap,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct UntagQueue {
    queue_url: String,
    tag_keys: Vec<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tags {
    #[serde(skip_serializing_if = "AttributeMap::is_empty")]
    tags: AttributeMap,
}

/// Adds tags to those of a queue.
pub(super) fn add(queue: &str, tags: &mut AttributeMap, given: AttributeMap) -> Result<(), SqsError> {
    tags::add(tags, given).map_err(|wrong| match wrong {
        Wrong::TooMany => SqsError::InvalidValue(format!("Too many tags added for queue {queue}.")),
        wrong => SqsError::InvalidValue(wrong.to_string()),
    })
}

impl Sqs {
    pub(super) async fn tag_queue(&self, input: TagQueue) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        if input.tags.is_empty() {
            return Err(SqsError::MissingParameter("Tags"));
        }
        self.change(name, move |queue| add(&queue.name, &mut queue.tags, input.tags)).await
    }

    pub(super) async fn untag_queue(&self, input: UntagQueue) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        if input.tag_keys.is_empty() {
            return Err(SqsError::InvalidValue(Wrong::Key.to_string()));
        }
        self.change(name, move |queue| {
            queue.tags.retain(|key, _| !input.tag_keys.contains(key));
            Ok(())
        })
        .await
    }

    pub(super) async fn list_tags(&self, input: OneQueue) -> Result<Tags, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let queue = self.store.read(move |connection| existing_queue(connection, &name)).await?;
        Ok(Tags { tags: queue.tags })
    }

    /// Changes a queue's row.
    pub(super) async fn change(
        &self,
        name: String,
        change: impl FnOnce(&mut Queue) -> Result<(), SqsError> + Send + 'static,
    ) -> Result<(), SqsError> {
        let change = move |unit: &mut Unit<'_>| {
            let mut queue = existing_queue(unit.connection(), &name)?;
            change(&mut queue)?;
            save_queue(unit.connection(), &queue)?;
            Ok(())
        };
        self.store.write(change).await
    }
}
