//! What no emulator does: logins that are missing or old, refusals, throttling, stacks that are stuck or busy, and an API that
//! has moved on.

use std::{process::Command, sync::Mutex};

use super::{
    answers::{ARN, GROUP, STACK, UP, change_set, env, event, events, stack},
    emulator::Account,
    replay::{Replay, refusal, result},
};
use crate::support::Ran;

#[tokio::test]
async fn whoever_is_not_logged_in_is_told_so_before_anything_else() {
    let env = env();
    let account = Account::new(&env, "http://127.0.0.1:9");
    let bare = |unset: &[&str]| {
        let mut command = account.command(&[UP, &["--output", "json"]].concat());
        command
            .env("HOME", env.place("nobody"))
            .env("AWS_CONFIG_FILE", "none")
            .env("AWS_SHARED_CREDENTIALS_FILE", "none");
        for name in unset {
            command.env_remove(name);
        }
        command
    };
    let nobody = run(bare(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"])).await;
    assert_eq!((nobody.code, nobody.json()["kind"].as_str()), (3, Some("credentials")), "{nobody:?}");
    assert!(nobody.json()["hints"].to_string().contains("AWS_PROFILE"), "{nobody:?}");
    let nowhere = run(bare(&["AWS_REGION"])).await;
    assert_eq!(nowhere.code, 2, "{nowhere:?}");
    assert!(nowhere.json()["hints"].to_string().contains("--region"), "{nowhere:?}");
}

async fn run(mut command: Command) -> Ran {
    let output = tokio::task::spawn_blocking(move || command.output()).await.expect("running does not panic");
    Ran::of(&output.expect("the program can be started"))
}

#[tokio::test]
async fn an_old_login_and_a_missing_permission_have_an_exit_code_of_their_own() {
    let env = env();
    let old = Replay::start(|action, _| {
        (action == "GetCallerIdentity").then(|| refusal(403, "ExpiredToken", "The security token is expired"))
    })
    .await;
    let ran = Account::new(&env, &old.url).run(UP).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("expired") && ran.stderr.contains("aws sso login"), "{}", ran.stderr);

    let denied = Replay::start(|action, _| {
        (action == "DescribeStacks").then(|| refusal(403, "AccessDenied", "User x is not authorized"))
    })
    .await;
    let ran = Account::new(&env, &denied.url).run(UP).await;
    assert_eq!(ran.code, 3, "{ran:?}");
    assert!(ran.stderr.contains("cloudformation:DescribeStacks"), "{}", ran.stderr);
    assert!(ran.stderr.contains("decouple export --policy"), "{}", ran.stderr);
}

#[tokio::test]
async fn a_service_that_refuses_hides_no_other() {
    let env = env();
    let resource = |id: &str, kind: &str, physical: &str| {
        format!(
            "<member><LogicalResourceId>{id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
             <ResourceType>{kind}</ResourceType><ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
             <LastUpdatedTimestamp>2026-11-26T00:00:00Z</LastUpdatedTimestamp></member>"
        )
    };
    let resources = [
        resource("TargetGroup", "AWS::ElasticLoadBalancingV2::TargetGroup", "arn:targets"),
        resource("AllGroup", GROUP, "photos-dev-all"),
    ]
    .concat();
    let replay = Replay::start(move |action, _| match action {
        "DescribeStacks" => Some(stack("UPDATE_COMPLETE")),
        "ListStackResources" => {
            Some(result(action, &format!("<StackResourceSummaries>{resources}</StackResourceSummaries>")))
        }
        "DescribeTargetHealth" => Some(refusal(403, "AccessDenied", "no")),
        "DescribeAutoScalingGroups" => Some(result(
            action,
            "<AutoScalingGroups><member><AutoScalingGroupName>photos-dev-all</AutoScalingGroupName>\
             <MinSize>0</MinSize><MaxSize>2</MaxSize><DesiredCapacity>0</DesiredCapacity></member></AutoScalingGroups>",
        )),
        _ => None,
    })
    .await;
    let report = Account::new(&env, &replay.url).ok(&["status", "--output", "json"]).await.json();
    let part = |kind: &str| {
        report["parts"].as_array().expect("parts").iter().find(|part| part["kind"] == kind).expect("a part").clone()
    };
    assert_eq!(part("balancer")["health"], "unknown");
    let reason = part("balancer")["reason"].to_string();
    assert!(reason.contains("elasticloadbalancing:DescribeTargetHealth"), "{reason}");
    assert_eq!(part("group")["health"], "ok");
}

#[tokio::test]
async fn throttling_slows_a_deployment_down_and_does_not_fail_it() {
    let env = env();
    let replay = Replay::start(|action, before| match (action, before) {
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", 1) => Some(refusal(400, "Throttling", "Rate exceeded")),
        ("DescribeStackEvents", _) => Some(events(&[event(2, "photos-dev", STACK, "CREATE_COMPLETE", "")])),
        // It is there once it was made.
        ("DescribeStacks", 1..) => Some(stack("CREATE_COMPLETE")),
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).ok(&[UP, &["--output", "json"]].concat()).await.json();
    assert_eq!((ran["changed"].as_bool(), ran["outputs"]["url"].as_str()), (Some(true), Some("http://site")));
    assert_eq!(replay.asked("ExecuteChangeSet"), 1);
    assert_eq!(replay.asked("DescribeStackEvents"), 3, "one poller, and no tries beside its own");
}

#[tokio::test]
async fn a_rollback_that_failed_goes_on_with_consent_and_nothing_is_deleted() {
    let env = env();
    let replay = Replay::start(|action, before| match (action, before) {
        ("DescribeStacks", 0 | 1) => Some(stack("UPDATE_ROLLBACK_FAILED")),
        ("DescribeStacks", _) => Some(stack("UPDATE_ROLLBACK_COMPLETE")),
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", _) => Some(events(&[event(1, "photos-dev", STACK, "UPDATE_ROLLBACK_COMPLETE", "")])),
        ("CreateChangeSet", _) => change_set(action),
        ("DescribeChangeSet", _) => Some(result(
            action,
            "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes.</StatusReason>",
        )),
        _ => None,
    })
    .await;
    let account = Account::new(&env, &replay.url);
    let question = account.run(UP).await;
    assert_eq!(question.code, 2, "{question:?}");
    assert!(question.stderr.contains("UPDATE_ROLLBACK_FAILED") && question.stderr.contains("--yes"));
    assert_eq!(replay.asked("ContinueUpdateRollback"), 0);
    let ran = account.ok(&[UP, &["--yes", "--output", "json"]].concat()).await.json();
    assert_eq!(ran["changed"], false);
    assert_eq!((replay.asked("ContinueUpdateRollback"), replay.asked("DeleteStack")), (1, 0));
}

#[tokio::test]
async fn a_teardown_that_failed_is_finished_with_consent_before_all_is_made_again() {
    let env = env();
    // Where the stack stands.
    let now = Mutex::new("DELETE_FAILED");
    let replay = Replay::start(move |action, before| {
        let mut now = now.lock().unwrap();
        match action {
            "DeleteStack" => *now = "DELETE_COMPLETE",
            "ExecuteChangeSet" => *now = "CREATE_COMPLETE",
            _ => {}
        }
        match action {
            "DescribeStacks" if *now == "DELETE_COMPLETE" => None,
            "DescribeStacks" => Some(stack(&now)),
            "DescribeStackEvents" if before == 0 => Some(events(&[])),
            "DescribeStackEvents" if *now == "CREATE_COMPLETE" => Some(events(&[
                event(1, "photos-dev", STACK, "DELETE_COMPLETE", ""),
                event(2, "photos-dev", STACK, "CREATE_COMPLETE", ""),
            ])),
            "DescribeStackEvents" => Some(events(&[event(1, "photos-dev", STACK, "DELETE_COMPLETE", "")])),
            _ => change_set(action),
        }
    })
    .await;
    let account = Account::new(&env, &replay.url);
    let question = account.run(UP).await;
    assert_eq!(question.code, 2, "{question:?}");
    assert!(question.stderr.contains("a teardown did not end"), "{}", question.stderr);
    assert_eq!(replay.asked("DeleteStack"), 0);
    account.ok(&[UP, &["--yes"]].concat()).await;
    assert_eq!((replay.asked("DeleteStack"), replay.asked("CreateChangeSet")), (1, 1));
    assert_eq!(replay.forms("CreateChangeSet")[0]["ChangeSetType"], "CREATE");
    assert!(!replay.forms("DeleteStack")[0].contains_key("DeletionMode"), "data is kept, as by any teardown");
}

#[tokio::test]
async fn nothing_is_done_to_a_stack_of_somebody_else() {
    let env = env();
    let replay = Replay::start(|action, _| match action {
        "DescribeStacks" => {
            let (status, answer) = stack("ROLLBACK_COMPLETE");
            Some((status, answer.replace("<Value>photos</Value>", "<Value>payroll</Value>")))
        }
        _ => change_set(action),
    })
    .await;
    let account = Account::new(&env, &replay.url);
    let teardown = &["teardown", "--yes"];
    for verb in [&[UP, &["--yes"]].concat(), &teardown.to_vec(), &vec!["status"]] {
        let refused = account.run(verb).await;
        assert_eq!(refused.code, 2, "{refused:?}");
        assert!(refused.stderr.contains("is environment `dev` of site `payroll`"), "{}", refused.stderr);
    }
    assert_eq!(["DeleteStack", "CreateChangeSet"].map(|deed| replay.asked(deed)), [0; 2]);
}

#[tokio::test]
async fn what_every_former_stack_of_the_environment_left_is_told() {
    let env = env();
    let replay = Replay::start(|action, before| match (action, before) {
        // By its name there is none; by their ARNs there are two.
        ("DescribeStacks", 1..) => Some(stack("DELETE_COMPLETE")),
        ("ListStacks", _) => {
            let deleted = format!(
                "<member><StackName>photos-dev</StackName><StackId>{ARN}</StackId><StackStatus>DELETE_COMPLETE</StackStatus>\
                 <CreationTime>2026-11-26T00:00:00Z</CreationTime></member>"
            );
            Some(result(action, &format!("<StackSummaries>{deleted}{deleted}</StackSummaries>")))
        }
        ("DescribeStackEvents", generation) => {
            let bucket = event(1, "Bucket", "AWS::S3::Bucket", "DELETE_SKIPPED", "");
            let name = format!("<PhysicalResourceId>photos-{generation}</PhysicalResourceId>");
            Some(events(&[bucket.replace("<PhysicalResourceId></PhysicalResourceId>", &name)]))
        }
        _ if action.starts_with("HEAD ") => Some((200, String::new())),
        _ => None,
    })
    .await;
    let left = Account::new(&env, &replay.url).ok(&["teardown", "--output", "json"]).await.json();
    assert_eq!(left["kept"], serde_json::json!(["bucket photos-0", "bucket photos-1"]));
}

/// A kept bucket may have been taken over by a blueprint that names it.
#[tokio::test]
async fn a_bucket_that_another_environment_uses_is_nobody_elses_to_remove() {
    let env = env();
    let replay = Replay::start(|action, before| match action {
        "DescribeStacks" => {
            let (status, living) = stack("UPDATE_COMPLETE");
            let living = living.replace("photos-dev", "photos-live").replace("<OutputKey>Url<", "<OutputKey>Bucket<");
            Some((status, living.replace("http://site", "taken-over").replace(ARN, "arn:aws:cloudformation:other")))
        }
        "ListStackResources" => Some(result(
            action,
            "<StackResourceSummaries><member><LogicalResourceId>Bucket</LogicalResourceId>\
             <PhysicalResourceId>taken-over</PhysicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
             <LastUpdatedTimestamp>2026-11-26T00:00:00Z</LastUpdatedTimestamp></member></StackResourceSummaries>",
        )),
        "DescribeStackEvents" if before == 0 => Some(events(&[])),
        "DescribeStackEvents" => Some(events(&[event(1, "photos-dev", STACK, "DELETE_COMPLETE", "")])),
        _ => None,
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(&["teardown", "--delete-data", "--yes"]).await;
    assert!(ran.stderr.contains("bucket taken-over stays: stack photos-live uses it"), "{ran:?}");
    assert_eq!(replay.asked("DELETE /taken-over") + replay.asked("DELETE /taken-over/"), 0);
}

#[tokio::test]
async fn a_teardown_waits_for_what_others_do() {
    let env = env();
    let now = Mutex::new("UPDATE_IN_PROGRESS");
    let replay = Replay::start(move |action, before| {
        let mut now = now.lock().unwrap();
        match action {
            "DescribeStacks" => Some(stack(&now)),
            "DescribeStackEvents" if before < 2 => Some(events(&[])),
            "DescribeStackEvents" if *now == "DELETE_COMPLETE" => Some(events(&[
                event(1, "photos-dev", STACK, "UPDATE_COMPLETE", ""),
                event(2, "photos-dev", STACK, "DELETE_COMPLETE", ""),
            ])),
            "DescribeStackEvents" => {
                *now = "UPDATE_COMPLETE";
                Some(events(&[event(1, "photos-dev", STACK, "UPDATE_COMPLETE", "")]))
            }
            // While an update is in progress AWS refuses it.
            "DeleteStack" if *now != "UPDATE_COMPLETE" => Some(refusal(400, "ValidationError", "in progress")),
            "DeleteStack" => {
                *now = "DELETE_COMPLETE";
                None
            }
            _ => None,
        }
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(&["teardown", "--yes"]).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("waiting for the update that is under way"), "{}", ran.stderr);
    assert_eq!(replay.asked("DeleteStack"), 1);
}

#[tokio::test]
async fn somebody_elses_operation_is_awaited_and_never_trampled_on() {
    let env = env();
    let replay = Replay::start(|action, before| match (action, before) {
        ("DescribeStacks", 0 | 1) => Some(stack("UPDATE_IN_PROGRESS")),
        ("DescribeStacks", _) => Some(stack("UPDATE_COMPLETE")),
        ("DescribeStackEvents", 0 | 1) => Some(events(&[])),
        ("DescribeStackEvents", _) => Some(events(&[event(1, "photos-dev", STACK, "UPDATE_COMPLETE", "")])),
        ("DescribeChangeSet", _) => Some(result(
            action,
            "<Status>FAILED</Status><StatusReason>The submitted information didn't contain changes.</StatusReason>",
        )),
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(UP).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("waiting for the update that is under way"), "{}", ran.stderr);
    let deeds = ["CancelUpdateStack", "DeleteStack", "ContinueUpdateRollback", "ExecuteChangeSet"];
    assert_eq!(deeds.map(|deed| replay.asked(deed)), [0; 4]);
}

#[tokio::test]
async fn what_is_new_in_the_api_is_shown_as_it_is_and_stops_nothing() {
    let env = env();
    let replay = Replay::start(|action, before| match (action, before) {
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", _) => Some(events(&[
            event(1, "AllGroup", "AWS::AutoScaling::Flock", "CREATE_PAUSED", "").replace("<EventId>", "<Novelty>1</Novelty><EventId>"),
            event(2, "photos-dev", STACK, "CREATE_COMPLETE", ""),
        ])),
        ("DescribeStacks", 1..) => Some(stack("CREATE_COMPLETE")),
        ("DescribeChangeSet", _) => Some(result(
            action,
            &format!(
                "<Status>CREATE_COMPLETE</Status><StackId>{ARN}</StackId><Novelty><Of>AWS</Of></Novelty><Changes><member>\
                 <Type>Resource</Type><ResourceChange><Action>Adopt</Action><LogicalResourceId>AllGroup</LogicalResourceId>\
                 <ResourceType>{GROUP}</ResourceType></ResourceChange></member><member><Type>Hook</Type></member></Changes>"
            ),
        )),
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(UP).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.stderr.contains("1 to update"), "{}", ran.stderr);
}

#[tokio::test]
async fn express_mode_is_asked_for_and_rolls_back_as_any_other() {
    let env = env();
    let replay = Replay::start(|action, before| match (action, before) {
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", _) => Some(events(&[event(1, "photos-dev", STACK, "CREATE_COMPLETE", "")])),
        ("DescribeStacks", 1..) => Some(stack("CREATE_COMPLETE")),
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(&[UP, &["--express"]].concat()).await;
    assert_eq!(ran.code, 0, "{ran:?}");
    let made = &replay.forms("CreateChangeSet")[0];
    assert_eq!(made["DeploymentConfig.Mode"], "EXPRESS");
    assert_eq!(made["DeploymentConfig.DisableRollback"], "false");
    // It takes no other word for what becomes of failures.
    assert!(!replay.forms("ExecuteChangeSet")[0].contains_key("RetainExceptOnCreate"));
}
