//! Ctrl-C, and a pipeline that is cancelled.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{
    answers::{STACK, UP, change_set, env, event, events, stack},
    emulator::Account,
    replay::{Replay, refusal, result},
};
use crate::support::{Ran, until};

#[tokio::test]
async fn ctrl_c_deletes_what_was_being_created() {
    what_was_being_created_is_deleted_on("-INT").await;
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
    let looks = AtomicUsize::new(0);
    let replay = Replay::start(move |action, _| match action {
        "DeleteStack" => {
            gone.store(true, Ordering::SeqCst);
            None
        }
        // It was complete in the moment before it was deleted, which is heard of first.
        "DescribeStackEvents" if gone.load(Ordering::SeqCst) => {
            let happened = [
                event(1, "photos-dev", STACK, "CREATE_COMPLETE", ""),
                event(2, "photos-dev", STACK, "DELETE_IN_PROGRESS", ""),
                event(3, "photos-dev", STACK, "DELETE_COMPLETE", ""),
            ];
            Some(events(&happened[..=looks.fetch_add(1, Ordering::SeqCst).min(2)]))
        }
        "DescribeStackEvents" => Some(events(&[])),
        _ => change_set(action),
    })
    .await;
    let executed = || replay.asked("ExecuteChangeSet") == 1 && replay.asked("DescribeStackEvents") > 1;
    let ran = signalled(signal, Account::new(&env, &replay.url).command(UP), executed).await;
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(deleted.load(Ordering::SeqCst));
    assert!(ran.stderr.contains("what was created is deleted again"), "{}", ran.stderr);
}

/// Starts a command, and sends it a signal once `is_time`.
async fn signalled(signal: &str, mut command: Command, is_time: impl Fn() -> bool) -> Ran {
    let running = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program can be started");
    until("the time to stop", || async { is_time().then_some(()) }).await;
    let id = running.id().to_string();
    Command::new("kill").args([signal, &id]).status().expect("a signal can be sent");
    let output = tokio::task::spawn_blocking(move || running.wait_with_output()).await.expect("waiting does not panic");
    Ran::of(&output.expect("the program ends"))
}

/// The change set of a stack that is not there yet comes with an empty one, and cannot be deleted while it is made.
#[tokio::test]
async fn ctrl_c_before_anything_is_changed_leaves_nothing_behind() {
    let env = env();
    let asked = AtomicBool::new(false);
    let replay = Replay::start(move |action, before| match (action, before) {
        ("CreateChangeSet", _) => {
            asked.store(true, Ordering::SeqCst);
            change_set(action)
        }
        ("DescribeChangeSet", _) => Some(result(action, "<Status>CREATE_IN_PROGRESS</Status>")),
        ("DeleteChangeSet", 0) => Some(refusal(400, "InvalidChangeSetStatus", "in status CREATE_IN_PROGRESS")),
        ("DescribeStacks", _) if asked.load(Ordering::SeqCst) => Some(stack("REVIEW_IN_PROGRESS")),
        _ => None,
    })
    .await;
    let ran =
        signalled("-INT", Account::new(&env, &replay.url).command(UP), || replay.asked("DescribeChangeSet") > 0).await;
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(ran.stderr.contains("cancelled; nothing was changed"), "{}", ran.stderr);
    assert_eq!((replay.asked("DeleteChangeSet"), replay.asked("DeleteStack")), (2, 1));
}

#[tokio::test]
async fn ctrl_c_while_the_bucket_is_emptied_stops_before_the_stack_goes() {
    let env = env();
    let replay = Replay::start(|action, _| match action {
        "DescribeStacks" => Some(stack("CREATE_COMPLETE")),
        "ListStackResources" => Some(result(
            action,
            "<StackResourceSummaries><member><LogicalResourceId>Bucket</LogicalResourceId>\
             <PhysicalResourceId>theirs</PhysicalResourceId><ResourceType>AWS::S3::Bucket</ResourceType>\
             <ResourceStatus>CREATE_COMPLETE</ResourceStatus>\
             <LastUpdatedTimestamp>2026-11-26T00:00:00Z</LastUpdatedTimestamp></member></StackResourceSummaries>",
        )),
        // However much is removed, there is more.
        "GET /theirs" | "GET /theirs/" => Some((
            200,
            "<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>a</NextKeyMarker>\
             <NextVersionIdMarker>1</NextVersionIdMarker><Version><Key>a</Key><VersionId>1</VersionId></Version>\
             </ListVersionsResult>"
                .to_owned(),
        )),
        "POST /theirs" | "POST /theirs/" => Some((200, "<DeleteResult/>".to_owned())),
        _ => None,
    })
    .await;
    let command = Account::new(&env, &replay.url).command(&["teardown", "--delete-data", "--yes"]);
    let removed = || replay.asked("POST /theirs") + replay.asked("POST /theirs/") > 2;
    let ran = signalled("-INT", command, removed).await;
    assert_eq!(ran.code, 8, "{ran:?}");
    assert!(ran.stderr.contains("the stack is as it was, and its bucket empty in part"), "{}", ran.stderr);
    assert!(ran.stderr.contains("teardown --env dev --target aws --delete-data"), "{}", ran.stderr);
    assert_eq!(replay.asked("DeleteStack"), 0);
}
