//! Requests that are refused, each as RFC 9457 `application/problem+json`.

use std::io::Cursor;

use image::{DynamicImage, ImageFormat};
use reqwest::{Method, Response};
use serde_json::Value;

use crate::support::{Cloud, Database, Worker, photo};

const LIMIT: usize = 100_000;

async fn is_problem(answer: Response, status: u16, what: &str) -> Response {
    assert_eq!(answer.status().as_u16(), status, "{what}");
    assert_eq!(answer.headers()["content-type"], "application/problem+json", "{what}");
    assert_eq!(answer.headers()["x-content-type-options"], "nosniff", "{what}");
    let headers = answer.headers().clone();
    let body: Value = answer.json().await.unwrap();
    assert_eq!(body["status"], status, "{what}");
    for field in ["title", "detail"] {
        assert!(body[field].as_str().is_some_and(|text| !text.is_empty()), "{what}: {body}");
    }
    let mut rest = http::Response::new(String::new());
    *rest.headers_mut() = headers;
    rest.into()
}

/// Returns a small PNG whose header claims another size.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let mut file = Cursor::new(Vec::new());
    DynamicImage::new_rgb8(8, 8).write_to(&mut file, ImageFormat::Png).unwrap();
    let mut file = file.into_inner();
    file[16..20].copy_from_slice(&width.to_be_bytes());
    file[20..24].copy_from_slice(&height.to_be_bytes());
    let checksum = crc32(&file[12..29]);
    file[29..33].copy_from_slice(&checksum.to_be_bytes());
    file
}

fn crc32(data: &[u8]) -> u32 {
    !data.iter().fold(!0, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xEDB8_8320 } else { crc >> 1 })
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_taken_is_refused_and_leaves_nothing() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker =
        Worker::of("all", &cloud, &database).env("DECOUPLE_MAX_UPLOAD_BYTES", &LIMIT.to_string()).start().await;
    let client = worker.client();
    for (what, content) in [
        ("nothing", Vec::new()),
        ("text", b"hello, world".to_vec()),
        ("SVG", b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>".to_vec()),
        ("HTML", b"<!doctype html><script>alert(1)</script>".to_vec()),
        ("an icon", b"\0\0\x01\0\x01\0\x10\x10\0\0\x01\0\x20\0".to_vec()),
        ("random bytes", (0..5000_u32).map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes()[1]).collect()),
    ] {
        is_problem(client.upload(content).await, 415, what).await;
    }
    for (what, content) in [
        ("a JPEG of its first bytes alone", photo("rocket.jpg")[..20].to_vec()),
        ("a PNG of its signature alone", b"\x89PNG\r\n\x1a\n".to_vec()),
        ("a bomb", png_that_claims(50_000, 50_000)),
        ("a little over the limit", png_that_claims(10_001, 10_000)),
        ("no pixels", png_that_claims(0, 8)),
    ] {
        is_problem(client.upload(content).await, 422, what).await;
    }
    assert_eq!((database.rows().await, cloud.keys().await.len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_is_allowed_is_refused_whether_it_is_announced_or_not() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker =
        Worker::of("all", &cloud, &database).env("DECOUPLE_MAX_UPLOAD_BYTES", &LIMIT.to_string()).start().await;
    let client = worker.client();
    let post = || client.http.post(client.at("/images"));
    is_problem(post().body(vec![0; LIMIT + 1]).send().await.unwrap(), 413, "announced").await;
    let pieces = futures::stream::iter((0..=LIMIT / 1000).map(|_| Ok::<_, std::io::Error>(vec![0_u8; 1000])));
    let answer = post().body(reqwest::Body::wrap_stream(pieces)).send().await.unwrap();
    is_problem(answer, 413, "not announced").await;
    let part = reqwest::multipart::Part::bytes(vec![0; LIMIT + 1]).file_name("large.jpg");
    let form = reqwest::multipart::Form::new().part("file", part);
    is_problem(post().multipart(form).send().await.unwrap(), 413, "in a form").await;
    let form = reqwest::multipart::Form::new().text("name", "no file");
    is_problem(post().multipart(form).send().await.unwrap(), 400, "a form without a file").await;
    let part = || reqwest::multipart::Part::bytes(png_that_claims(8, 8)).file_name("cat.png");
    let form = reqwest::multipart::Form::new().part("one", part()).text("name", "no file").part("two", part());
    is_problem(post().multipart(form).send().await.unwrap(), 400, "a form of two files").await;
    assert_eq!((database.rows().await, cloud.keys().await.len()), (0, 0));
    assert_eq!(client.upload(vec![0; LIMIT]).await.status(), 415, "the limit itself is allowed");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_said_not_to_be() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    let client = worker.client();
    let nobody = "0192f1f0-0000-7000-8000-000000000000";
    for path in [
        "/nowhere".to_owned(),
        "/images/".to_owned(),
        "/images/x".to_owned(),
        "/images/%00".to_owned(),
        "/images/%ff".to_owned(),
        "/images/%ff/original".to_owned(),
        "/images/..%2f..%2fetc%2fpasswd".to_owned(),
        format!("/images/{nobody}"),
        format!("/images/{nobody}/original"),
        format!("/images/{nobody}/renditions/480"),
        format!("/images/{nobody}/renditions/wide"),
    ] {
        is_problem(client.get(&path).await, 404, &path).await;
    }
    for (method, path) in [(Method::PUT, "/images"), (Method::POST, "/"), (Method::PATCH, "/images/x")] {
        let what = format!("{method} {path}");
        let answer = client.http.request(method, client.at(path)).send().await.unwrap();
        let answer = is_problem(answer, 405, &what).await;
        assert!(answer.headers().contains_key("allow"), "{what}");
    }
    is_problem(client.get("/images?limit=many").await, 400, "a limit that is no number").await;
    is_problem(client.get("/images?cursor=1-%00").await, 400, "a cursor that is none").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consumer_serves_no_site() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let worker = Worker::consumer("process", &cloud, &database, &queue).await;
    for path in ["/", "/images", "/app.js"] {
        is_problem(worker.client().get(path).await, 404, path).await;
    }
    assert_eq!(worker.client().get("/metrics").await.status(), 200);
}
