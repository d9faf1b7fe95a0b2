//! The three stages' templates, whole: a change of any line is seen. Only the script of the instances is left out, which
//! is tested where it stands.

use serde_json::{Value, json};

use super::{template, topology};
use crate::blueprint::Stage;

#[test]
fn templates_of_the_stages() {
    for stage in Stage::ALL {
        let mut template: Value = serde_json::from_str(&template(&topology(stage)).to_json()).unwrap();
        for resource in template["Resources"].as_object_mut().unwrap().values_mut() {
            if let Some(script) = resource.pointer_mut("/Properties/LaunchTemplateData/UserData/Fn::Base64/Fn::Sub/0") {
                *script = json!("the script");
            }
        }
        insta::assert_snapshot!(format!("template_{}", stage.name()), serde_json::to_string_pretty(&template).unwrap());
    }
}
