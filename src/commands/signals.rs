//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{SignalKind, signal};

/// Who asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// A person, by Ctrl-C: they watch, and ask again if it takes too long.
    Interrupt,
    /// A program, by SIGTERM: it kills a few seconds later.
    Terminate,
}

/// Waits for Ctrl-C or SIGTERM. Where signals cannot be had, it waits for ever.
pub(super) async fn received() -> Signal {
    let one = |kind| async move {
        match signal(kind) {
            Ok(mut signals) => {
                signals.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = one(SignalKind::interrupt()) => Signal::Interrupt,
        () = one(SignalKind::terminate()) => Signal::Terminate,
    }
}

/// Waits until anybody asks to stop.
pub(super) async fn interrupted() {
    received().await;
}
