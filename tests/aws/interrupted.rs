//! Ctrl-C, and a pipeline that is cancelled.

use std::{
    process::{Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use super::{
    answers::{STACK, UP, change_set, env, event, events},
    emulator::Account,
    replay::Replay,
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
