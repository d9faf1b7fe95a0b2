//! What must hold of any queue whatever is done with it: random operations against a model that is a plain list.

use proptest::prelude::*;
use rusqlite::Connection;

use crate::{
    clock::{Millis, SECOND},
    names::Names,
    store::{Unit, in_memory},
};

use super::{
    handles::{delete, hide},
    receipt::Receipt,
    room::Room,
    rows::{NewMessage, counts, enqueue, existing_queue},
    take::{Request, take},
};

const VISIBILITY: i64 = 30;

#[derive(Debug, Clone)]
enum Operation {
    Send {
        group: u8,
        delay: i64,
    },
    Receive {
        max: i64,
    },
    /// By the handle of some receive, old or new.
    Delete(prop::sample::Index),
    Hide(prop::sample::Index, i64),
    Wait(i64),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => (0..3u8, prop_oneof![Just(0), Just(10)]).prop_map(|(group, delay)| Operation::Send { group, delay }),
        4 => (1..=10i64).prop_map(|max| Operation::Receive { max }),
        3 => any::<prop::sample::Index>().prop_map(Operation::Delete),
        2 => (any::<prop::sample::Index>(), 0..60i64).prop_map(|(which, seconds)| Operation::Hide(which, seconds)),
        2 => (1..40i64).prop_map(Operation::Wait),
    ]
}

/// A message as the model has it; its place in the list is its body.
#[derive(Debug)]
struct Modelled {
    group: u8,
    visible_from: Millis,
    /// The last receive that took it.
    receive: Option<usize>,
    receives: i64,
    deleted: bool,
}

struct Bench {
    connection: Connection,
    fifo: bool,
    now: Millis,
    messages: Vec<Modelled>,
    /// Of every receive of a message: which one, and its handle.
    receives: Vec<(usize, String)>,
}

impl Bench {
    fn new(fifo: bool) -> Self {
        let connection = in_memory();
        let attributes = if fifo { r#"{"FifoQueue":"true"}"# } else { "{}" };
        let sql = "INSERT INTO queue (name, created_ms, modified_ms, attributes, tags) VALUES (?1, 0, 0, ?2, '{}')";
        connection.execute(sql, [name(fifo), attributes]).unwrap();
        Bench { connection, fifo, now: 1_000_000_000_000, messages: Vec::new(), receives: Vec::new() }
    }

    fn run(&mut self, operation: &Operation) {
        match operation {
            Operation::Send { group, delay } => self.send(*group, *delay),
            Operation::Receive { max } => self.receive(*max),
            Operation::Delete(which) if !self.receives.is_empty() => self.delete(which.index(self.receives.len())),
            Operation::Hide(which, seconds) if !self.receives.is_empty() => {
                self.hide(which.index(self.receives.len()), *seconds);
            }
            Operation::Wait(seconds) => self.now += seconds * SECOND,
            Operation::Delete(_) | Operation::Hide(..) => {}
        }
        self.check_counts();
    }

    fn send(&mut self, group: u8, delay: i64) {
        // A queue that keeps an order delays all or nothing.
        let delay = if self.fifo { 0 } else { delay };
        let body = self.messages.len().to_string();
        let message = NewMessage { body, group: Some(group.to_string()), delay: Some(delay), ..NewMessage::default() };
        let queue = existing_queue(&self.connection, name(self.fifo)).unwrap();
        enqueue(&mut Unit::new(&self.connection), &queue, &message, self.now).unwrap();
        let visible_from = self.now + delay * SECOND;
        self.messages.push(Modelled { group, visible_from, receive: None, receives: 0, deleted: false });
    }

    fn receive(&mut self, max: i64) {
        let names = Names { region: "us-east-1".into(), account: "000000000000".into() };
        let request = Request { queue: name(self.fifo).into(), max, visibility: Some(VISIBILITY), attempt: None };
        let taken = take(&mut Unit::new(&self.connection), &names, &Room::default(), &request, self.now).unwrap();
        let allowed = self.allowed();
        let wanted = allowed.len().min(usize::try_from(max).unwrap());
        assert_eq!(taken.messages.len(), wanted, "all that may be received is, up to the maximum: {allowed:?}");
        let received: Vec<usize> = taken.messages.iter().map(|message| message.body.parse().unwrap()).collect();
        for &message in &received {
            assert!(allowed.contains(&message), "{message} is not among {allowed:?}");
        }
        if self.fifo {
            self.check_order(&received);
        }
        for (message, &index) in taken.messages.iter().zip(&received) {
            let modelled = &mut self.messages[index];
            modelled.receives += 1;
            assert_eq!(message.receive_count, modelled.receives);
            modelled.visible_from = self.now + VISIBILITY * SECOND;
            modelled.receive = Some(self.receives.len());
            let handle = Receipt { queue: taken.queue, message: message.id, nonce: message.nonce }.encode();
            self.receives.push((index, handle));
        }
    }

    /// What may be received now.
    fn allowed(&self) -> Vec<usize> {
        let visible = |message: &Modelled| !message.deleted && message.visible_from <= self.now;
        // By an earlier one of its group.
        let held_up = |index: usize, group: u8| {
            let hidden =
                |message: &Modelled| message.group == group && !message.deleted && message.visible_from > self.now;
            self.fifo && self.messages[..index].iter().any(hidden)
        };
        let all = self.messages.iter().enumerate();
        let allowed = all.filter(|(index, message)| visible(message) && !held_up(*index, message.group));
        allowed.map(|(index, _)| index).collect()
    }

    /// Of each group, what was received is its beginning, in order.
    fn check_order(&self, received: &[usize]) {
        for group in 0..3 {
            let of_group = |index: &usize| self.messages[*index].group == group;
            let taken: Vec<usize> = received.iter().copied().filter(of_group).collect();
            let left = self.messages.iter().enumerate().filter(|(_, message)| !message.deleted);
            let left: Vec<usize> = left.map(|(index, _)| index).filter(of_group).collect();
            assert_eq!(taken, left[..taken.len()], "group {group}");
        }
    }

    /// Whether the handle of a receive is the last one of a message that is hidden by it.
    fn holds(&self, receive: usize) -> bool {
        let message = &self.messages[self.receives[receive].0];
        !message.deleted && message.receive == Some(receive) && message.visible_from > self.now
    }

    fn delete(&mut self, receive: usize) {
        let (message, handle) = self.receives[receive].clone();
        let queue = existing_queue(&self.connection, name(self.fifo)).unwrap();
        let outcome = delete(&mut Unit::new(&self.connection), &queue, &handle, self.now);
        let holds = self.holds(receive);
        let modelled = &mut self.messages[message];
        if self.fifo {
            assert_eq!(outcome.is_ok(), holds || modelled.deleted);
            modelled.deleted |= holds;
        } else {
            outcome.unwrap();
            // Any handle deletes, also what is visible again.
            modelled.deleted = true;
        }
    }

    fn hide(&mut self, receive: usize, seconds: i64) {
        let (message, handle) = self.receives[receive].clone();
        let queue = existing_queue(&self.connection, name(self.fifo)).unwrap();
        let outcome = hide(&mut Unit::new(&self.connection), &queue, &handle, Some(seconds), self.now);
        let there = !self.messages[message].deleted;
        assert_eq!(outcome.is_ok(), if self.fifo { self.holds(receive) } else { there });
        if outcome.is_ok() {
            self.messages[message].visible_from = self.now + seconds * SECOND;
        }
    }

    fn check_counts(&self) {
        let queue = existing_queue(&self.connection, name(self.fifo)).unwrap();
        let counts = counts(&self.connection, &queue, self.now).unwrap();
        let count = |wanted: fn(&Modelled, Millis) -> bool| {
            let found = self.messages.iter().filter(|message| !message.deleted && wanted(message, self.now));
            i64::try_from(found.count()).unwrap()
        };
        assert_eq!(counts.visible, count(|message, now| message.visible_from <= now));
        assert_eq!(counts.in_flight, count(|message, now| message.visible_from > now && message.receive.is_some()));
        assert_eq!(counts.delayed, count(|message, now| message.visible_from > now && message.receive.is_none()));
    }
}

fn name(fifo: bool) -> &'static str {
    if fifo { "q.fifo" } else { "q" }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_standard_queue_hides_and_deletes_as_it_says(operations in prop::collection::vec(operation(), 1..60)) {
        let mut bench = Bench::new(false);
        for operation in &operations {
            bench.run(operation);
        }
    }

    #[test]
    fn a_fifo_queue_keeps_the_order_of_each_group(operations in prop::collection::vec(operation(), 1..60)) {
        let mut bench = Bench::new(true);
        for operation in &operations {
            bench.run(operation);
        }
    }
}
