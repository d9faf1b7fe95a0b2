//! What was promised to the clients, and whether it holds.
//!
//! An answer is a promise. A request whose answer never came may have happened or not, and from then on both are right, until
//! one of them has been seen.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::{self, Write},
};

/// A key's content: of which generation, or none.
pub(crate) type Content = Option<u64>;

/// A message of the queue that is received and deleted under load.
#[derive(Debug, Default)]
struct Message {
    acknowledged: bool,
    /// Whether its deletion was acknowledged.
    deleted: bool,
    /// Whether somebody tried to delete it.
    maybe_deleted: bool,
    /// Every receive count that somebody was shown.
    counts: BTreeSet<i64>,
    /// The highest of them before the last kill.
    before: i64,
}

/// All that was promised.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    messages: HashMap<String, Message>,
    /// Of each published message, whether that was acknowledged.
    published: HashMap<String, bool>,
    /// What each key may hold.
    objects: HashMap<String, Vec<Content>>,
    /// What did not hold.
    broken: Vec<String>,
    pub(crate) kept: Kept,
}

/// How many promises were made.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Kept {
    sent: u64,
    received: u64,
    deleted: u64,
    published: u64,
    objects: u64,
}

impl Kept {
    pub(crate) fn something_of_all(self) -> bool {
        [self.sent, self.received, self.deleted, self.published, self.objects].iter().all(|count| *count > 0)
    }
}

impl fmt::Display for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Kept { sent, received, deleted, published, objects } = self;
        write!(
            f,
            "{sent} messages sent, {received} received, {deleted} deleted, {published} published to two queues, "
        )?;
        write!(f, "{objects} objects written or removed: nothing lost")
    }
}

impl Ledger {
    pub(crate) fn sending(&mut self, body: &str) {
        self.messages.entry(body.to_owned()).or_default();
    }

    pub(crate) fn sent(&mut self, body: &str) {
        self.kept.sent += 1;
        self.messages.entry(body.to_owned()).or_default().acknowledged = true;
    }

    pub(crate) fn received(&mut self, body: &str, count: i64) {
        self.kept.received += 1;
        let Some(message) = self.messages.get_mut(body) else {
            self.broken.push(format!("{body} was received and nobody sent it"));
            return;
        };
        if message.deleted {
            self.broken.push(format!("{body} was received after its deletion was acknowledged"));
        }
        if !message.counts.insert(count) || count <= message.before {
            let shown = &message.counts;
            self.broken.push(format!(
                "{body} was received as number {count} again: {shown:?}, {} at the kill",
                message.before
            ));
        }
    }

    pub(crate) fn deleting(&mut self, body: &str) {
        if let Some(message) = self.messages.get_mut(body) {
            message.maybe_deleted = true;
        }
    }

    pub(crate) fn deleted(&mut self, body: &str) {
        self.kept.deleted += 1;
        if let Some(message) = self.messages.get_mut(body) {
            message.deleted = true;
        }
    }

    pub(crate) fn publishing(&mut self, body: &str) {
        self.published.entry(body.to_owned()).or_default();
    }

    pub(crate) fn published(&mut self, body: &str) {
        self.kept.published += 1;
        self.published.insert(body.to_owned(), true);
    }

    /// A key is about to hold `content`, or none.
    pub(crate) fn writing(&mut self, key: &str, content: Content) {
        self.objects.entry(key.to_owned()).or_insert_with(|| vec![None]).push(content);
    }

    pub(crate) fn wrote(&mut self, key: &str, content: Content) {
        self.kept.objects += 1;
        self.objects.insert(key.to_owned(), vec![content]);
    }

    /// A key was read and held `content`; whoever has seen that will see it again.
    pub(crate) fn read(&mut self, key: &str, content: Content) {
        let possible = self.objects.get(key).map(Vec::as_slice).unwrap_or_default();
        if possible.contains(&content) {
            self.objects.insert(key.to_owned(), vec![content]);
        } else {
            self.broken.push(format!("the key {key} holds {content:?} and not one of {possible:?}"));
        }
    }

    pub(crate) fn wrong(&mut self, what: String) {
        self.broken.push(what);
    }

    /// The process was killed: receive counts go on from here.
    pub(crate) fn killed(&mut self) {
        for message in self.messages.values_mut() {
            message.before = message.counts.last().copied().unwrap_or(message.before);
        }
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.objects.keys().cloned().collect()
    }

    /// Compares with all that is left in the queue, which is empty from now on.
    pub(crate) fn drained(&mut self, found: &BTreeSet<String>) {
        for (body, message) in &self.messages {
            if message.acknowledged && !message.maybe_deleted && !found.contains(body) {
                self.broken.push(format!("{body} was acknowledged, nobody deleted it, and it is gone"));
            }
        }
        // What was received after its deletion has been noted when that happened.
        self.messages.clear();
    }

    /// Compares with all that is left in the queues of a topic, which are empty from now on.
    pub(crate) fn fanned_out(&mut self, queues: &[BTreeSet<String>]) {
        for (body, acknowledged) in self.published.drain() {
            let holding = queues.iter().filter(|queue| queue.contains(&body)).count();
            if holding != queues.len() && (acknowledged || holding != 0) {
                let all = queues.len();
                self.broken.push(format!("{body} is in {holding} of {all} queues; acknowledged: {acknowledged}"));
            }
        }
    }

    /// Fails with all that did not hold.
    pub(crate) fn holds(&self) {
        let mut said = String::new();
        for broken in self.broken.iter().take(20) {
            writeln!(said, "{broken}").expect("a string takes all that is written to it");
        }
        assert!(self.broken.is_empty(), "{} promises were broken:\n{said}", self.broken.len());
    }
}
