//! What was acknowledged is there after the process was killed in the middle of its work.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use aws_sdk_s3::primitives::ByteStream;
use decouple_endpoint::Endpoint;
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::support::{DEADLINE, Running, config, s3_for, sdk_for};

/// Tells this binary that it is the child, and where to keep its data.
const CHILD_DIRECTORY: &str = "ENDPOINT_CRASH_TEST_DIRECTORY";
const CHILD: &str = "crash::the_child_serves_until_it_is_killed";
const ADDRESS: &str = "listening on ";
/// Acknowledgements to wait for before the child is killed.
const ENOUGH: usize = 300;

/// Serves in the child; in an ordinary run there is nothing to serve.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[expect(clippy::print_stdout, reason = "the parent reads the address there")]
async fn the_child_serves_until_it_is_killed() {
    let Some(directory) = std::env::var_os(CHILD_DIRECTORY).map(PathBuf::from) else { return };
    let endpoint = Endpoint::open(config(&directory)).await.unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    println!("\n{ADDRESS}{}", listener.local_addr().unwrap());
    endpoint.serve(listener, CancellationToken::new()).await.unwrap();
}

fn start_child(directory: &std::path::Path) -> (Child, String) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", CHILD, "--nocapture"]).env(CHILD_DIRECTORY, directory).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let address = lines.map_while(Result::ok).find_map(|line| line.strip_prefix(ADDRESS).map(str::to_owned)).unwrap();
    (child, format!("http://{address}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_kill_loses_nothing_that_was_acknowledged() {
    let directory = tempfile::tempdir().unwrap();
    let (mut child, url) = start_child(directory.path());
    let sdk = sdk_for(&url).await;
    let (sqs, s3) = (aws_sdk_sqs::Client::new(&sdk), s3_for(&sdk));
    let queue = sqs.create_queue().queue_name("tasks").send().await.unwrap().queue_url.unwrap();
    s3.create_bucket().bucket("photos").send().await.unwrap();

    let count = Arc::new(AtomicUsize::new(0));
    let mut senders = JoinSet::new();
    for sender in 0..8 {
        let (sqs, s3, queue, count) = (sqs.clone(), s3.clone(), queue.clone(), Arc::clone(&count));
        senders.spawn(async move {
            let mut acknowledged = Vec::new();
            for number in 0.. {
                let name = format!("{sender}-{number}");
                let sent = if sender % 2 == 0 {
                    sqs.send_message().queue_url(&queue).message_body(&name).send().await.is_ok()
                } else {
                    let body = ByteStream::from(name.repeat(1000).into_bytes());
                    s3.put_object().bucket("photos").key(&name).body(body).send().await.is_ok()
                };
                if !sent {
                    break;
                }
                acknowledged.push(name);
                count.fetch_add(1, Ordering::Relaxed);
            }
            (sender, acknowledged)
        });
    }
    let enough = async {
        while count.load(Ordering::Relaxed) < ENOUGH {
            tokio::task::yield_now().await;
        }
    };
    timeout(DEADLINE, enough).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();

    let (mut messages, mut objects) = (Vec::new(), Vec::new());
    while let Some(sender) = senders.join_next().await {
        let (sender, names) = sender.unwrap();
        if sender % 2 == 0 { messages.extend(names) } else { objects.extend(names) }
    }
    let endpoint = Running::start(directory.path()).await;
    let (sqs, s3) = (endpoint.sqs().await, endpoint.s3().await);
    let queue = sqs.get_queue_url().queue_name("tasks").send().await.unwrap().queue_url.unwrap();
    let mut found = std::collections::HashSet::new();
    loop {
        let received = sqs.receive_message().queue_url(&queue).max_number_of_messages(10).send().await.unwrap();
        match received.messages {
            Some(received) => found.extend(received.into_iter().filter_map(|message| message.body)),
            None => break,
        }
    }
    assert!(!messages.is_empty() && !objects.is_empty());
    for name in messages {
        assert!(found.contains(&name), "the message {name} was acknowledged and is gone");
    }
    for name in objects {
        let object = s3.get_object().bucket("photos").key(&name).send().await.unwrap();
        assert_eq!(object.body.collect().await.unwrap().to_vec(), name.repeat(1000).into_bytes(), "{name}");
    }
    endpoint.stop().await;
}
