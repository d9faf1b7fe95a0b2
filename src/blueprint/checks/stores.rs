//! What workers make and use: widths, the tagging model, the bucket, and the files that a blueprint names.

use std::{collections::HashSet, net::Ipv4Addr, path::Path};

use super::Subject;
use crate::blueprint::diagnostic::dotted;

pub(super) fn check(subject: &mut Subject<'_>) {
    widths(subject);
    tagging(subject);
    bucket(subject);
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

/// The form is the schema's; these are the names of that form that S3 refuses.
fn bucket(subject: &mut Subject<'_>) {
    const BEGINNINGS: [&str; 3] = ["xn--", "sthree-", "amzn-s3-demo-"];
    const ENDS: [&str; 5] = ["-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3"];
    let Some(name) = subject.text("/bucket/name") else { return };
    let problem = if name.contains("..") {
        "have two dots in a row".to_owned()
    } else if name.parse::<Ipv4Addr>().is_ok() {
        "look like an address".to_owned()
    } else if let Some(word) = BEGINNINGS.into_iter().find(|word| name.starts_with(word)) {
        format!("begin with `{word}`")
    } else if let Some(word) = ENDS.into_iter().find(|word| name.ends_with(word)) {
        format!("end with `{word}`")
    } else {
        return;
    };
    subject.error(&["/bucket/name"], format!("`bucket.name` must not {problem}: S3 refuses such names"), None);
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
