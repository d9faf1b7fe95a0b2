//! Deletes messages whose work is done, as many at once as came together while the last request was on its way.

use std::{future::Future, sync::Arc};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::queue::{Inbox, MOST, Received};

/// Takes messages that are to be deleted.
pub(super) struct Done(Sender<Received>);

impl Done {
    /// Starts deleting. The future ends when everything that was handed over is deleted and nothing more can come.
    pub(super) fn start(inbox: Arc<Inbox>) -> (Self, impl Future<Output = ()>) {
        let (sender, receiver) = channel(MOST * 4);
        let deleting = tokio::spawn(delete_all(inbox, receiver));
        (Self(sender), async move {
            if deleting.await.is_err() {
                tracing::error!("deleting broke down: tasks that are done will be found done once more");
            }
        })
    }

    /// Hands over a message; waits only where deleting does not keep up.
    pub(super) async fn delete(&self, message: Received) {
        if self.0.send(message).await.is_err() {
            tracing::warn!("a task that is done will be found done once more");
        }
    }
}

async fn delete_all(inbox: Arc<Inbox>, mut done: Receiver<Received>) {
    let mut batch = Vec::with_capacity(MOST);
    while done.recv_many(&mut batch, MOST).await > 0 {
        match inbox.delete(&batch).await {
            Ok(0) => {}
            Ok(failed) => tracing::warn!(failed, "tasks that are done will be found done once more"),
            Err(error) => tracing::warn!(%error, "tasks that are done will be found done once more"),
        }
        batch.clear();
    }
}
