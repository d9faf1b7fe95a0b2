//! The network balancer: each connection is passed on whole to one instance.

use std::{sync::Arc, time::Duration};

use decouple_endpoint::connections::Connections;
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Rate, Targets, targets::Target};

/// Connections that are still open so long after a stop are cut.
const FINISH: Duration = Duration::from_secs(30);

/// Passes connections on until it is told to stop.
pub(super) async fn run(
    listener: TcpListener,
    targets: Targets,
    most: usize,
    rate: Arc<Rate>,
    stop: CancellationToken,
) {
    let connections = TaskTracker::new();
    let places = Connections::new(most);
    loop {
        let (client, _, open) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = places.accept(&listener) => accepted,
        };
        rate.count();
        // Which of them idle is not seen here but by the instances, which close them: all others wait for a place.
        let busy = open.begin();
        let targets = targets.clone();
        connections.spawn(async move {
            pass_on(client, targets).await;
            drop((busy, open));
        });
    }
    connections.close();
    if tokio::time::timeout(FINISH, connections.wait()).await.is_err() {
        tracing::warn!(connections = connections.len(), "connections were still open at the end");
    }
}

async fn pass_on(mut client: TcpStream, targets: Targets) {
    let Some((mut instance, target)) = connect(&targets).await else {
        tracing::warn!("no instance takes connections");
        return;
    };
    if let Err(error) = copy_bidirectional(&mut client, &mut instance).await {
        tracing::debug!(%error, "a connection ended early");
    }
    drop(target);
}

/// Tries one instance after the other.
async fn connect(targets: &Targets) -> Option<(TcpStream, Target)> {
    let mut tried = Vec::new();
    while let Some(target) = targets.choose(&tried) {
        if let Ok(stream) = TcpStream::connect(("127.0.0.1", target.port)).await {
            // It only makes small answers wait; without it they merely take longer.
            let _slower = stream.set_nodelay(true);
            return Some((stream, target));
        }
        targets.refused(target.port);
        tried.push(target.port);
    }
    None
}
