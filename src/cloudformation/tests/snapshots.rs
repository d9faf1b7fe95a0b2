//! The three stages' templates, whole: a change of any line is seen.

use super::{template, topology};
use crate::blueprint::Stage;

#[test]
fn templates_of_the_stages() {
    for stage in Stage::ALL {
        insta::assert_snapshot!(format!("template_{}", stage.name()), template(&topology(stage)).to_pretty_json());
    }
}
