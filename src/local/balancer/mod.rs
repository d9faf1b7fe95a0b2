//! The balancer: people connect to it, and it passes them on to the instances of one group.
//!
//! [`targets`] chooses the instance; [`http`] passes on the requests that [`guard`] lets in, and [`tcp`] whole connections. The caller owns the
//! socket and the stop signal.

mod body;
mod forward;
mod guard;
mod http;
mod rate;
mod targets;
mod tcp;

use std::{sync::Arc, time::Duration};

use tokio::{net::TcpListener, sync::watch, task::JoinHandle};
use tokio_util::sync::CancellationToken;

pub use rate::Rate;
pub use targets::Targets;

use super::group::State;
use crate::topology::BalancerKind;

/// Limits of what a balancer passes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest request body in bytes.
    pub max_upload_bytes: u64,
    /// Longest that an answer's first byte may take.
    pub answer: Duration,
    /// Most connections at a time.
    pub connections: usize,
}

/// A balancer that runs.
pub struct Balancer {
    rate: Arc<Rate>,
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Balancer {
    /// Serves a group's instances on a socket.
    pub fn start(listener: TcpListener, kind: BalancerKind, group: watch::Receiver<State>, limits: Limits) -> Self {
        let rate = Arc::new(Rate::default());
        let stop = CancellationToken::new();
        let targets = Targets::new(group);
        let task = match kind {
            BalancerKind::Application => {
                tokio::spawn(http::run(listener, targets, limits, Arc::clone(&rate), stop.clone()))
            }
            BalancerKind::Network => {
                tokio::spawn(tcp::run(listener, targets, limits.connections, Arc::clone(&rate), stop.clone()))
            }
        };
        Self { rate, stop, task }
    }

    /// Returns how many requests, or connections, come in.
    pub fn rate(&self) -> Arc<Rate> {
        Arc::clone(&self.rate)
    }

    /// Takes no more connections, finishes the requests that are under way, and ends.
    pub async fn stop(self) {
        self.stop.cancel();
        if let Err(error) = self.task.await {
            tracing::error!(%error, "the balancer ended abnormally");
        }
    }
}
