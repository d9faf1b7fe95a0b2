//! The requests for the site that are under way, so that an instance ends between two of them.
//!
//! It knows neither connections nor answers. Who asks for health or metrics waits for no work and never stops asking: such requests
//! are not among these.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// A balancer has noticed that this worker goes away when no request has come for so long.
const QUIET: Duration = Duration::from_secs(5);

/// What is served at present.
pub(crate) struct Requests {
    state: watch::Sender<State>,
    draining: CancellationToken,
}

#[derive(Default)]
struct State {
    under_way: usize,
    last_end: Option<Instant>,
}

impl Requests {
    /// Nothing is served yet. When `draining` is cancelled, whoever asks has to look for another worker.
    pub(crate) fn new(draining: CancellationToken) -> Self {
        Self { state: watch::Sender::default(), draining }
    }

    /// Notes a request for something of the site; it ends with the value that is returned.
    pub(crate) fn begin(self: &Arc<Self>, path: &str) -> Option<UnderWay> {
        if matches!(path, "/healthz" | "/metrics") {
            return None;
        }
        self.state.send_modify(|state| state.under_way += 1);
        Some(UnderWay(Arc::clone(self)))
    }

    /// Tells whether a connection should end with the answer.
    pub(crate) fn are_the_last(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// Waits until no request is under way and none has been for some seconds.
    pub(crate) async fn quiet(&self) {
        let mut state = self.state.subscribe();
        loop {
            let Ok(last_end) = state.wait_for(|state| state.under_way == 0).await.map(|state| state.last_end) else {
                return;
            };
            let Some(last_end) = last_end else { return };
            tokio::select! {
                () = sleep_until(last_end + QUIET) => return,
                _another = state.changed() => {}
            }
        }
    }
}

/// A request that is under way.
pub(crate) struct UnderWay(Arc<Requests>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| {
            state.under_way = state.under_way.saturating_sub(1);
            state.last_end = Some(Instant::now());
        });
    }
}
