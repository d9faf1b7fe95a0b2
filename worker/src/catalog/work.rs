//! What uploading, working and removing change in the catalog. Each is one statement, or one transaction that begins with
//! a write.
//!
//! A record is `receiving` until its original is stored, then `stored`; one that is to be removed is `deleting` until its
//! objects are gone. Only `stored` ones are shown. A part of the work that is `pending` and has a reason was given up: its task is
//! a dead letter.

use super::{COLUMNS, Catalog, CatalogError, image, now};
use crate::{
    record::{Image, Part, Rendition, Tag},
    trace::Carried,
};

/// A statement holds so many words; a photo has some thirty.
const TERMS_AT_ONCE: usize = 100;

/// A part of the work on a photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Work {
    Resize,
    Tag,
}

impl Catalog {
    /// Notes that an upload begins. One that began before under the same id begins anew, with what comes now, so that no sweep takes
    /// it for one that was cut off. Returns whether it may: not where the photo is stored already, or about to be removed.
    pub(crate) async fn begin(&self, image: &Image, trace: &Carried) -> Result<bool, CatalogError> {
        self.describe(
            image,
            "INSERT INTO images (id, filename, content_type, bytes, width, height, uploaded_at, state, changed_at, \
             resize_state, tag_state, traceparent, tracestate) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'receiving', $8, 'pending', 'pending', $9, $10) \
             ON CONFLICT (id) DO UPDATE SET filename = excluded.filename, content_type = excluded.content_type, \
             bytes = excluded.bytes, width = excluded.width, height = excluded.height, \
             uploaded_at = excluded.uploaded_at, changed_at = excluded.changed_at, \
             traceparent = excluded.traceparent, tracestate = excluded.tracestate WHERE images.state = 'receiving'",
            &[&trace.traceparent, &trace.tracestate],
        )
        .await
    }

    /// Notes that a photo's original is stored, and what it is: from now on it is shown. Returns whether there was a record to say
    /// so of.
    pub(crate) async fn stored(&self, image: &Image) -> Result<bool, CatalogError> {
        // Of several uploads under one id another may have begun last.
        self.describe(
            image,
            "UPDATE images SET filename = $2, content_type = $3, bytes = $4, width = $5, height = $6, \
             uploaded_at = $7, state = 'stored', changed_at = $8 WHERE id = $1 AND state = 'receiving'",
            &[],
        )
        .await
    }

    /// Runs a statement that says what a photo is, and more where there is more, and returns whether it changed a record.
    async fn describe(
        &self,
        image: &Image,
        statement: &'static str,
        more: &[&Option<String>],
    ) -> Result<bool, CatalogError> {
        let describe = sqlx::query(statement)
            .bind(&image.id)
            .bind(&image.filename)
            .bind(&image.content_type)
            .bind(i64::try_from(image.bytes).unwrap_or(i64::MAX))
            .bind(i64::from(image.width))
            .bind(i64::from(image.height))
            .bind(image.uploaded_at)
            .bind(now());
        let describe = more.iter().fold(describe, |describe, more| describe.bind((*more).clone()));
        Ok(describe.execute(&self.pool).await?.rows_affected() > 0)
    }

    /// Forgets an upload that came to nothing, unless it began anew since a time.
    pub(crate) async fn give_up(&self, id: &str, before: i64) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM images WHERE id = $1 AND state = 'receiving' AND changed_at < $2")
            .bind(id)
            .bind(before)
            .execute(&self.pool)
            .await?;
        Ok(())
    }

    /// Forgets a photo that was to be removed and whose objects are gone.
    pub(crate) async fn forget(&self, id: &str) -> Result<(), CatalogError> {
        sqlx::query("DELETE FROM images WHERE id = $1 AND state = 'deleting'").bind(id).execute(&self.pool).await?;
        Ok(())
    }

    /// Returns a photo that is shown.
    pub(crate) async fn get(&self, id: &str) -> Result<Option<Image>, CatalogError> {
        let statement = format!("SELECT {COLUMNS} FROM images WHERE id = $1 AND state = 'stored'");
        let row = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id).fetch_optional(&self.pool).await?;
        row.as_ref().map(image).transpose()
    }

    /// Notes the outcome of resizing. Returns whether the photo is still there to have one.
    pub(crate) async fn resized(&self, id: &str, outcome: &Part<Rendition>) -> Result<bool, CatalogError> {
        let changed = sqlx::query(
            "UPDATE images SET resize_state = $2, resize_reason = $3, renditions = $4, changed_at = $5 \
             WHERE id = $1 AND state = 'stored'",
        )
        .bind(id)
        .bind(outcome.state())
        .bind(outcome.reason())
        .bind(json(outcome.results()))
        .bind(now())
        .execute(&self.pool)
        .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Notes the outcome of tagging, and the words by which the photo is found. Returns whether the photo is still there.
    pub(crate) async fn tagged(&self, id: &str, outcome: &Part<Tag>, terms: &[String]) -> Result<bool, CatalogError> {
        let mut transaction = self.pool.begin().await?;
        let changed = sqlx::query(
            "UPDATE images SET tag_state = $2, tag_reason = $3, tags = $4, changed_at = $5 \
             WHERE id = $1 AND state = 'stored'",
        )
        .bind(id)
        .bind(outcome.state())
        .bind(outcome.reason())
        .bind(json(outcome.results()))
        .bind(now())
        .execute(&mut *transaction)
        .await?;
        if changed.rows_affected() == 0 {
            return Ok(false);
        }
        sqlx::query("DELETE FROM terms WHERE image = $1").bind(id).execute(&mut *transaction).await?;
        for terms in terms.chunks(TERMS_AT_ONCE) {
            let values: Vec<String> = (2..).take(terms.len()).map(|parameter| format!("($1, ${parameter})")).collect();
            let statement = format!(
                "INSERT INTO terms (image, term) VALUES {} ON CONFLICT (image, term) DO NOTHING",
                values.join(", ")
            );
            let insert = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(id);
            let insert = terms.iter().fold(insert, sqlx::query::Query::bind);
            insert.execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    /// Notes why the task of what is not done yet is a dead letter. It stays to be done. Returns whether there was anything to note.
    pub(crate) async fn given_up(&self, id: &str, work: Work, reason: &str) -> Result<bool, CatalogError> {
        let statement = match work {
            Work::Resize => {
                "UPDATE images SET resize_reason = $2 WHERE id = $1 AND state = 'stored' AND resize_state = 'pending'"
            }
            Work::Tag => {
                "UPDATE images SET tag_reason = $2 WHERE id = $1 AND state = 'stored' AND tag_state = 'pending'"
            }
        };
        let changed = sqlx::query(statement).bind(id).bind(reason).execute(&self.pool).await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Takes a photo out of sight, so that its objects can be removed. Returns whether it was there.
    pub(crate) async fn begin_delete(&self, id: &str) -> Result<bool, CatalogError> {
        let changed =
            sqlx::query("UPDATE images SET state = 'deleting', changed_at = $2 WHERE id = $1 AND state = 'stored'")
                .bind(id)
                .bind(now())
                .execute(&self.pool)
                .await?;
        Ok(changed.rows_affected() > 0)
    }

    /// Returns uploads of which nothing was heard since before a time, and that were not put off.
    pub(crate) async fn cut_off(&self, before: i64) -> Result<Vec<Image>, CatalogError> {
        self.stuck("receiving", before).await
    }

    /// Returns photos that were to be removed before a time and are not, and that were not put off.
    pub(crate) async fn unremoved(&self, before: i64) -> Result<Vec<Image>, CatalogError> {
        self.stuck("deleting", before).await
    }

    async fn stuck(&self, state: &str, before: i64) -> Result<Vec<Image>, CatalogError> {
        let statement = format!(
            "SELECT {COLUMNS} FROM images WHERE state = $1 AND changed_at < $2 - pause ORDER BY changed_at LIMIT 100"
        );
        let select = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(state).bind(before);
        select.fetch_all(&self.pool).await?.iter().map(image).collect()
    }
}

fn json<T: serde::Serialize>(results: &[T]) -> String {
    serde_json::to_string(results).expect("results have string keys and no failing field")
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0198f3c2-6a3c-7d4e-9c1e-5d0f7f1f2a31";

    fn upload(filename: &str, bytes: u64) -> Image {
        Image {
            id: ID.to_owned(),
            filename: filename.to_owned(),
            content_type: "image/png".to_owned(),
            bytes,
            width: 4,
            height: 3,
            uploaded_at: now(),
            resize: Part::Pending,
            tag: Part::Pending,
        }
    }

    async fn catalog(directory: &tempfile::TempDir) -> Catalog {
        let url = format!("sqlite:{}?mode=rwc", directory.path().join("catalog.db").display());
        Catalog::open(&url, None).await.unwrap()
    }

    async fn let_an_hour_pass(catalog: &Catalog) {
        let statement = "UPDATE images SET changed_at = changed_at - 3600000";
        sqlx::query(statement).execute(&catalog.pool).await.unwrap();
    }

    #[tokio::test]
    async fn an_upload_that_begins_anew_is_not_taken_for_one_that_was_cut_off() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = catalog(&directory).await;
        assert!(catalog.begin(&upload("first.png", 10), &Carried::default()).await.unwrap());
        let_an_hour_pass(&catalog).await;
        let before = now() - 1_000_000;
        assert_eq!(catalog.cut_off(before).await.unwrap()[0].id, ID);
        let second = upload("second.png", 20);
        assert!(catalog.begin(&second, &Carried::default()).await.unwrap());
        assert!(catalog.cut_off(before).await.unwrap().is_empty());
        catalog.give_up(ID, before).await.unwrap();
        assert!(catalog.stored(&second).await.unwrap());
        assert_eq!(catalog.get(ID).await.unwrap(), Some(second));
    }

    #[tokio::test]
    async fn the_record_is_of_what_is_stored_whoever_began_last() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = catalog(&directory).await;
        let [first, second] = [upload("first.png", 10), upload("second.png", 20)];
        assert!(
            catalog.begin(&first, &Carried::default()).await.unwrap()
                && catalog.begin(&second, &Carried::default()).await.unwrap()
        );
        assert!(catalog.stored(&first).await.unwrap());
        assert_eq!(catalog.get(ID).await.unwrap(), Some(first));
    }

    #[tokio::test]
    async fn nothing_is_stored_of_which_there_is_no_record_and_nothing_begins_before_it_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let catalog = catalog(&directory).await;
        let photo = upload("cat.png", 10);
        assert!(!catalog.stored(&photo).await.unwrap());
        assert!(catalog.begin(&photo, &Carried::default()).await.unwrap() && catalog.stored(&photo).await.unwrap());
        assert!(!catalog.begin(&photo, &Carried::default()).await.unwrap() && !catalog.stored(&photo).await.unwrap());
        assert!(catalog.begin_delete(ID).await.unwrap());
        assert!(!catalog.begin(&photo, &Carried::default()).await.unwrap() && !catalog.stored(&photo).await.unwrap());
        catalog.forget(ID).await.unwrap();
        assert!(catalog.begin(&photo, &Carried::default()).await.unwrap());
    }
}
