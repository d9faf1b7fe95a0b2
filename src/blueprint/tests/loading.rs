//! What a good blueprint becomes.

use std::fs;

use super::{
    super::{Stage, Target, built_in, load, lower, schema},
    *,
};

#[test]
fn built_ins_load_without_a_word() {
    for stage in Stage::ALL {
        let loaded = check(built_in(stage)).unwrap();
        assert_eq!((loaded.blueprint.stage, loaded.warnings.as_slice()), (stage, [].as_slice()));
    }
}

#[test]
fn built_ins_satisfy_the_committed_schema() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/blueprint.schema.json");
    let committed: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let validator = jsonschema::validator_for(&committed).unwrap();
    for stage in Stage::ALL {
        let document = crate::blueprint::yaml::parse(built_in(stage), "f").unwrap();
        let errors: Vec<String> = validator.iter_errors(&document.value).map(|error| error.to_string()).collect();
        assert_eq!(errors, [] as [String; 0]);
    }
    assert_eq!(committed, schema());
}

#[test]
fn one_line_is_the_whole_built_in() {
    for stage in Stage::ALL {
        let line = check(&format!("stage: {}\n", stage.name())).unwrap();
        assert_eq!(line.blueprint, check(built_in(stage)).unwrap().blueprint);
        let selected = load(&Selection { file: None, stage: Some(stage), target: None }).unwrap();
        assert_eq!(line.blueprint, selected.blueprint);
    }
}

#[test]
fn a_file_changes_what_it_names_and_nothing_else() {
    let loaded = check("stage: elb-sqs\nname: mine\ngroups:\n  process:\n    instances: { max: 9 }\n").unwrap();
    let mut expected = check("stage: elb-sqs").unwrap().blueprint;
    expected.name = "mine".to_owned();
    expected.groups.process.as_mut().unwrap().instances.max = 9;
    assert_eq!(loaded.blueprint, expected);
    assert_eq!(
        loaded.places.of("/groups/process/instances/max").map(|place| (place.line, place.column)),
        Some((5, 23))
    );
}

#[test]
fn null_removes_what_may_be_left_out() {
    let loaded = check("stage: elb\ntags:\n  project: null\n").unwrap();
    assert!(loaded.blueprint.tags.is_empty());
}

#[test]
fn flags_have_the_last_word_and_one_file_serves_every_stage() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("site.yaml");
    fs::write(
        &file,
        "stage: elb\ntarget: local\ngroups: { tag: { instances: { max: 7 } }, all: { instances: { max: 5 } } }\n",
    )
    .unwrap();
    let selection = Selection { file: Some(&file), stage: Some(Stage::SnsSqs), target: Some(Target::Aws) };
    let loaded = load(&selection).unwrap();
    assert_eq!((loaded.blueprint.stage, loaded.blueprint.target), (Stage::SnsSqs, Target::Aws));
    assert_eq!(loaded.blueprint.groups.tag.unwrap().instances.max, 7);
    assert_eq!((loaded.blueprint.groups.all, loaded.warnings.len()), (None, 0));
    let own = load(&Selection { file: Some(&file), ..Selection::default() }).unwrap();
    assert_eq!((own.blueprint.groups.all.unwrap().instances.max, own.warnings.len()), (5, 1));
    assert_eq!(own.blueprint.groups.tag, None);
}

#[test]
fn paths_are_relative_to_the_file() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("worker"), "").unwrap();
    let file = directory.path().join("site.yaml");
    fs::write(&file, "stage: elb\nworker: { path: ./worker }\n").unwrap();
    let loaded = load(&Selection { file: Some(&file), ..Selection::default() }).unwrap();
    let path = loaded.blueprint.worker.path.unwrap();
    assert!(path.starts_with(directory.path().to_str().unwrap()), "{path}");
    assert_eq!(loaded.base_dir, directory.path());
}

#[test]
fn files_that_cannot_be_read_are_named() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("none.yaml");
    let read = |file| load(&Selection { file: Some(file), ..Selection::default() });
    assert!(matches!(read(&file), Err(LoadError::Read { path, .. }) if path == file));
    assert!(matches!(read(directory.path()), Err(LoadError::Read { .. })));
    fs::write(&file, [0xff, 0xfe, b'x']).unwrap();
    assert!(matches!(read(&file), Err(LoadError::Read { .. })));
    fs::write(&file, " ".repeat(1_000_001)).unwrap();
    assert!(matches!(read(&file), Err(LoadError::TooLong { .. })));
}

#[test]
fn each_stage_is_lowered_to_its_parts() {
    for stage in Stage::ALL {
        let topology = lower(&check(built_in(stage)).unwrap().blueprint, "dev");
        insta::assert_json_snapshot!(format!("topology_{}", stage.name()), topology);
    }
}
