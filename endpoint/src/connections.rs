//! Connections of a server: how many there may be, and which must make room.
//!
//! Who opens connections and says nothing, or next to nothing, keeps nobody else out: when there are as many as there may be,
//! the one that has been without a request for longest is closed for the next. What is said on a connection is none of this
//! module's business.

use std::{
    collections::BTreeMap,
    future::pending,
    net::SocketAddr,
    pin::{Pin, pin},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use hyper::body::{Body, Frame, SizeHint};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Notify,
};
use tokio_util::sync::CancellationToken;

/// A client must have sent the head of its first request by then. Every client sends it at once.
const FIRST_HEAD: Duration = Duration::from_secs(10);
/// When the process is out of file descriptors, accepting again at once would only spin.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// The connections of one server.
#[derive(Debug)]
pub struct Connections {
    most: usize,
    state: Arc<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Mutex<Opened>,
    /// A connection ended, or a request.
    changed: Notify,
}

#[derive(Debug, Default)]
struct Opened {
    next: u64,
    connections: BTreeMap<u64, Connection>,
}

#[derive(Debug)]
struct Connection {
    requests: usize,
    asked: bool,
    idle_since: Instant,
    close: CancellationToken,
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    /// Whether there may be one more, if need be because an idle one is told to close.
    fn has_room(&mut self, most: usize) -> bool {
        if self.connections.len() < most {
            return true;
        }
        let idle = self.connections.iter().filter(|(_, one)| one.requests == 0);
        let longest = idle.min_by_key(|(_, one)| one.idle_since).map(|(id, _)| *id);
        longest.and_then(|id| self.connections.remove(&id)).inspect(|one| one.close.cancel()).is_some()
    }
}

impl Connections {
    /// As many connections as there may be, and at least one.
    pub fn new(most: usize) -> Connections {
        Connections { most: most.max(1), state: Arc::default() }
    }

    /// Accepts the next connection, and waits until there is room for it. An error (too many open files, say) is told once and
    /// waited out.
    pub async fn accept(&self, listener: &TcpListener) -> (TcpStream, SocketAddr, Open) {
        let mut told = false;
        let (stream, client) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    if !told {
                        tracing::warn!(%error, "a connection could not be accepted; trying until one can be");
                    }
                    told = true;
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        };
        // Only now, when somebody wants the place: one without a request is of use as long as nobody does.
        self.room().await;
        (stream, client, self.open())
    }

    async fn room(&self) {
        loop {
            let changed = self.state.changed.notified();
            let mut changed = pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if self.state.lock().has_room(self.most) {
                return;
            }
            changed.await;
        }
    }

    fn open(&self) -> Open {
        let mut opened = self.state.lock();
        let id = opened.next;
        opened.next += 1;
        let close = CancellationToken::new();
        let connection = Connection { requests: 0, asked: false, idle_since: Instant::now(), close: close.clone() };
        opened.connections.insert(id, connection);
        Open { id, close, state: Arc::clone(&self.state) }
    }
}

/// An open connection, until this is dropped.
#[derive(Debug)]
pub struct Open {
    id: u64,
    close: CancellationToken,
    state: Arc<State>,
}

impl Open {
    /// Counts a request as under way, until what is returned is dropped. Nothing closes the connection meanwhile.
    pub fn begin(&self) -> UnderWay {
        let request = UnderWay { connection: self.id, state: Arc::clone(&self.state) };
        request.change(|connection| {
            connection.requests += 1;
            connection.asked = true;
        });
        request
    }

    /// Ends when the connection must close: for another one, or because no first request came.
    pub async fn must_close(&self) {
        let silent = async {
            tokio::time::sleep(FIRST_HEAD).await;
            if self.state.lock().connections.get(&self.id).is_some_and(|one| one.asked) {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = self.close.cancelled() => {}
            () = silent => {}
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.lock().connections.remove(&self.id);
        self.state.changed.notify_waiters();
    }
}

/// A request that is under way.
#[derive(Debug)]
pub struct UnderWay {
    connection: u64,
    state: Arc<State>,
}

impl UnderWay {
    /// Keeps the request under way until all of its answer was handed over.
    pub fn until_sent<B>(self, body: B) -> Held<B> {
        Held { body, _request: self }
    }

    fn change(&self, change: impl FnOnce(&mut Connection)) {
        if let Some(connection) = self.state.lock().connections.get_mut(&self.connection) {
            change(connection);
            connection.idle_since = Instant::now();
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.change(|connection| connection.requests = connection.requests.saturating_sub(1));
        self.state.changed.notify_waiters();
    }
}

/// The body of an answer, whose request ends with it.
#[derive(Debug)]
pub struct Held<B> {
    body: B,
    _request: UnderWay,
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has_room(connections: &Connections) -> bool {
        connections.state.lock().has_room(connections.most)
    }

    #[test]
    fn the_longest_idle_connection_makes_room() {
        let connections = Connections::new(2);
        let (first, second) = (connections.open(), connections.open());
        drop(first.begin());
        assert!(has_room(&connections));
        assert!(second.close.is_cancelled() && !first.close.is_cancelled());
    }

    #[test]
    fn a_request_under_way_makes_none_until_it_ends() {
        let connections = Connections::new(1);
        let only = connections.open();
        let answer = only.begin().until_sent(());
        assert!(!has_room(&connections));
        drop(answer);
        assert!(has_room(&connections) && only.close.is_cancelled());
    }

    #[test]
    fn one_that_ended_leaves_its_place() {
        let connections = Connections::new(1);
        drop(connections.open());
        let next = connections.open();
        assert!(!next.close.is_cancelled());
        assert_eq!(connections.state.lock().connections.len(), 1);
    }
}
