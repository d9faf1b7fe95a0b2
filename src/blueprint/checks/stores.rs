//! What workers make and use: widths, the tagging model, and the files that a blueprint names.

use std::{collections::HashSet, path::Path};

use super::Subject;
use crate::blueprint::diagnostic::dotted;

pub(super) fn check(subject: &mut Subject<'_>) {
    widths(subject);
    tagging(subject);
    for pointer in ["/worker/path", "/tagging/model", "/tagging/labels"] {
        exists(subject, pointer);
    }
}

fn widths(subject: &mut Subject<'_>) {
    let mut seen = HashSet::new();
    for (index, width) in subject.list("/renditions/widths").iter().enumerate() {
        if let Some(width) = width.as_u64()
            && !seen.insert(width)
        {
            let at = format!("/renditions/widths/{index}");
            subject.error(&[&at], format!("the width {width} stands here twice"), "keep one of them".to_owned());
        }
    }
}

fn tagging(subject: &mut Subject<'_>) {
    let (model, labels) = (subject.get("/tagging/model"), subject.get("/tagging/labels"));
    if model.is_some() && labels.is_none() {
        let help = "add `tagging.labels`, the file that names what the model knows".to_owned();
        subject.error(&["/tagging/model"], "`tagging.model` needs `tagging.labels`", help);
    }
    if labels.is_some() && model.is_none() {
        let help = "add `tagging.model`; the built-in model has its own labels".to_owned();
        subject.error(&["/tagging/labels"], "`tagging.labels` needs `tagging.model`", help);
    }
}

fn exists(subject: &mut Subject<'_>, pointer: &str) {
    let Some(path) = subject.text(pointer) else { return };
    let full = subject.base_dir.join(path);
    // A path with a null character is no path; the system would refuse it with no word about where it stands.
    if path.is_empty() || path.contains('\0') || !Path::new(&full).is_file() {
        let message = format!("`{}`: there is no file {}", dotted(pointer), full.display());
        subject.error(&[pointer], message, "paths are relative to the blueprint's directory".to_owned());
    }
}
