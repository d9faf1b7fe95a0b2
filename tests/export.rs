//! `decouple export`: what people get to read, lint, keep and deploy themselves.

use std::{fs, path::Path};

use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::support::TestEnv;

fn json(path: &Path) -> Value {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[tokio::test]
async fn a_directory_holds_all_that_a_deployment_needs() {
    let env = TestEnv::new();
    let bundle = env.write("own.tar.gz", "a bundle");
    let dir = bundle.with_file_name("out of the way");
    let arguments = [
        "export",
        "--stage",
        "elb-sqs",
        "--dir",
        "out of the way",
        "--bundle",
        "own.tar.gz",
        "--artifact-bucket",
        "b-1",
    ];
    let ran = env.ok(&arguments).await;
    let sha256 = hex::encode(Sha256::digest("a bundle"));
    let key = format!("bundles/{sha256}.tar.gz");
    assert_eq!(fs::read_to_string(dir.join(&key)).expect("the bundle, under its key"), "a bundle");
    let template = json(&dir.join("template.json"));
    let resources = template["Resources"].as_object().expect("resources");
    assert!(resources.contains_key("ProcessQueue") && !resources.contains_key("Topic"));
    let parameters = json(&dir.join("parameters.json"));
    let parameters: Vec<_> = parameters
        .as_array()
        .expect("parameters")
        .iter()
        .map(|one| {
            (one["ParameterKey"].as_str().unwrap_or_default(), one["ParameterValue"].as_str().unwrap_or_default())
        })
        .collect();
    let expected = [("ArtifactBucket", "b-1"), ("ArtifactKey", &*key), ("ArtifactSha256", &*sha256)];
    assert_eq!(parameters, expected);
    for said in [
        format!("aws s3 cp 'out of the way'/{key} s3://b-1/{key}"),
        "aws cloudformation deploy --stack-name photos-dev --template-file 'out of the way'/template.json".to_owned(),
        format!("--parameter-overrides ArtifactBucket=b-1 ArtifactKey={key} ArtifactSha256={sha256}"),
        "--capabilities CAPABILITY_IAM".to_owned(),
        "decouple:stage=elb-sqs".to_owned(),
    ] {
        assert!(ran.stdout.contains(&said), "{said} is not in {}", ran.stdout);
    }

    let first = fs::read(dir.join("template.json")).expect("a template");
    let again = env.ok(&[&arguments[..], &["--output", "json"]].concat()).await.json();
    assert_eq!(fs::read(dir.join("template.json")).expect("a template"), first);
    assert_eq!(again["resources"].as_u64(), u64::try_from(resources.len()).ok());
    assert_eq!(again["stack"], "photos-dev");
}

#[tokio::test]
async fn a_policy_is_one_json_document() {
    let env = TestEnv::new();
    env.write(
        "decouple.yaml",
        "stage: elb\nname: holiday\niam:\n  deployment_role: arn:aws:iam::123456789012:role/deployment\n",
    );
    let mut lengths = Vec::new();
    for whom in ["--policy", "--policy=command-line", "--policy=deployment-role"] {
        let policy: Value = serde_json::from_str(&env.ok(&["export", whom]).await.stdout).expect("JSON");
        assert_eq!(policy["Version"], "2012-10-17");
        let statements = policy["Statement"].as_array().expect("statements");
        let passes = statements.iter().any(|one| one["Resource"] == "arn:aws:iam::123456789012:role/deployment");
        assert_eq!(passes, whom != "--policy=deployment-role", "{whom}");
        assert!(policy.to_string().contains(":stack/holiday-*") == (whom != "--policy=deployment-role"), "{whom}");
        lengths.push(statements.len());
    }
    assert_eq!(lengths[0], lengths[1] + lengths[2]);
}

#[tokio::test]
async fn what_cannot_be_exported_is_said() {
    let env = TestEnv::new();
    let neither = env.run(&["export", "--stage", "elb"]).await;
    assert_eq!((neither.code, neither.stdout.as_str()), (2, ""));
    assert!(neither.stderr.contains("--dir") && neither.stderr.contains("--policy"), "{}", neither.stderr);
    let both = env.run(&["export", "--stage", "elb", "--policy", "--dir", "x"]).await;
    assert_eq!(both.code, 2);
    let lost = env.run(&["export", "--stage", "elb", "--dir", "x", "--bundle", "lost.tar.gz"]).await;
    assert_eq!(lost.code, 2);
    assert!(lost.stderr.contains("lost.tar.gz"), "{}", lost.stderr);
    env.write("file", "");
    let blocked = env.run(&["export", "--stage", "elb", "--dir", "file"]).await;
    assert_eq!(blocked.code, 1);
    assert!(blocked.stderr.contains("file cannot be written"), "{}", blocked.stderr);
}
