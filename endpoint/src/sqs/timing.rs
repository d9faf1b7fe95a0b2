//! What time does to messages, with a clock that stands where a test puts it.

use rusqlite::Connection;

use crate::{
    clock::{Millis, SECOND},
    json::Json,
    names::Names,
    store::{Unit, in_memory},
};

use super::{
    attributes::{AttributeMap, QueueAttributes, REDRIVE},
    error::SqsError,
    handles::hide,
    receipt::Receipt,
    room::Room,
    rows::{Counts, NewMessage, counts, enqueue, existing_queue},
    take::{Request, Taken, give_back, take},
};

const START: Millis = 1_000_000_000_000;
const DAY: Millis = 24 * 60 * 60 * SECOND;

fn names() -> Names {
    Names { region: "us-east-1".into(), account: "000000000000".into() }
}

fn with_queue(connection: &Connection, name: &str, attributes: &[(&str, &str)]) {
    let given: AttributeMap = attributes.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
    let mut attributes = QueueAttributes::default();
    attributes.set(&given, name.rsplit_once('.').is_some_and(|(_, kind)| kind == "fifo")).unwrap();
    let sql = "INSERT INTO queue (name, created_ms, modified_ms, attributes, tags) VALUES (?1, ?2, ?2, ?3, '{}')";
    connection.execute(sql, rusqlite::params![name, START, Json(&attributes)]).unwrap();
}

fn send(connection: &Connection, name: &str, delay: Option<i64>, now: Millis) {
    let queue = existing_queue(connection, name).unwrap();
    let message = NewMessage { body: "x".into(), sender: "me".into(), delay, ..NewMessage::default() };
    enqueue(&mut Unit::new(connection), &queue, &message, now).unwrap();
}

fn receive(connection: &Connection, name: &str, now: Millis) -> Taken {
    let request = Request { queue: name.into(), max: 10, visibility: None, attempt: None };
    take(&mut Unit::new(connection), &names(), &Room::default(), &request, now).unwrap()
}

fn count(connection: &Connection, name: &str, now: Millis) -> Counts {
    counts(connection, &existing_queue(connection, name).unwrap(), now).unwrap()
}

#[test]
fn a_delayed_message_comes_at_its_time() {
    let connection = in_memory();
    with_queue(&connection, "q", &[("DelaySeconds", "5")]);
    send(&connection, "q", None, START);
    send(&connection, "q", Some(0), START);
    let first = receive(&connection, "q", START);
    assert_eq!(first.messages.len(), 1);
    let counted = count(&connection, "q", START);
    assert_eq!((counted.visible, counted.in_flight, counted.delayed), (0, 1, 1));
    let waiting = receive(&connection, "q", START + 5 * SECOND - 1);
    assert_eq!((waiting.messages.len(), waiting.next_visible), (0, Some(START + 5 * SECOND)));
    assert_eq!(receive(&connection, "q", START + 5 * SECOND).messages.len(), 1);
}

#[test]
fn a_message_is_hidden_for_its_timeout_and_then_a_dead_letter() {
    let connection = in_memory();
    with_queue(&connection, "dead", &[]);
    let policy = format!(r#"{{"deadLetterTargetArn":"{}","maxReceiveCount":2}}"#, names().queue_arn("dead"));
    with_queue(&connection, "q", &[("VisibilityTimeout", "30"), (REDRIVE, &policy)]);
    send(&connection, "q", None, START);
    assert_eq!(receive(&connection, "q", START).messages[0].receive_count, 1);
    assert!(receive(&connection, "q", START + 30 * SECOND - 1).messages.is_empty());
    assert_eq!(receive(&connection, "q", START + 30 * SECOND).messages[0].receive_count, 2);
    assert!(receive(&connection, "q", START + 60 * SECOND).messages.is_empty());
    let dead = receive(&connection, "dead", START + 60 * SECOND);
    // It keeps the time that it was sent, and with it its age.
    assert_eq!((dead.messages[0].sent, dead.messages[0].receive_count), (START, 3));
    assert_eq!(count(&connection, "q", START + 60 * SECOND), Counts::default());
}

#[test]
fn messages_are_kept_as_long_as_the_queue_says() {
    let connection = in_memory();
    with_queue(&connection, "q", &[]);
    send(&connection, "q", None, START);
    assert_eq!(count(&connection, "q", START + 4 * DAY - 1).visible, 1);
    assert_eq!(count(&connection, "q", START + 4 * DAY), Counts::default());
    assert!(receive(&connection, "q", START + 4 * DAY).messages.is_empty());
}

#[test]
fn what_is_given_back_was_never_received() {
    let connection = in_memory();
    with_queue(&connection, "q", &[]);
    send(&connection, "q", None, START);
    let taken = receive(&connection, "q", START);
    let receipts = [(taken.messages[0].id, taken.messages[0].nonce)];
    give_back(&mut Unit::new(&connection), taken.queue, false, &receipts).unwrap();
    assert_eq!(receive(&connection, "q", START + 1).messages[0].receive_count, 1);
    // The old receipt gives nothing back any more.
    give_back(&mut Unit::new(&connection), taken.queue, false, &receipts).unwrap();
    assert!(receive(&connection, "q", START + 2).messages.is_empty());
}

#[test]
fn a_message_is_hidden_for_twelve_hours_at_most() {
    let connection = in_memory();
    with_queue(&connection, "q", &[]);
    send(&connection, "q", None, START);
    let taken = receive(&connection, "q", START);
    let queue = existing_queue(&connection, "q").unwrap();
    let handle = Receipt { queue: taken.queue, message: taken.messages[0].id, nonce: taken.messages[0].nonce }.encode();
    let hide_at = |seconds, now| hide(&mut Unit::new(&connection), &queue, &handle, Some(seconds), now);
    assert!(hide_at(43_200, START).is_ok());
    assert!(matches!(hide_at(43_200, START + 1), Err(SqsError::InvalidParameter { .. })));
    assert!(hide_at(60, START + 1).is_ok());
    // Late, but nobody received it since: it is hidden again.
    assert!(hide_at(60, START + 60 * SECOND + 1).is_ok());
    assert!(receive(&connection, "q", START + 61 * SECOND).messages.is_empty());
    assert_eq!(receive(&connection, "q", START + 121 * SECOND).messages.len(), 1);
    // By an older handle than the last, too.
    assert!(hide_at(0, START + 122 * SECOND).is_ok());
    assert_eq!(receive(&connection, "q", START + 122 * SECOND).messages.len(), 1);
    let other = existing_queue(&connection, "missing");
    assert!(matches!(other, Err(SqsError::QueueDoesNotExist(_))));
}

#[test]
fn only_so_many_messages_are_in_flight() {
    let connection = in_memory();
    with_queue(&connection, "q", &[]);
    let sql = "INSERT INTO message (queue_id, message_id, body, attributes, sender, sent_ms, visible_ms, receipt) \
               WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1) \
               SELECT 1, i, 'x', '{}', 'me', ?2, ?2 + 1000, 1 FROM n";
    connection.execute(sql, [119_999, START]).unwrap();
    send(&connection, "q", None, START);
    send(&connection, "q", None, START);
    let request = Request { queue: "q".into(), max: 1, visibility: None, attempt: None };
    let room = Room::default();
    let take_at = |now| take(&mut Unit::new(&connection), &names(), &room, &request, now);
    assert_eq!(take_at(START).unwrap().messages.len(), 1);
    assert!(matches!(take_at(START), Err(SqsError::OverLimit(_))));
    // All but one are visible again.
    assert_eq!(take_at(START + SECOND).unwrap().messages.len(), 1);
}

#[test]
fn a_queue_that_keeps_an_order_may_delay_all_of_it() {
    let connection = in_memory();
    with_queue(
        &connection,
        "q.fifo",
        &[("FifoQueue", "true"), ("DelaySeconds", "5"), ("MessageRetentionPeriod", "60")],
    );
    for number in 0..3 {
        let queue = existing_queue(&connection, "q.fifo").unwrap();
        let message = NewMessage { body: number.to_string(), group: Some("g".into()), ..NewMessage::default() };
        enqueue(&mut Unit::new(&connection), &queue, &message, START + number * SECOND).unwrap();
    }
    let waiting = receive(&connection, "q.fifo", START + 4 * SECOND);
    assert_eq!((waiting.messages.len(), waiting.next_visible), (0, Some(START + 5 * SECOND)));
    // The first two are visible, and the last is not yet.
    assert_eq!(receive(&connection, "q.fifo", START + 6 * SECOND).messages.len(), 2);
    // What grew old while it was in flight no longer holds up the last.
    let left = receive(&connection, "q.fifo", START + 61 * SECOND);
    assert_eq!(left.messages.iter().map(|message| message.body.as_str()).collect::<Vec<_>>(), ["2"]);
}
