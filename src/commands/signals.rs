//! Ctrl-C and SIGTERM.

use tokio::signal::unix::{self, SignalKind, signal};

use crate::error::Error;

/// Who asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signal {
    /// A person, by Ctrl-C: they watch, and ask again if it takes too long.
    Interrupt,
    /// A program, by SIGTERM: it kills a few seconds later.
    Terminate,
}

/// The signals that come from now on. Who does something that must not be cut off listens before it, and looks after it: a signal that
/// comes while nobody listens is lost. Where signals cannot be had, none come.
pub(super) struct Signals {
    interrupts: Option<unix::Signal>,
    terminations: Option<unix::Signal>,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> Self {
        Self { interrupts: signal(SignalKind::interrupt()).ok(), terminations: signal(SignalKind::terminate()).ok() }
    }

    /// Waits for one. May be dropped at any await, and called again.
    pub(super) async fn received(&mut self) -> Signal {
        tokio::select! {
            () = one(&mut self.interrupts) => Signal::Interrupt,
            () = one(&mut self.terminations) => Signal::Terminate,
        }
    }
}

async fn one(signals: &mut Option<unix::Signal>) {
    match signals {
        Some(signals) => {
            signals.recv().await;
        }
        None => std::future::pending().await,
    }
}

/// Waits until anybody asks to stop.
pub(super) async fn interrupted() {
    Signals::listen().received().await;
}

/// Does what may be left at any point, until it is done or anybody asks to stop.
pub(super) async fn unless_interrupted<T>(
    work: impl Future<Output = Result<T, Error>>,
    left: impl FnOnce() -> Error,
) -> Result<T, Error> {
    tokio::select! {
        done = work => done,
        () = interrupted() => Err(left()),
    }
}
