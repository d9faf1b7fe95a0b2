//! Places for connections: how many there may be, and who must make room.
//!
//! Who opens connections and says nothing, or next to nothing, keeps nobody else out. When there are as many as there may be, the one
//! that has been without a request for longest is closed for the next. And a part of them is for requests that are answered
//! at once, such as those for the worker's health: when everything else has its share, the one whose client is slowest to send or to
//! take is closed for the next, and where none is slow, the next is told to come back.

use std::{
    collections::BTreeMap,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// Nobody is called slow who kept the worker waiting for less than this, ...
const PATIENCE: Duration = Duration::from_secs(1);
/// ... or who moved more bytes for each second of it. Mobile networks are several times as fast: when very many people come at once, those
/// that have begun end, and the others come back.
const SLOW: u64 = 16 * 1024;
/// But who moves nothing at all for so long is, however much it was before.
const STALLED: Duration = Duration::from_secs(5);

/// All connections.
pub(super) struct Places {
    most: usize,
    state: Arc<State>,
}

#[derive(Default)]
struct State {
    open: Mutex<Opened>,
    /// A connection ended, or a request.
    changed: Notify,
}

#[derive(Default)]
struct Opened {
    next: u64,
    connections: BTreeMap<u64, Connection>,
}

struct Connection {
    /// The request that is under way.
    request: Option<Progress>,
    idle_since: Instant,
    close: CancellationToken,
}

/// How fast the client of a request sends and takes.
#[derive(Default)]
struct Progress {
    /// It has no part in the share of what may take long.
    short: bool,
    bytes: usize,
    /// For how long the client was waited for, and since when it is.
    waited: Duration,
    waiting_since: Option<Instant>,
}

impl Progress {
    /// For how long the client is waited for now.
    fn waits(&self) -> Duration {
        self.waiting_since.map_or(Duration::ZERO, |since| since.elapsed())
    }

    fn waited(&self) -> Duration {
        self.waited + self.waits()
    }

    /// Bytes for each second that was waited for the client, where it is slow.
    fn pace(&self) -> Option<u64> {
        if self.waits() >= STALLED {
            return Some(0);
        }
        let waited = self.waited();
        let pace = self.bytes as u64 * 1000 / u64::try_from(waited.as_millis()).unwrap_or(u64::MAX).max(1);
        (waited >= PATIENCE && pace < SLOW).then_some(pace)
    }
}

impl State {
    fn lock(&self) -> MutexGuard<'_, Opened> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Opened {
    fn close(&mut self, id: Option<u64>) -> bool {
        id.and_then(|id| self.connections.remove(&id)).inspect(|one| one.close.cancel()).is_some()
    }

    /// Whether there may be one more connection, if need be because an idle one is told to close.
    fn has_room(&mut self, most: usize) -> bool {
        let idle = self.connections.iter().filter(|(_, one)| one.request.is_none());
        let longest = idle.min_by_key(|(_, one)| one.idle_since).map(|(id, _)| *id);
        self.connections.len() < most || self.close(longest)
    }

    /// Whether there may be one more request that takes long, if need be because the slowest is told to close.
    fn has_share(&mut self, most: usize) -> bool {
        let long = || self.connections.iter().filter_map(|(id, one)| Some((*id, one.request.as_ref()?)));
        let long = || long().filter(|(_, request)| !request.short);
        let slowest = long().filter_map(|(id, request)| Some((request.pace()?, id))).min().map(|(_, id)| id);
        long().count() < most || self.close(slowest)
    }
}

impl Places {
    /// As many as there may be, and at least one.
    pub(super) fn new(most: usize) -> Self {
        Self { most: most.max(1), state: Arc::default() }
    }

    /// Waits until there may be one more, and sees to it that there may.
    pub(super) async fn room(&self) {
        self.until(|opened| opened.has_room(self.most)).await;
    }

    /// Waits until no request is under way.
    pub(super) async fn quiet(&self) {
        self.until(|opened| opened.connections.values().all(|one| one.request.is_none())).await;
    }

    /// Closes every connection once it has no request under way.
    pub(super) async fn end(&self) {
        self.until(|opened| {
            opened.connections.retain(|_, one| {
                if one.request.is_none() {
                    one.close.cancel();
                }
                one.request.is_some()
            });
            opened.connections.is_empty()
        })
        .await;
    }

    async fn until(&self, mut condition: impl FnMut(&mut Opened) -> bool) {
        loop {
            let changed = self.state.changed.notified();
            let mut changed = pin!(changed);
            // From here on no change is missed.
            changed.as_mut().enable();
            if condition(&mut self.state.lock()) {
                return;
            }
            changed.await;
        }
    }

    pub(super) fn open(&self) -> Open {
        let mut opened = self.state.lock();
        let id = opened.next;
        opened.next += 1;
        let close = CancellationToken::new();
        let connection = Connection { request: None, idle_since: Instant::now(), close: close.clone() };
        opened.connections.insert(id, connection);
        // Four fifths are enough to be busy with.
        Open { id, share: (self.most * 4 / 5).max(1), close, state: Arc::clone(&self.state) }
    }
}

/// An open connection.
pub(super) struct Open {
    id: u64,
    share: usize,
    close: CancellationToken,
    state: Arc<State>,
}

impl Open {
    /// Begins a request, which may be `short`: answered at once, whatever else is under way. None where there are too many.
    pub(super) fn begin(&self, short: bool) -> Option<UnderWay> {
        let mut opened = self.state.lock();
        if !short && !opened.has_share(self.share) {
            return None;
        }
        if let Some(connection) = opened.connections.get_mut(&self.id) {
            connection.request = Some(Progress { short, ..Progress::default() });
        }
        Some(UnderWay(Watch { connection: self.id, state: Arc::clone(&self.state) }))
    }

    /// Ends when the connection must close for another one.
    pub(super) async fn must_close(&self) {
        self.close.cancelled().await;
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.lock().connections.remove(&self.id);
        self.state.changed.notify_waiters();
    }
}

/// A request that is under way, until the last byte of its answer was handed over.
pub(super) struct UnderWay(Watch);

impl UnderWay {
    pub(super) fn watch(&self) -> Watch {
        self.0.clone()
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let Watch { connection, state } = &self.0;
        if let Some(connection) = state.lock().connections.get_mut(connection) {
            connection.request = None;
            connection.idle_since = Instant::now();
        }
        state.changed.notify_waiters();
    }
}

/// Whoever moves the bytes of a request and of its answer.
#[derive(Clone)]
pub(super) struct Watch {
    connection: u64,
    state: Arc<State>,
}

impl Watch {
    fn note(&self, change: impl FnOnce(&mut Progress)) {
        let mut opened = self.state.lock();
        if let Some(request) = opened.connections.get_mut(&self.connection).and_then(|one| one.request.as_mut()) {
            change(request);
        }
    }

    /// Notes that the client is waited for.
    pub(super) fn waits(&self) {
        self.note(|request| {
            request.waiting_since.get_or_insert_with(Instant::now);
        });
    }

    /// Notes that the client has sent or taken something.
    pub(super) fn moved(&self, bytes: usize) {
        self.note(|request| {
            request.waited = request.waited();
            request.waiting_since = None;
            request.bytes += bytes;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn closed(one: &Open) -> bool {
        one.close.is_cancelled()
    }

    fn has_room(places: &Places) -> bool {
        places.state.lock().has_room(places.most)
    }

    /// A client that has sent so much in two seconds.
    fn slow(one: &Open, bytes: usize) -> UnderWay {
        let request = one.begin(false).unwrap();
        request.watch().moved(bytes);
        request.watch().note(|progress| progress.waited = PATIENCE * 2);
        request
    }

    #[test]
    fn the_longest_idle_connection_makes_room_and_none_that_is_busy() {
        let places = Places::new(3);
        let [first, second, third] = [places.open(), places.open(), places.open()];
        drop(first.begin(false));
        let busy = second.begin(false);
        assert!(has_room(&places));
        assert_eq!([&first, &second, &third].map(closed), [false, false, true]);
        let fourth = places.open();
        let also_busy = fourth.begin(true);
        assert!(has_room(&places));
        assert_eq!([&first, &second, &fourth].map(closed), [true, false, false]);
        drop((busy, also_busy));
    }

    #[test]
    fn the_slowest_makes_room_for_a_request_and_none_that_keeps_up() {
        let places = Places::new(5);
        let [first, second, third, fourth, fifth] = std::array::from_fn(|_| places.open());
        let requests = [slow(&first, 5000), slow(&second, 100), slow(&third, 3000), fourth.begin(false).unwrap()];
        let next = fifth.begin(false);
        assert!(next.is_some());
        assert_eq!([&first, &second, &third, &fourth].map(closed), [false, true, false, false]);
        let sixth = places.open();
        assert!(sixth.begin(true).is_some(), "what is answered at once has its place");
        assert!(!closed(&third));
        drop(requests);
    }

    #[test]
    fn where_nobody_is_slow_the_next_has_to_come_back() {
        let places = Places::new(1);
        let (only, next) = (places.open(), places.open());
        let request = slow(&only, 1_000_000);
        assert!(next.begin(false).is_none());
        assert!(next.begin(true).is_some());
        drop(request);
        assert!(next.begin(false).is_some());
        assert!(!closed(&only));
    }

    #[tokio::test]
    async fn the_end_comes_when_nothing_is_under_way() {
        let places = Places::new(2);
        let (idle, busy) = (places.open(), places.open());
        let request = busy.begin(false).unwrap();
        let (ended, ()) = tokio::join!(places.end(), async {
            idle.must_close().await;
            drop(request);
            busy.must_close().await;
        });
        assert_eq!(ended, ());
    }
}
