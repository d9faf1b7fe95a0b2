//! Why an operation failed, as far as only AWS itself shows it: instances that do not become healthy, and hooks.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use super::{
    answers::{GROUP, STACK, UP, change_set, env, event, events},
    emulator::Account,
    replay::{Answer, Replay, result},
};

const SIGNAL: &str = "Received FAILURE signal with UniqueId i-0abc";

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
