//! Finding photos: newest first, by the words that their tags stand for, a page at a time.

use std::{fmt::Write as _, str::FromStr};

use super::{COLUMNS, Catalog, CatalogError, image};
use crate::{
    model::words,
    record::{Image, is_id},
};

/// More words than this narrow nothing down, and each costs a look-up.
const MOST_WORDS: usize = 8;
/// The last of all characters, which is in no word: every word that begins so is less than the beginning with this behind it.
const LAST: char = char::MAX;

/// A page of photos.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) images: Vec<Image>,
    /// Where the next page begins; none when this is the last.
    pub(crate) next: Option<String>,
}

/// Where a page ends: at the photo of an id, which was uploaded at a time.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cursor {
    uploaded_at: i64,
    id: String,
}

/// Not a cursor that a page ended with.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no cursor")]
pub(crate) struct NoCursor;

impl FromStr for Cursor {
    type Err = NoCursor;

    fn from_str(text: &str) -> Result<Self, NoCursor> {
        let (uploaded_at, id) = text.split_once('-').filter(|(_, id)| is_id(id)).ok_or(NoCursor)?;
        Ok(Self { uploaded_at: uploaded_at.parse().map_err(|_| NoCursor)?, id: id.to_owned() })
    }
}

impl Catalog {
    /// Returns photos whose tags, synonyms or broader terms hold words that begin with those of the query, newest first.
    pub(crate) async fn search(&self, query: &str, limit: u32, after: Option<&Cursor>) -> Result<Page, CatalogError> {
        let words = words(query);
        if words.is_empty() && !query.trim().is_empty() {
            // Marks alone are no word, and no photo is found by them.
            return Ok(Page { images: Vec::new(), next: None });
        }
        let statement = statement(words.len(), after.is_some());
        let mut select = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(i64::from(limit) + 1);
        for word in words.iter().take(MOST_WORDS) {
            select = select.bind(word).bind(format!("{word}{LAST}"));
        }
        if let Some(Cursor { uploaded_at, id }) = after {
            select = select.bind(*uploaded_at).bind(id);
        }
        let rows = select.fetch_all(&self.pool).await?;
        let mut images = rows.iter().map(image).collect::<Result<Vec<_>, _>>()?;
        let more = images.len() > limit as usize;
        images.truncate(limit as usize);
        let next = images.last().filter(|_| more).map(|last| format!("{}-{}", last.uploaded_at, last.id));
        Ok(Page { images, next })
    }
}

/// Words are sought by a range of the index of terms, so that a search costs what it finds and not what the site holds.
fn statement(words: usize, after: bool) -> String {
    let mut statement = format!("SELECT {COLUMNS} FROM images WHERE state = 'stored'");
    let mut parameter = 1;
    for _ in 0..words.min(MOST_WORDS) {
        let (first, last) = (parameter + 1, parameter + 2);
        parameter = last;
        write!(statement, " AND id IN (SELECT image FROM terms WHERE term >= ${first} AND term < ${last})")
            .expect("a string takes all that is written to it");
    }
    if after {
        let (at, id) = (parameter + 1, parameter + 2);
        write!(statement, " AND (uploaded_at < ${at} OR (uploaded_at = ${at} AND id < ${id}))")
            .expect("a string takes all that is written to it");
    }
    statement.push_str(" ORDER BY uploaded_at DESC, id DESC LIMIT $1");
    statement
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_cut_into_lower_case_words() {
        assert_eq!(words("  Tabby,CAT's  "), ["tabby", "cat", "s"]);
        assert_eq!(words("%_"), [""; 0]);
    }

    #[tokio::test]
    async fn a_word_is_sought_in_the_index_of_words() {
        use sqlx::Row as _;
        let directory = tempfile::tempdir().unwrap();
        let url = format!("sqlite:{}?mode=rwc", directory.path().join("catalog.db").display());
        let catalog = Catalog::open(&url, None).await.unwrap();
        let explain = format!("EXPLAIN QUERY PLAN {}", statement(1, false));
        let explain = sqlx::query(sqlx::AssertSqlSafe(explain)).bind(50).bind("cat").bind("cat\u{10FFFF}");
        let rows = explain.fetch_all(&catalog.pool).await.unwrap();
        let plan: Vec<String> = rows.iter().map(|row| row.try_get("detail").unwrap()).collect();
        let seeks =
            |step: &String| step.contains("SEARCH terms USING COVERING INDEX terms_by_term (term>? AND term<?)");
        assert!(plan.iter().any(seeks), "{plan:?}");
    }

    #[test]
    fn a_cursor_reads_back_and_a_broken_one_is_none() {
        const ID: &str = "0198f3c2-6a3c-7d4e-9c1e-5d0f7f1f2a31";
        assert_eq!(format!("17-{ID}").parse(), Ok(Cursor { uploaded_at: 17, id: ID.to_owned() }));
        for broken in ["", "x", "x-y", "-", "1-\0", &format!("x-{ID}"), ID] {
            assert_eq!(broken.parse::<Cursor>(), Err(NoCursor), "{broken}");
        }
    }
}
