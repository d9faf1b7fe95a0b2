//! Queues themselves: made, found, described, changed, emptied, removed.

use rusqlite::params;
use serde::{Deserialize, Serialize};

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    names::Names,
    store::Unit,
    wire::lenient,
};

use super::{
    Sqs,
    attributes::{self, AttributeMap, COMPUTED, QueueAttributes},
    error::SqsError,
    fifo, paging,
    rows::{self, FIFO_SUFFIX, Queue, counts, existing_queue, queues_after, save_queue},
    tags,
};

const MAX_NAME: usize = 80;
const NAME_RULE: &str = "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length";
const FIFO_NAME_RULE: &str = "The name of a FIFO queue can only include alphanumeric characters, hyphens, or underscores, \
                              must end with .fifo suffix and be 1 to 80 in length.";
const MAX_PAGE: usize = 1000;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", default)]
#[derive(Default)]
pub(super) struct CreateQueue {
    queue_name: String,
    attributes: AttributeMap,
    tags: AttributeMap,
    /// The name that JSON has for the tags of this one operation.
    #[serde(rename = "tags")]
    lowercase_tags: AttributeMap,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GetQueueUrl {
    queue_name: String,
    #[serde(rename = "QueueOwnerAWSAccountId")]
    owner: Option<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListQueues {
    queue_name_prefix: String,
    next_token: Option<String>,
    #[serde(deserialize_with = "lenient::number")]
    max_results: Option<i64>,
}

/// The parameters of every operation that needs a queue and nothing else.
#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct OneQueue {
    pub(super) queue_url: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct GetAttributes {
    queue_url: String,
    attribute_names: Vec<String>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SetAttributes {
    queue_url: String,
    attributes: AttributeMap,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListSources {
    queue_url: String,
    next_token: Option<String>,
    #[serde(deserialize_with = "lenient::number")]
    max_results: Option<i64>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrl {
    queue_url: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct QueueUrls {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    queue_urls: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
pub(super) struct SourceUrls {
    /// In lowercase in the service's own model.
    #[serde(rename = "queueUrls")]
    queue_urls: Vec<String>,
    #[serde(rename = "NextToken", skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Attributes {
    #[serde(skip_serializing_if = "AttributeMap::is_empty")]
    attributes: AttributeMap,
}

impl Sqs {
    /// The name of the queue that a URL is of.
    pub(super) fn queue_of(&self, url: &str) -> Result<String, SqsError> {
        if url.is_empty() {
            return Err(SqsError::MissingParameter("QueueUrl"));
        }
        // The service takes a bare name for the queue of this account, and there are programs that rely on it.
        let name = if url.contains(['/', ':']) { self.names.queue_in_url(url) } else { Some(url) };
        name.map(str::to_owned).ok_or_else(|| SqsError::InvalidAddress(url.to_owned()))
    }

    pub(super) async fn create_queue(&self, input: CreateQueue, authority: &str) -> Result<QueueUrl, SqsError> {
        check_name(&input.queue_name)?;
        let queue_url = self.names.queue_url(authority, &input.queue_name);
        let (names, now) = (self.names.clone(), self.clock.now());
        check_type(&input.queue_name, &input.attributes)?;
        self.store.write(move |unit| create(unit, &names, input, now)).await?;
        Ok(QueueUrl { queue_url })
    }

    pub(super) async fn get_queue_url(&self, input: GetQueueUrl, authority: &str) -> Result<QueueUrl, SqsError> {
        let queue_url = self.names.queue_url(authority, &input.queue_name);
        if input.owner.is_some_and(|owner| owner != self.names.account) {
            return Err(SqsError::QueueDoesNotExist(input.queue_name));
        }
        self.store.read(move |connection| existing_queue(connection, &input.queue_name)).await?;
        Ok(QueueUrl { queue_url })
    }

    pub(super) async fn list_queues(&self, input: ListQueues, authority: &str) -> Result<QueueUrls, SqsError> {
        let prefix = input.queue_name_prefix;
        let (page, next_token) =
            self.page(input.next_token, input.max_results, move |queue| queue.name.starts_with(&prefix)).await?;
        let queue_urls = page.iter().map(|name| self.names.queue_url(authority, name)).collect();
        Ok(QueueUrls { queue_urls, next_token })
    }

    /// The queues whose dead letters go to this one.
    pub(super) async fn list_sources(&self, input: ListSources, authority: &str) -> Result<SourceUrls, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let arn = self.names.queue_arn(&name);
        self.store.read(move |connection| existing_queue(connection, &name)).await?;
        let is_source =
            move |queue: &Queue| queue.attributes.redrive().is_some_and(|redrive| redrive.target_arn == arn);
        let (page, next_token) = self.page(input.next_token, input.max_results, is_source).await?;
        let queue_urls = page.iter().map(|name| self.names.queue_url(authority, name)).collect();
        Ok(SourceUrls { queue_urls, next_token })
    }

    /// A page of the names of queues that `wanted` takes, and the token for the next one.
    async fn page(
        &self,
        token: Option<String>,
        max: Option<i64>,
        wanted: impl Fn(&Queue) -> bool + Send + 'static,
    ) -> Result<(Vec<String>, Option<String>), SqsError> {
        let size = page_size(max)?;
        let after = paging::start(token.as_deref())?;
        let queues = self.store.read(move |connection| Ok::<_, SqsError>(queues_after(connection, &after)?)).await?;
        let mut names: Vec<String> = queues.into_iter().filter(wanted).map(|queue| queue.name).take(size + 1).collect();
        // Without MaxResults there is one page and no token, as the service does it.
        let more = names.len() > size && max.is_some();
        names.truncate(size);
        let next = if more { names.last().map(|last| paging::token(last)) } else { None };
        Ok((names, next))
    }

    pub(super) async fn delete_queue(&self, input: OneQueue) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let delete = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            fifo::forget(unit.connection(), fifo::Owner::Queue(queue.id))?;
            unit.connection().prepare_cached("DELETE FROM queue WHERE id = ?1")?.execute([queue.id])?;
            // Whoever waits there learns that the queue is gone.
            unit.wake(queue.id);
            Ok(())
        };
        self.store.write(delete).await
    }

    pub(super) async fn purge_queue(&self, input: OneQueue) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let purge = move |unit: &mut Unit<'_>| {
            let queue = existing_queue(unit.connection(), &name)?;
            rows::purge(unit.connection(), queue.id)?;
            // A purged group no longer holds anybody up, and whoever waits reckoned with the messages that were there.
            unit.wake(queue.id);
            Ok(())
        };
        self.store.write(purge).await
    }

    pub(super) async fn get_attributes(&self, input: GetAttributes) -> Result<Attributes, SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        if let Some(unknown) = input.attribute_names.iter().find(|name| !attributes::is_known(name)) {
            return Err(SqsError::InvalidAttributeName(unknown.clone()));
        }
        let (now, arn) = (self.clock.now(), self.names.queue_arn(&name));
        let all = self
            .store
            .read(move |connection| {
                let queue = existing_queue(connection, &name)?;
                let counts = counts(connection, &queue, now)?;
                Ok::<_, SqsError>(described(&queue, counts, arn))
            })
            .await?;
        let wanted = |name: &String| input.attribute_names.iter().any(|wanted| wanted == "All" || wanted == name);
        Ok(Attributes { attributes: all.into_iter().filter(|(name, _)| wanted(name)).collect() })
    }

    pub(super) async fn set_attributes(&self, input: SetAttributes) -> Result<(), SqsError> {
        let name = self.queue_of(&input.queue_url)?;
        let (names, now) = (self.names.clone(), self.clock.now());
        let set = move |unit: &mut Unit<'_>| {
            let mut queue = existing_queue(unit.connection(), &name)?;
            let fifo = queue.is_fifo();
            queue.attributes.set(&input.attributes, fifo)?;
            if input.attributes.contains_key(attributes::REDRIVE) {
                check_dead_letter_queue(unit, &names, &queue.name, &queue.attributes)?;
            }
            queue.modified = now;
            save_queue(unit.connection(), &queue)?;
            Ok(())
        };
        self.store.write(set).await
    }
}

fn create(unit: &mut Unit<'_>, names: &Names, input: CreateQueue, now: Millis) -> Result<(), SqsError> {
    if let Some(queue) = rows::find_queue(unit.connection(), &input.queue_name)? {
        return match queue.attributes.first_difference(&input.attributes, queue.is_fifo())? {
            None => Ok(()),
            Some(attribute) => Err(SqsError::QueueNameExists { attribute }),
        };
    }
    let mut attributes = QueueAttributes::default();
    attributes.set(&input.attributes, input.queue_name.ends_with(FIFO_SUFFIX))?;
    check_dead_letter_queue(unit, names, &input.queue_name, &attributes)?;
    let mut tags = AttributeMap::new();
    for given in [input.tags, input.lowercase_tags] {
        tags::add(&input.queue_name, &mut tags, given)?;
    }
    let sql = "INSERT INTO queue (name, created_ms, modified_ms, attributes, tags) VALUES (?1, ?2, ?2, ?3, ?4)";
    unit.connection().prepare_cached(sql)?.execute(params![input.queue_name, now, Json(&attributes), Json(&tags)])?;
    Ok(())
}

/// A redrive policy must name a queue that is there and takes dead letters of this one.
fn check_dead_letter_queue(
    unit: &Unit<'_>,
    names: &Names,
    name: &str,
    attributes: &QueueAttributes,
) -> Result<(), SqsError> {
    let Some(redrive) = attributes.redrive() else { return Ok(()) };
    let policy = attributes.get(attributes::REDRIVE).unwrap_or_default();
    let invalid = |reason: &str| SqsError::invalid(attributes::REDRIVE, &policy, reason);
    let target =
        names.queue_in_arn(&redrive.target_arn).ok_or_else(|| invalid("Invalid value for deadLetterTargetArn."))?;
    let target = rows::find_queue(unit.connection(), target)?;
    let target = target.ok_or_else(|| invalid("Dead letter target does not exist."))?;
    if target.is_fifo() != name.ends_with(FIFO_SUFFIX) {
        return Err(invalid("Dead-letter queue must be same type of queue as the source."));
    }
    if !target.attributes.admits_dead_letters_of(&names.queue_arn(name)) {
        return Err(invalid(
            "The RedriveAllowPolicy of the dead letter target does not permit this queue as a source.",
        ));
    }
    Ok(())
}

fn described(queue: &Queue, counts: rows::Counts, arn: String) -> AttributeMap {
    let computed = [
        counts.visible.to_string(),
        counts.delayed.to_string(),
        counts.in_flight.to_string(),
        (queue.created / SECOND).to_string(),
        (queue.modified / SECOND).to_string(),
        arn,
    ];
    let mut all = queue.attributes.all();
    all.extend(COMPUTED.iter().map(|name| (*name).to_owned()).zip(computed));
    all
}

fn check_name(name: &str) -> Result<(), SqsError> {
    let plain = name.strip_suffix(FIFO_SUFFIX).unwrap_or(name);
    let valid = name.len() <= MAX_NAME
        && !plain.is_empty()
        && plain.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
    if valid { Ok(()) } else { Err(SqsError::InvalidValue(NAME_RULE.into())) }
}

/// The suffix of the name and the attribute must say the same.
fn check_type(name: &str, attributes: &AttributeMap) -> Result<(), SqsError> {
    let wanted = attributes.get("FifoQueue").is_some_and(|value| value == "true");
    match (name.ends_with(FIFO_SUFFIX), wanted) {
        (false, true) => Err(SqsError::InvalidValue(FIFO_NAME_RULE.into())),
        (true, false) => Err(SqsError::InvalidValue(NAME_RULE.into())),
        _ => Ok(()),
    }
}

fn page_size(max: Option<i64>) -> Result<usize, SqsError> {
    let Some(max) = max else { return Ok(MAX_PAGE) };
    usize::try_from(max).ok().filter(|max| (1..=MAX_PAGE).contains(max)).ok_or_else(|| {
        SqsError::invalid("MaxResults", max.to_string(), "MaxResults must be an integer between 1 and 1000.")
    })
}
