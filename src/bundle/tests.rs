use std::{collections::BTreeMap, io::Read as _};

use super::*;

/// The files of a bundle by name: mode and content.
fn content(bundle: &Bundle) -> BTreeMap<String, (u32, String)> {
    let file = fs::File::open(&bundle.path).unwrap();
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    archive
        .entries()
        .unwrap()
        .map(|entry| {
            let mut entry = entry.unwrap();
            let (name, mode) = (entry.path().unwrap().display().to_string(), entry.header().mode().unwrap());
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            (name, (mode, text))
        })
        .collect()
}

fn wanted(cache: &Path) -> Wanted<'_> {
    Wanted { architecture: "x86_64", program: None, model: None, labels: None, cache }
}

#[test]
fn the_same_parts_give_the_same_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let parts = directory.path().join(name);
        fs::create_dir(&parts).unwrap();
        fs::write(parts.join("decouple-worker"), "the program").unwrap();
        fs::write(parts.join("libonnxruntime.so"), "a library").unwrap();
        fs::write(parts.join("NOTICE"), "words").unwrap();
        let cache = directory.path().join(format!("{name}-cache"));
        build_from(&wanted(&cache), &[parts]).unwrap()
    };
    let (one, other) = (make("one"), make("other"));
    assert_eq!((&one.sha256, one.bytes), (&other.sha256, other.bytes));
    assert_eq!(one.key(), format!("bundles/{}.tar.gz", one.sha256));
    let content = content(&one);
    assert_eq!(content["decouple-worker"], (0o755, "the program".to_owned()));
    assert_eq!(content["NOTICE"], (0o644, "words".to_owned()));
}

#[test]
fn what_is_the_users_own_takes_the_place_of_what_is_built_in() {
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = directory.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let parts = directory.path().join("parts");
    fs::create_dir(&parts).unwrap();
    fs::write(parts.join("decouple-worker"), "the program").unwrap();
    let (program, model) = (file("mine", "my program"), file("mine.onnx", "my model"));
    let cache = directory.path().join("cache");
    let wanted = Wanted { program: Some(&program), model: Some(&model), ..wanted(&cache) };
    let content = content(&build_from(&wanted, &[parts]).unwrap());
    assert_eq!(content["decouple-worker"], (0o755, "my program".to_owned()));
    assert_eq!(content["model.onnx"].1, "my model");
    assert_eq!(content.len(), 2);
}

#[test]
fn where_there_are_no_parts_it_is_said_where_they_were_looked_for() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().join("nowhere");
    let error = build_from(&wanted(directory.path()), std::slice::from_ref(&place)).unwrap_err();
    let expected = format!("there are no parts of a worker bundle for x86_64; looked in {}", place.display());
    assert_eq!(error.to_string(), expected);
}
