//! The environments of an account: the stacks that bear our tags.

use super::{
    Error, Session,
    stack::{self, Stack},
};
use crate::cloudformation::{TAG_ENVIRONMENT, TAG_SITE};

/// Finds every environment of the region, in the order of their names.
pub async fn all(session: &Session) -> Result<Vec<Stack>, Error> {
    let mut found = stack::all(session).await?;
    found.retain(|stack| stack.tags.contains_key(TAG_SITE) && stack.tags.contains_key(TAG_ENVIRONMENT));
    found.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(found)
}
