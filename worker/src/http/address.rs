//! What the path of a request names.

use axum::extract::{FromRequestParts, Path};
use http::request::Parts;
use serde::Deserialize;

use super::problem::Problem;
use crate::record::is_id;

/// A photo, and one of its renditions where the path names one. No database is asked for what can be no id.
pub(super) struct Address {
    pub(super) id: String,
    pub(super) width: Option<u32>,
}

#[derive(Deserialize)]
struct Named {
    id: String,
    width: Option<String>,
}

impl<S: Send + Sync> FromRequestParts<S> for Address {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let named = Path::<Named>::from_request_parts(parts, state).await.ok().filter(|Path(named)| is_id(&named.id));
        let Path(Named { id, width }) = named.ok_or_else(no_image)?;
        Ok(Self { id, width: width.and_then(|width| width.parse().ok()) })
    }
}

pub(super) fn no_image() -> Problem {
    Problem::NotFound("There is no image of this id.".to_owned())
}
