//! Where photos' tasks were sent, and which photos the sweep has to send (again), or to leave alone for a while. Each change is
//! one statement.
//!
//! It knows addresses only as parts of what a record says; what they mean is known where tasks are sent.

use sqlx::Row;

use super::{Catalog, CatalogError, now};
use crate::{outbox::Destination, trace::Carried};

/// A task that was sent is sent again, to another place, after a pause that doubles each time: of two workers that differ in
/// where tasks go, none sends for ever what the other one has sent. In milliseconds, the first one and about the longest.
const FIRST_PAUSE: i64 = 2_000;
const LAST_PAUSE: i64 = 30 * 60 * 1_000;

/// What begins with now, and lasts longer than the one before it.
const LONGER_PAUSE: &str =
    "changed_at = $2, pause = CASE WHEN pause = 0 THEN $3 WHEN pause < $4 THEN pause * 2 ELSE pause END";

/// A photo whose task must be sent (again).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unsent {
    pub(crate) id: String,
    pub(crate) uploaded_at: i64,
    /// The trace that its upload was a part of.
    pub(crate) trace: Carried,
    /// Its record is as it was at this time.
    changed_at: i64,
}

impl Catalog {
    /// Notes where a photo's task was sent.
    pub(crate) async fn sent(&self, id: &str, destination: &Destination) -> Result<(), CatalogError> {
        let statement = format!("UPDATE images SET {LONGER_PAUSE}, sent_to = $5 WHERE id = $1");
        let sent = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id);
        let sent = sent.bind(now()).bind(FIRST_PAUSE).bind(LAST_PAUSE).bind(destination.name());
        sent.execute(&self.pool).await?;
        Ok(())
    }

    /// Returns photos with work to do, and not given up, whose task was not sent and that nobody has touched since before a time;
    /// or whose task was sent to somewhere else, or so long ago that no queue has it any more.
    pub(crate) async fn unsent(&self, destination: &Destination, before: i64) -> Result<Vec<Unsent>, CatalogError> {
        let now = now();
        let missing = (4..).take(destination.parts().len()).map(is_missing).collect::<Vec<_>>().join(" OR ");
        let statement = format!(
            "SELECT id, uploaded_at, changed_at, traceparent, tracestate FROM images WHERE state = 'stored' \
             AND (resize_state = 'pending' OR tag_state = 'pending') \
             AND ((resize_state = 'pending' AND resize_reason IS NULL) \
             OR (tag_state = 'pending' AND tag_reason IS NULL)) \
             AND ((sent_to IS NULL AND changed_at < $1) \
             OR (changed_at < $2 - pause AND (changed_at < $3 OR {missing}))) \
             ORDER BY changed_at LIMIT 100"
        );
        let select = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(before).bind(now);
        let select = select.bind(now.saturating_sub(destination.kept_for()));
        let select = destination.parts().iter().fold(select, |select, part| select.bind(format!("#{part}#")));
        let rows = select.fetch_all(&self.pool).await?;
        let photo = |row: &sqlx::any::AnyRow| {
            Ok(Unsent {
                id: row.try_get("id")?,
                uploaded_at: row.try_get("uploaded_at")?,
                changed_at: row.try_get("changed_at")?,
                trace: Carried { traceparent: row.try_get("traceparent")?, tracestate: row.try_get("tracestate")? },
            })
        };
        rows.iter().map(photo).collect()
    }

    /// Claims a photo for being sent, so that of several workers that sweep only one does it. A claim that comes to
    /// nothing is free again once the photo has not been touched for a while.
    pub(crate) async fn claim(&self, photo: &Unsent) -> Result<bool, CatalogError> {
        // A claim has to be told from what was there before, within the same millisecond too.
        let claimed_at = now().max(photo.changed_at + 1);
        let changed = sqlx::query(
            "UPDATE images SET sent_to = NULL, changed_at = $2 WHERE id = $1 AND state = 'stored' AND changed_at = $3",
        )
        .bind(&photo.id)
        .bind(claimed_at)
        .bind(photo.changed_at)
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Forgets that a photo's task was sent, or given up, where there is something left to do: the sweep sends it after a while.
    pub(crate) async fn unsend(&self, id: &str) -> Result<(), CatalogError> {
        sqlx::query(
            "UPDATE images SET sent_to = NULL, changed_at = $2, \
             resize_reason = CASE WHEN resize_state = 'pending' THEN NULL ELSE resize_reason END, \
             tag_reason = CASE WHEN tag_state = 'pending' THEN NULL ELSE tag_reason END \
             WHERE id = $1 AND state = 'stored' AND (resize_state = 'pending' OR tag_state = 'pending')",
        )
        .bind(id)
        .bind(now())
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Has the sweep leave a photo that it could not repair alone, for a while that doubles each time.
    pub(crate) async fn put_off(&self, id: &str) -> Result<(), CatalogError> {
        let statement = format!("UPDATE images SET {LONGER_PAUSE} WHERE id = $1 AND state <> 'stored'");
        let put_off = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id);
        put_off.bind(now()).bind(FIRST_PAUSE).bind(LAST_PAUSE).execute(&self.pool).await?;
        Ok(())
    }
}

/// Says in SQL that where a task was sent does not have a part, which is the parameter of this number.
fn is_missing(parameter: usize) -> String {
    let sent_to = "'#' || sent_to || '#'";
    format!("REPLACE({sent_to}, ${parameter}, '') = {sent_to}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{
        catalog::Work,
        record::{Image, Part},
    };

    const DAY: i64 = 24 * 60 * 60 * 1_000;

    struct Site {
        catalog: Catalog,
        _directory: tempfile::TempDir,
    }

    fn destination(parts: &[&str]) -> Destination {
        Destination::new(parts.iter().map(|part| (*part).to_owned()).collect(), Duration::from_hours(24 * 4))
    }

    impl Site {
        /// A catalog with one photo, which was stored.
        async fn new() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let url = format!("sqlite:{}?mode=rwc", directory.path().join("catalog.db").display());
            let catalog = Catalog::open(&url, None).await.unwrap();
            let image = Image {
                id: "1".to_owned(),
                filename: "cat.png".to_owned(),
                content_type: "image/png".to_owned(),
                bytes: 10,
                width: 4,
                height: 3,
                uploaded_at: now(),
                resize: Part::Pending,
                tag: Part::Pending,
            };
            assert!(catalog.begin(&image, &Carried::default()).await.unwrap() && catalog.stored(&image).await.unwrap());
            Self { catalog, _directory: directory }
        }

        async fn let_pass(&self, milliseconds: i64) {
            let pass = sqlx::query("UPDATE images SET changed_at = changed_at - $1").bind(milliseconds);
            pass.execute(&self.catalog.pool).await.unwrap();
        }

        async fn unsent(&self, parts: &[&str]) -> Option<Unsent> {
            self.catalog.unsent(&destination(parts), now() - 10_000).await.unwrap().pop()
        }

        async fn send(&self, parts: &[&str]) {
            self.catalog.sent("1", &destination(parts)).await.unwrap();
        }
    }

    #[tokio::test]
    async fn what_nobody_sent_is_sent_by_one() {
        let site = Site::new().await;
        assert_eq!(site.unsent(&["queue", "17"]).await, None);
        site.let_pass(11_000).await;
        let photo = site.unsent(&["queue", "17"]).await.unwrap();
        assert!(site.catalog.claim(&photo).await.unwrap());
        assert!(!site.catalog.claim(&photo).await.unwrap());
        assert_eq!(site.unsent(&["queue", "17"]).await, None);
    }

    #[tokio::test]
    async fn a_task_is_sent_again_to_another_place_and_to_none_that_has_it() {
        let site = Site::new().await;
        site.send(&["topic", "a", "b"]).await;
        site.let_pass(FIRST_PAUSE + 1_000).await;
        for same in [&["topic", "a", "b"][..], &["topic", "b"], &["topic"]] {
            assert_eq!(site.unsent(same).await, None, "{same:?}");
        }
        for other in [&["topic", "a", "c"][..], &["topic", "a", "b", "c"], &["topi"], &["queue", "17"], &["inline"]] {
            assert!(site.unsent(other).await.is_some(), "{other:?}");
        }
    }

    #[tokio::test]
    async fn of_two_that_differ_none_sends_for_ever() {
        let site = Site::new().await;
        let mut waited = Vec::new();
        for round in 0..20 {
            let places = [["queue", "17"], ["topic", "a"]];
            site.send(&places[round % 2]).await;
            let mut seconds = 0;
            while site.unsent(&places[(round + 1) % 2]).await.is_none() {
                site.let_pass(1_000).await;
                seconds += 1;
            }
            waited.push(seconds);
            if round == 5 {
                break;
            }
        }
        assert!(waited.windows(2).all(|two| two[1] > two[0]), "{waited:?}");
    }

    #[tokio::test]
    async fn what_could_not_be_removed_makes_room_for_what_can_be() {
        let site = Site::new().await;
        assert!(site.catalog.begin_delete("1").await.unwrap());
        let stuck = async || site.catalog.unremoved(now() + 1).await.unwrap().len();
        for pause in [FIRST_PAUSE, FIRST_PAUSE * 2, FIRST_PAUSE * 4] {
            assert_eq!(stuck().await, 1);
            site.catalog.put_off("1").await.unwrap();
            site.let_pass(pause - 1_000).await;
            assert_eq!(stuck().await, 0, "{pause}");
            site.let_pass(1_000).await;
        }
    }

    #[tokio::test]
    async fn a_task_that_no_queue_keeps_so_long_is_sent_again() {
        let site = Site::new().await;
        site.send(&["queue", "17"]).await;
        site.let_pass(3 * DAY).await;
        assert_eq!(site.unsent(&["queue", "17"]).await, None);
        site.let_pass(2 * DAY).await;
        assert!(site.unsent(&["queue", "17"]).await.is_some());
    }

    #[tokio::test]
    async fn what_was_given_up_is_left_to_who_sends_dead_letters_back() {
        let site = Site::new().await;
        site.send(&["queue", "17"]).await;
        site.let_pass(9 * DAY).await;
        assert!(site.catalog.given_up("1", Work::Resize, "why").await.unwrap());
        assert!(site.unsent(&["queue", "18"]).await.is_some(), "tagging is not given up");
        assert!(site.catalog.given_up("1", Work::Tag, "why").await.unwrap());
        assert_eq!(site.unsent(&["queue", "18"]).await, None);
        // Dead letters were sent back, and who received this one hands it on.
        site.catalog.unsend("1").await.unwrap();
        site.let_pass(11_000).await;
        assert!(site.unsent(&["queue", "17"]).await.is_some());
        assert_eq!(site.catalog.get("1").await.unwrap().unwrap().resize, Part::Pending);
    }
}
