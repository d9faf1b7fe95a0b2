//! What another service of this endpoint has to say to topics.
//!
//! It is noted in the transaction of what happened, so that a crash leaves both or neither, and published right after by a
//! task of its own: the messages of others do not wait for the signatures of these.

use std::{pin::pin, time::Duration};

use rusqlite::{Connection, params};

use crate::{
    names::Names,
    store::{QueueId, StoreError, Unit},
};

use super::{
    Sns,
    error::SnsError,
    fan_out::{Caller, Draft, Publication},
    message::Published,
    topics::existing_topic,
};

/// Announcements are woken for as a queue's receivers are. The ids of queues begin at 1.
const ANNOUNCEMENTS: QueueId = -1;
/// As many are published in one unit of work.
const AT_ONCE: i64 = 64;
/// After what failed in the store.
const STORE_PAUSE: Duration = Duration::from_secs(1);

/// Whether there is a topic, for another service of this endpoint.
pub(crate) fn has_topic(connection: &Connection, names: &Names, topic_arn: &str) -> Result<bool, StoreError> {
    match existing_topic(connection, names, topic_arn) {
        Ok(_) => Ok(true),
        Err(SnsError::Store(error)) => Err(error),
        Err(_) => Ok(false),
    }
}

/// Notes a message for a topic. It is dropped where that is gone by then, as on AWS.
pub(crate) fn announce(unit: &mut Unit<'_>, topic_arn: &str, subject: &str, message: &str) -> Result<(), StoreError> {
    let sql = "INSERT INTO announcement (topic_arn, subject, message) VALUES (?1, ?2, ?3)";
    unit.connection().prepare_cached(sql)?.execute(params![topic_arn, subject, message])?;
    unit.wake(ANNOUNCEMENTS);
    Ok(())
}

/// An announcement as its row has it.
struct Announcement {
    id: i64,
    topic_arn: String,
    published: Published,
}

impl Sns {
    /// Publishes what was announced, in its order, until the store stops.
    pub(crate) async fn announcements(&self) {
        let arrival = self.store.wakers().of(ANNOUNCEMENTS);
        loop {
            let mut arrived = pin!(arrival.notified());
            arrived.as_mut().enable();
            let pause = match self.publish_announced().await {
                Ok(()) => None,
                Err(error) => {
                    tracing::warn!(%error, "events were not published; it is tried again");
                    Some(STORE_PAUSE)
                }
            };
            tokio::select! {
                () = self.store.stopping().cancelled() => return,
                () = arrived => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
            }
        }
    }

    /// Publishes all there is.
    async fn publish_announced(&self) -> Result<(), SnsError> {
        while !self.store.stopping().is_cancelled() {
            let next = self.store.read(first).await?;
            let Some(last) = next.last().map(|last| last.id) else { return Ok(()) };
            self.publish_together(next, last).await?;
        }
        Ok(())
    }

    /// Publishes announcements for one topic, and forgets them with it.
    async fn publish_together(&self, announced: Vec<Announcement>, last: i64) -> Result<(), SnsError> {
        let Some(Announcement { topic_arn, .. }) = announced.first() else { return Ok(()) };
        let (topic_arn, now) = (topic_arn.clone(), self.clock.now());
        let caller = Caller { authority: self.authority(), trace_header: None };
        let drafts = announced.into_iter().map(|announced| Draft::new(None, announced.published)).collect();
        let publication = Publication { names: self.names.clone(), caller, topic_arn, drafts, now };
        let publish = move |unit: &mut Unit<'_>, signatures: &_| {
            match publication.run(unit, signatures) {
                Ok(_) => {}
                Err(error @ (SnsError::Store(_) | SnsError::Unsigned(_))) => return Err(error),
                Err(error) => {
                    tracing::warn!(topic = publication.topic_arn, %error, "a topic did not take events: they are dropped");
                }
            }
            unit.connection().prepare_cached("DELETE FROM announcement WHERE id <= ?1")?.execute([last])?;
            Ok(())
        };
        self.write_signed(publish).await
    }
}

/// The first announcements, as far as they are for the same topic.
fn first(connection: &Connection) -> Result<Vec<Announcement>, SnsError> {
    let sql = "SELECT id, topic_arn, subject, message FROM announcement ORDER BY id LIMIT ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([AT_ONCE], |row| {
        let published = Published { subject: Some(row.get(2)?), message: row.get(3)?, ..Published::default() };
        Ok(Announcement { id: row.get(0)?, topic_arn: row.get(1)?, published })
    })?;
    let mut announced = rows.collect::<Result<Vec<_>, _>>()?;
    let together = announced.iter().take_while(|next| next.topic_arn == announced[0].topic_arn).count();
    announced.truncate(together);
    Ok(announced)
}
