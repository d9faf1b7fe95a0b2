//! Files that are generated from the types and committed. `UPDATE_GENERATED=1` writes them anew.

use std::{env, fs, path::Path};

use super::super::{reference, schema};

#[test]
fn the_committed_schema_is_that_of_the_types() {
    unchanged("docs/blueprint.schema.json", &format!("{:#}\n", schema()));
}

#[test]
fn the_committed_reference_is_that_of_the_types() {
    unchanged("docs/blueprint.md", &reference());
}

fn unchanged(path: &str, generated: &str) {
    let full = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os("UPDATE_GENERATED").is_some() {
        fs::write(&full, generated).expect("the file can be written");
    }
    let committed = fs::read_to_string(&full).unwrap_or_default();
    assert!(
        committed == generated,
        "{path} is out of date; write it anew: UPDATE_GENERATED=1 cargo test --lib -p decouple blueprint::tests::generated"
    );
}
