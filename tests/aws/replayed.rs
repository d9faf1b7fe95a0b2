//! What no emulator does: logins that are missing or old, refusals, throttling, stacks that are stuck, instances that do not
//! become healthy, and Ctrl-C.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::{
    emulator::Account,
    replay::{Answer, Replay, refusal, result},
};
use crate::support::{Ran, TestEnv, until};

const UP: &[&str] = &["up", "--stage", "elb", "--bundle", "bundle.tar.gz", "--no-wait"];
const ARN: &str = "arn:aws:cloudformation:us-east-1:123456789012:stack/photos-dev/1";

fn env() -> TestEnv {
    let env = TestEnv::new();
    env.write("bundle.tar.gz", "a bundle");
    env
}

fn stack(status: &str) -> Answer {
    let tags = [("decouple:site", "photos"), ("decouple:environment", "dev"), ("decouple:stage", "elb")]
        .map(|(key, value)| format!("<member><Key>{key}</Key><Value>{value}</Value></member>"))
        .concat();
    let content = format!(
        "<Stacks><member><StackName>photos-dev</StackName><StackId>{ARN}</StackId><StackStatus>{status}</StackStatus>\
         <CreationTime>2026-11-26T00:00:00Z</CreationTime><Tags>{tags}</Tags><Outputs><member><OutputKey>Url</OutputKey>\
         <OutputValue>http://site</OutputValue></member></Outputs></member></Stacks>"
    );
    result("DescribeStacks", &content)
}

/// One event; `id` must differ from the others'.
fn event(id: u32, logical_id: &str, kind: &str, status: &str, reason: &str) -> String {
    let physical = if kind == STACK { ARN } else { "" };
    format!(
        "<member><StackId>{ARN}</StackId><EventId>{id}</EventId><StackName>photos-dev</StackName>\
         <LogicalResourceId>{logical_id}</LogicalResourceId><PhysicalResourceId>{physical}</PhysicalResourceId>\
         <ResourceType>{kind}</ResourceType><Timestamp>2026-11-26T00:00:00Z</Timestamp>\
         <ResourceStatus>{status}</ResourceStatus><ResourceStatusReason>{reason}</ResourceStatusReason></member>"
    )
}

const STACK: &str = "AWS::CloudFormation::Stack";
const SIGNAL: &str = "Received FAILURE signal with UniqueId i-0abc";
const GROUP: &str = "AWS::AutoScaling::AutoScalingGroup";

/// Events, the oldest first, as AWS gives them: the newest first.
fn events(oldest_first: &[String]) -> Answer {
    let newest_first: String = oldest_first.iter().rev().cloned().collect();
    result("DescribeStackEvents", &format!("<StackEvents>{newest_first}</StackEvents>"))
}

/// A change set that makes one group.
fn change_set(action: &str) -> Option<Answer> {
    match action {
        "CreateChangeSet" => Some(result(action, &format!("<Id>{ARN}/set</Id><StackId>{ARN}</StackId>"))),
        "DescribeChangeSet" => Some(result(
            action,
            &format!(
                "<Status>CREATE_COMPLETE</Status><StackId>{ARN}</StackId><Changes><member><Type>Resource</Type>\
                 <ResourceChange><Action>Add</Action><LogicalResourceId>AllGroup</LogicalResourceId>\
                 <ResourceType>{GROUP}</ResourceType></ResourceChange></member></Changes>"
            ),
        )),
        _ => None,
    }
}

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
async fn an_instance_that_does_not_become_healthy_says_why() {
    let env = env();
    env.write("decouple.yaml", "target: aws\nstage: elb\ngroups:\n  all:\n    job_timeout: 90s\n");
    let replay = Replay::start(|action, before| match (action, before) {
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", _) => Some(an_instance_fails()),
        ("GetConsoleOutput", _) => {
            // In base64: "boot\ndecouple: FAILED: the worker ended 20 times\n"
            let words = "Ym9vdApkZWNvdXBsZTogRkFJTEVEOiB0aGUgd29ya2VyIGVuZGVkIDIwIHRpbWVzCg==";
            let text = format!(
                "<GetConsoleOutputResponse><instanceId>i-0abc</instanceId><output>{words}</output></GetConsoleOutputResponse>"
            );
            Some((200, text))
        }
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(UP).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let told = ran.stderr.split("\n\n").skip(1).collect::<Vec<_>>().join("\n\n");
    insta::assert_snapshot!("an_instance_says_why", without_times(&told));
}

/// A group that is rolled back since one of its instances signalled failure.
fn an_instance_fails() -> Answer {
    events(&[
        event(1, "AllGroup", GROUP, "CREATE_IN_PROGRESS", SIGNAL),
        event(2, "AllGroup", GROUP, "CREATE_FAILED", "Received 1 FAILURE signal(s) out of 2."),
        event(3, "AllIdleAlarm", "AWS::CloudWatch::Alarm", "CREATE_FAILED", "Resource creation cancelled"),
        event(4, "photos-dev", STACK, "ROLLBACK_COMPLETE", ""),
    ])
}

#[tokio::test]
async fn an_instances_log_is_read_before_the_rollback_removes_it() {
    let env = env();
    let over = Arc::new(AtomicBool::new(false));
    let replay = Replay::start(move |action, before| match (action, before) {
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", 1) => Some(events(&[event(1, "AllGroup", GROUP, "CREATE_IN_PROGRESS", SIGNAL)])),
        ("DescribeStackEvents", _) => {
            over.store(true, Ordering::SeqCst);
            Some(an_instance_fails())
        }
        ("ListStackResources", _) => {
            let resource = "<LogicalResourceId>AllLogs</LogicalResourceId><PhysicalResourceId>/decouple/photos/dev/all\
                </PhysicalResourceId><ResourceType>AWS::Logs::LogGroup</ResourceType>";
            Some(result(
                action,
                &format!("<StackResourceSummaries><member>{resource}</member></StackResourceSummaries>"),
            ))
        }
        ("FilterLogEvents", _) if over.load(Ordering::SeqCst) => {
            Some((400, r#"{"__type":"ResourceNotFoundException","message":"no such log group"}"#.to_owned()))
        }
        ("FilterLogEvents", _) => {
            let message = "FAILED: the worker ended 20 times; its last words: no database";
            Some((200, format!(r#"{{"events":[{{"eventId":"1","message":"{message}"}}]}}"#)))
        }
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(UP).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    let told = "the last words of i-0abc:\n  FAILED: the worker ended 20 times; its last words: no database\n";
    assert!(ran.stderr.contains(told), "{}", ran.stderr);
}

#[tokio::test]
async fn what_a_hook_found_is_read_from_the_operation_that_failed_and_not_from_its_rollback() {
    let env = env();
    let part_of = |operation: &str, event: String| {
        event.replace("<EventId>", &format!("<OperationId>{operation}</OperationId><EventId>"))
    };
    let replay = Replay::start(move |action, before| match (action, before) {
        ("DescribeStackEvents", 0) => Some(events(&[])),
        ("DescribeStackEvents", _) => Some(events(&[
            part_of("create", event(1, "photos-dev", STACK, "CREATE_IN_PROGRESS", "")),
            part_of("rollback", event(2, "photos-dev", STACK, "ROLLBACK_IN_PROGRESS", "A hook failed.")),
            part_of("rollback", event(3, "photos-dev", STACK, "ROLLBACK_COMPLETE", "")),
        ])),
        ("DescribeEvents", page) => {
            let (found, next) = match page {
                0 => ("", "<NextToken>2</NextToken>"),
                _ => (
                    "<member><LogicalResourceId>AllGroup</LogicalResourceId><HookStatusReason>no group without a \
                     cost centre</HookStatusReason></member>",
                    "",
                ),
            };
            Some(result(action, &format!("<OperationEvents>{found}</OperationEvents>{next}")))
        }
        _ => change_set(action),
    })
    .await;
    let ran = Account::new(&env, &replay.url).run(UP).await;
    assert_eq!(ran.code, 1, "{ran:?}");
    assert!(ran.stderr.contains("no group without a cost centre"), "{}", ran.stderr);
    let asked: Vec<_> = replay.forms("DescribeEvents").iter().map(|form| form.get("OperationId").cloned()).collect();
    assert_eq!(asked, [Some("create".to_owned()), Some("create".to_owned())]);
}

/// Leaves out the seconds that progress lines begin with.
fn without_times(text: &str) -> String {
    let line = |line: &str| line.split_once(" s  ").map_or(line, |(_, rest)| rest).trim_end().to_owned();
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn ctrl_c_deletes_what_was_being_created() {
    what_was_being_created_is_deleted_on("-INT").await;
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

/// A pipeline that is cancelled sends it.
#[tokio::test]
async fn a_termination_deletes_what_was_being_created() {
    what_was_being_created_is_deleted_on("-TERM").await;
}

async fn what_was_being_created_is_deleted_on(signal: &str) {
    let env = env();
    let deleted = Arc::new(AtomicBool::new(false));
    let gone = Arc::clone(&deleted);
    let replay = Replay::start(move |action, _| match action {
        "DeleteStack" => {
            gone.store(true, Ordering::SeqCst);
            None
        }
        "DescribeStackEvents" if gone.load(Ordering::SeqCst) => {
            Some(events(&[event(1, "photos-dev", STACK, "DELETE_COMPLETE", "")]))
        }
        "DescribeStackEvents" => Some(events(&[])),
        _ => change_set(action),
    })
    .await;
    let account = Account::new(&env, &replay.url);
    let mut command = account.command(UP);
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
    until("the change set to be executed", || async { (replay.asked("ExecuteChangeSet") == 1).then_some(()) }).await;
    until("a look at the events", || async { (replay.asked("DescribeStackEvents") > 1).then_some(()) }).await;
    let id = running.id().to_string();
    Command::new("kill").args([signal, &id]).status().expect("a signal can be sent");
    let output = tokio::task::spawn_blocking(move || running.wait_with_output()).await.expect("waiting does not panic");
    let ran = Ran::of(&output.expect("the program ends"));
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(deleted.load(Ordering::SeqCst));
    assert!(ran.stderr.contains("what was created is deleted again"), "{}", ran.stderr);
}
