//! Uploads of every size and shape arrive whole, and large ones take no memory to speak of.

use std::{
    io::Cursor,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{SinkExt as _, channel::mpsc, future::join_all};
use image::{ImageFormat, RgbImage};
use reqwest::{Body, multipart};
use serde_json::Value;

use crate::support::{
    Client, Cloud, Database, Deed, Operation, Proxy, Worker, crafted, eventually, id, on_both_catalogs, photo,
    processes::{Process, megabytes},
};

on_both_catalogs!(one_key_is_one_photo);

fn tiff() -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    RgbImage::new(1200, 1000).write_to(&mut file, ImageFormat::Tiff).unwrap();
    file.into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_way_to_send_a_photo_stores_the_same_bytes() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    for file in [photo("cat.png"), crafted::noise(1500), tiff()] {
        let post = || client.http.post(client.at("/images"));
        let pieces: Vec<_> = file.chunks(50_000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        let unannounced = Body::wrap_stream(futures::stream::iter(pieces));
        let part = multipart::Part::bytes(file.clone()).file_name("a.jpg");
        let requests = [
            post().body(file.clone()),
            post().body(unannounced),
            post().multipart(multipart::Form::new().part("f", part)),
        ];
        for request in requests {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), 202);
            let record = answer.json().await.unwrap();
            let stored = client.get(&format!("/images/{}/original", id(&record))).await.bytes().await.unwrap();
            assert!(stored == file, "{record}");
            assert_eq!(record["bytes"], file.len(), "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_is_refused_early_is_answered_all_the_same() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    for _ in 0..3 {
        assert_eq!(client.upload(vec![b'a'; 20_000_000]).await.status(), 415);
    }
    let huge = [crafted::png_that_claims(50_000, 50_000), vec![0; 10_000_000]].concat();
    assert_eq!(client.upload(huge).await.status(), 422);
    let again = || client.http.post(client.at("/images")).header("idempotency-key", "k").body(crafted::noise(1500));
    let first: Value = again().send().await.unwrap().json().await.unwrap();
    let second: Value = again().send().await.unwrap().json().await.unwrap();
    assert_eq!(id(&first), id(&second));
    assert_eq!(database.rows().await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_whose_record_is_gone_is_not_accepted() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let post = || client.http.post(client.at("/images")).header("idempotency-key", "k").body(photo("cat.png")).send();
    database.lose_new_photos().await;
    let refused = post().await.unwrap();
    assert_eq!((refused.status().as_u16(), refused.headers().contains_key("retry-after")), (503, true));
    database.keep_new_photos().await;
    let accepted = post().await.unwrap();
    assert_eq!(accepted.status(), 202);
    let stored = client.get(&format!("/images/{}/original", id(&accepted.json().await.unwrap()))).await;
    assert_eq!(stored.bytes().await.unwrap(), photo("cat.png"));
}

async fn one_key_is_one_photo(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let post = async |key: &str, content: Vec<u8>| {
        let post = client.http.post(client.at("/images")).header("idempotency-key", key);
        let answer = post.body(content).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    let original = async |record: &Value| {
        client.get(&format!("/images/{}/original", id(record))).await.bytes().await.unwrap().to_vec()
    };
    let photos = [photo("cat.png"), photo("coffee.png")];
    let (status, first) = post("k", photos[0].clone()).await;
    assert_eq!((status, post("k", photos[0].clone()).await), (202, (202, first.clone())));
    assert_eq!(post("k", photos[1].clone()).await.0, 422);
    assert!(original(&first).await == photos[0]);
    // Whether it is held whole or passed on as it comes: what differs in its last byte alone is another photo.
    for (key, content) in [("held", photo("cat.png")), ("passed on", crafted::noise(1500))] {
        let [one, other] = [1, 2].map(|last| [&content[..], &[last]].concat());
        assert_eq!((post(key, one.clone()).await.0, post(key, one.clone()).await.0), (202, 202), "{key}");
        assert_eq!(post(key, other).await.0, 422, "{key}");
        assert!(original(&post(key, one.clone()).await.1).await == one, "{key}");
    }
    // Once it is removed, another may have its key, and with that its address.
    assert_eq!(post("again", photos[0].clone()).await.0, 202);
    let before = post("again", photos[0].clone()).await.1;
    let shown = client.get(&format!("/images/{}/original", id(&before))).await;
    assert_eq!(shown.headers()["cache-control"], "private, no-cache");
    let etag = shown.headers()["etag"].clone();
    assert_eq!(client.delete(&id(&before)).await, 204);
    assert_eq!(id(&post("again", photos[1].clone()).await.1), id(&before));
    let get = client.http.get(client.at(&format!("/images/{}/original", id(&before)))).header("if-none-match", etag);
    assert!(get.send().await.unwrap().bytes().await.unwrap() == photos[1]);
    assert_ne!(id(&post("", photos[0].clone()).await.1), id(&post("", photos[0].clone()).await.1));

    for key in ["a", "b", "c"] {
        let answers = join_all((0..8).map(|number| post(key, photos[number % 2].clone()))).await;
        let accepted: Vec<&Value> =
            answers.iter().filter(|(status, _)| *status == 202).map(|(_, record)| record).collect();
        let stored = original(accepted[0]).await;
        assert!(photos.contains(&stored));
        assert!(accepted.iter().all(|record| record["bytes"] == stored.len() && id(record) == id(accepted[0])));
        assert!(answers.iter().all(|(status, _)| [202, 422].contains(status)), "{answers:?}");
    }
    assert_eq!(database.rows().await, 9);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_that_pauses_goes_on() {
    // More than the SDK's own patience with what it stores, and less than the worker's with its senders.
    const PAUSE: Duration = Duration::from_secs(7);
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let large = crafted::noise(1500);
    let (first, rest) = large.split_at(large.len() - 1000);
    let (mut sender, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(0);
    let post = client.http.post(client.at("/images")).header("content-length", large.len().to_string());
    let uploading = tokio::spawn(post.body(Body::wrap_stream(body)).send());
    sender.send(Ok(Bytes::copy_from_slice(first))).await.unwrap();
    let begun = Instant::now();
    eventually("the sender goes on", async || (begun.elapsed() > PAUSE).then_some(())).await;
    sender.send(Ok(Bytes::copy_from_slice(rest))).await.unwrap();
    drop(sender);
    let answer = uploading.await.unwrap().unwrap();
    assert_eq!(answer.status(), 202);
    let stored = client.get(&format!("/images/{}/original", id(&answer.json().await.unwrap()))).await;
    assert!(stored.bytes().await.unwrap() == large);
}

#[tokio::test(flavor = "multi_thread")]
async fn large_uploads_are_not_held_in_memory() {
    const AT_ONCE: usize = 10;
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    let large = crafted::noise(4400);
    assert!(large.len() > 18_000_000);
    client.accepted(photo("cat.png")).await;
    let before = Process::of(&web).peak();
    let uploads = join_all((0..AT_ONCE).map(|_| client.accepted(large.clone()))).await;
    let part = multipart::Part::bytes(large.clone()).file_name("a.png");
    let form = client.http.post(client.at("/images")).multipart(multipart::Form::new().part("file", part));
    assert_eq!(form.send().await.unwrap().status(), 202);
    let more = Process::of(&web).peak() - before;
    assert!(more < megabytes(80), "{more} KiB for {AT_ONCE} uploads of {} bytes at once", large.len());
    assert_eq!(uploads[0]["width"], 4400);
}

#[tokio::test(flavor = "multi_thread")]
async fn very_many_uploads_that_have_begun_take_no_more_memory_than_some() {
    const AT_ONCE: usize = 300;
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let web = Worker::web(&cloud, &database, &queue).await;
    let client = web.client();
    client.accepted(photo("cat.png")).await;
    let before = Process::of(&web).peak();
    // Just less than what is held of each, and no end.
    let begun = Bytes::from(crafted::noise(1000)).slice(..900_000);
    let mut uploads = Vec::new();
    for _ in 0..AT_ONCE {
        let (mut sender, body) = mpsc::channel::<Result<Bytes, std::io::Error>>(0);
        let post = client.http.post(client.at("/images")).header("content-length", "2000000");
        uploads.push((tokio::spawn(post.body(Body::wrap_stream(body)).send()), {
            sender.send(Ok(begun.clone())).await.unwrap();
            sender
        }));
    }
    eventually("all of them are under way", async || {
        let metrics = client.get("/metrics").await.text().await.unwrap();
        metrics.contains(&format!("what=\"request\"}} {}", AT_ONCE + 1)).then_some(())
    })
    .await;
    let more = Process::of(&web).peak() - before;
    assert!(more < megabytes(200), "{more} KiB for {AT_ONCE} uploads that have begun");
    assert_eq!(client.upload(photo("cat.png")).await.status(), 202);
}

#[tokio::test(flavor = "multi_thread")]
async fn photos_that_wait_for_their_turn_are_not_held_in_memory() {
    const AT_ONCE: usize = 20;
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let all = Worker::all(&cloud, &database).await;
    let client = all.client();
    let large = crafted::noise(4400);
    client.accepted(photo("cat.png")).await;
    let before = Process::of(&all).peak();
    join_all((0..AT_ONCE).map(|_| client.accepted(large.clone()))).await;
    let more = Process::of(&all).peak() - before;
    let worked_on = std::thread::available_parallelism().unwrap().get() as u64 * 2;
    // Beside them: what is passed on of the uploads, and a second session of the model.
    let most = megabytes(100 + worked_on * 20);
    assert!(more < most, "{more} KiB for {AT_ONCE} photos of {} bytes", large.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_would_wait_too_long_for_a_turn_is_told_that_the_photo_is_done_later() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let proxy = Proxy::start(&cloud.url(), Deed::Swallow, Operation::fetches_an_original).await;
    let all = Worker::of("all", &cloud, &database).env("AWS_ENDPOINT_URL", proxy.url()).start().await;
    let client = all.client();
    let turns = std::thread::available_parallelism().unwrap().get() * 2;
    let upload = |client: Client| async move { client.upload(photo("cat.png")).await };
    let begun = tokio::spawn(join_all((0..turns).map(|_| upload(client.clone()))));
    eventually("as many are worked on as may be", async || {
        let metrics = client.get("/metrics").await.text().await.unwrap();
        metrics.contains(&format!("what=\"job\"}} {turns}")).then_some(())
    })
    .await;
    let answer = client.upload(photo("coffee.png")).await;
    assert_eq!(answer.status(), 202);
    assert!(!begun.is_finished());
    let record: Value = answer.json().await.unwrap();
    assert_eq!(record["resize"]["state"], "pending");
    proxy.relent();
    eventually("it is done", async || {
        // A photo is left for a while to whoever received it.
        database.let_an_hour_pass().await;
        let record = client.json(&format!("/images/{}", id(&record))).await;
        (record["resize"]["state"] == "done").then_some(())
    })
    .await;
    begun.await.unwrap();
}
