//! The site as browsers and programs use it: files, pages of photos, the gallery, health and metrics.

use std::collections::BTreeSet;

use reqwest::header::{IF_NONE_MATCH, IF_RANGE, RANGE};
use serde_json::Value;

use crate::support::{Cloud, Database, Worker, id, on_both_catalogs, photo};

on_both_catalogs!(pages_hold_every_photo_once_the_newest_first);

#[tokio::test(flavor = "multi_thread")]
async fn files_are_cacheable_and_come_in_ranges() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    let client = worker.client();
    let cat = photo("cat.png");
    let record = client.accepted(cat.clone()).await;
    let original = format!("/images/{}/original", id(&record));
    let rendition = record["resize"]["renditions"][0]["url"].as_str().unwrap().to_owned();
    for path in [&original, &rendition] {
        let whole = client.get(path).await;
        assert_eq!(whole.status(), 200);
        let headers = whole.headers().clone();
        assert!(headers["cache-control"].to_str().unwrap().contains("immutable"));
        assert_eq!(headers["accept-ranges"], "bytes");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let etag = headers["etag"].clone();
        let content = whole.bytes().await.unwrap();
        let ask = |name, value: &str| client.http.get(client.at(path)).header(name, value).send();

        let known = ask(IF_NONE_MATCH, etag.to_str().unwrap()).await.unwrap();
        assert_eq!((known.status().as_u16(), known.headers().get("etag")), (304, Some(&etag)));
        assert_eq!(ask(IF_NONE_MATCH, "*").await.unwrap().status(), 304);
        let weak = format!("W/{}", etag.to_str().unwrap());
        assert_eq!(ask(IF_NONE_MATCH, &weak).await.unwrap().status(), 304);
        assert_eq!(ask(IF_NONE_MATCH, "\"other\"").await.unwrap().status(), 200);

        let last = content.len() - 1;
        for (range, from, to) in [
            ("bytes=0-9", 0, 9),
            ("bytes=100-", 100, last),
            ("bytes=-7", last - 6, last),
            ("bytes=5-999999999", 5, last),
            ("Bytes=5-99999999999999999999999999", 5, last),
        ] {
            let part = ask(RANGE, range).await.unwrap();
            assert_eq!(part.status(), 206, "{range}");
            let expected = format!("bytes {from}-{to}/{}", content.len());
            assert_eq!(part.headers()["content-range"], expected.as_str(), "{range}");
            assert_eq!(part.bytes().await.unwrap(), content[from..=to], "{range}");
        }
        let beyond = ask(RANGE, "bytes=999999999-").await.unwrap();
        assert_eq!(beyond.status(), 416);
        assert_eq!(beyond.headers()["content-type"], "application/problem+json");
        assert_eq!(beyond.headers()["content-range"], format!("bytes */{}", content.len()).as_str());
        // Who has it needs no part of it, whatever part that is.
        for range in ["bytes=0-9", "bytes=999999999-"] {
            let known = client.http.get(client.at(path)).header(IF_NONE_MATCH, &etag).header(RANGE, range);
            assert_eq!(known.send().await.unwrap().status(), 304, "{range}");
        }
        let head = client.http.head(client.at(path)).header(RANGE, "bytes=0-9").send().await.unwrap();
        assert_eq!(
            (head.status().as_u16(), head.headers()["content-length"].to_str().unwrap()),
            (200, content.len().to_string().as_str())
        );
    }
    assert_eq!(client.get(&original).await.bytes().await.unwrap(), cat);
    assert_eq!(client.get(&format!("/images/{}/renditions/161", id(&record))).await.status(), 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_an_unknown_unit_is_passed_over() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let worker = Worker::web(&cloud, &database, &queue).await;
    let client = worker.client();
    let path = format!("/images/{}/original", id(&client.accepted(photo("cat.png")).await));
    for range in ["lines=1-2", "bytes=a-b", "nonsense"] {
        let answer = client.http.get(client.at(&path)).header(RANGE, range).send().await.unwrap();
        assert_eq!(answer.status(), 200, "{range}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_something_else_gives_the_whole() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let worker = Worker::web(&cloud, &database, &queue).await;
    let client = worker.client();
    let path = format!("/images/{}/original", id(&client.accepted(photo("cat.png")).await));
    let etag = client.get(&path).await.headers()["etag"].clone();
    for (known, status) in [(etag.to_str().unwrap(), 206), ("\"other\"", 200)] {
        let asked = client.http.get(client.at(&path)).header(RANGE, "bytes=0-9").header(IF_RANGE, known);
        assert_eq!(asked.send().await.unwrap().status(), status, "{known}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_without_a_word_finds_nothing() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    let client = worker.client();
    client.accepted(photo("cat.png")).await;
    for query in ["%25", "_", "..."] {
        assert_eq!(client.found(query).await, [""; 0], "{query}");
    }
    assert_eq!(client.found("").await.len(), 1, "no query at all finds everything");
}

#[tokio::test(flavor = "multi_thread")]
async fn names_are_kept_and_never_trusted() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let worker = Worker::web(&cloud, &database, &queue).await;
    let client = worker.client();
    let post = |path: &str| client.http.post(client.at(path)).body(photo("rocket.jpg"));
    for (request, name) in [
        (post("/images"), "photo"),
        (post("/images?filename=my%20rocket.jpg"), "my rocket.jpg"),
        (post("/images").header("x-filename", "caf%C3%A9.jpg"), "café.jpg"),
        (post("/images").header("content-disposition", "attachment; filename=\"a b.jpg\""), "a b.jpg"),
        (post("/images").header("x-filename", "..%2F..%2Fetc%2Fpasswd"), "passwd"),
        (post("/images").header("x-filename", "<script>.html").header("content-type", "text/html"), "<script>.html"),
    ] {
        let record: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(record["filename"], name);
        assert_eq!(record["content_type"], "image/jpeg", "content decides");
        let served = client.get(&format!("/images/{}/original", id(&record))).await;
        assert_eq!(served.headers()["content-type"], "image/jpeg");
        let disposition = served.headers()["content-disposition"].to_str().unwrap();
        assert!(disposition.starts_with("inline; filename*=UTF-8''"), "{disposition}");
        assert!(!disposition.contains('<') && !disposition.contains('"'), "{disposition}");
    }
    let part = reqwest::multipart::Part::bytes(photo("cat.png")).file_name("Mein Kätzchen.png");
    let form = reqwest::multipart::Form::new().text("comment", "first").part("file", part);
    let answer = client.http.post(client.at("/images")).multipart(form).send().await.unwrap();
    assert_eq!(answer.status(), 202);
    let record: Value = answer.json().await.unwrap();
    assert_eq!((&record["filename"], &record["content_type"]), (&"Mein Kätzchen.png".into(), &"image/png".into()));
    assert_eq!((&record["bytes"], &record["width"]), (&photo("cat.png").len().into(), &451.into()));
    assert_eq!(record["resize"], serde_json::json!({"state": "pending", "renditions": []}));
    assert_eq!(record["tag"], serde_json::json!({"state": "pending", "tags": []}));
}

async fn pages_hold_every_photo_once_the_newest_first(database: Database) {
    let cloud = Cloud::start().await;
    let queue = cloud.queue("process", 5).await;
    let worker = Worker::web(&cloud, &database, &queue).await;
    let client = worker.client();
    let mut ids = Vec::new();
    for _ in 0..7 {
        ids.push(id(&client.accepted(photo("rocket.jpg")).await));
    }
    ids.reverse();
    let mut seen = Vec::new();
    let mut path = "/images?limit=3".to_owned();
    loop {
        let page = client.json(&path).await;
        seen.extend(page["images"].as_array().unwrap().iter().map(id));
        let Some(next) = page["next"].as_str() else {
            assert!(page["next"].is_null());
            break;
        };
        path = format!("/images?limit=3&cursor={next}");
    }
    assert_eq!(seen, ids);
    let page = client.json("/images?limit=7").await;
    assert!(page["next"].is_null(), "a full last page has no next one");
    assert_eq!(client.found("rocket").await, [""; 0], "what was not tagged yet is not found");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gallery_loads_nothing_from_elsewhere_and_runs_nothing_inline() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let queue = cloud.queue("process", 5).await;
    let worker = Worker::web(&cloud, &database, &queue).await;
    let client = worker.client();
    for (path, kind) in [("/", "text/html"), ("/app.js", "text/javascript"), ("/style.css", "text/css")] {
        let answer = client.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        let headers = answer.headers();
        assert!(headers["content-type"].to_str().unwrap().starts_with(kind), "{path}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'self'") && !policy.contains("unsafe"), "{policy}");
    }
    let page = client.get("/").await.text().await.unwrap();
    assert!(!page.contains("<style") && !page.contains(" onclick="));
    // Whatever the page itself loads is there.
    let loaded = ["src=\"", "href=\""].iter().flat_map(|attribute| page.split(attribute).skip(1));
    let loaded: BTreeSet<&str> = loaded.filter_map(|rest| rest.split('"').next()).collect();
    assert!(loaded.contains("/app.js") && loaded.contains("/style.css"), "{loaded:?}");
    for path in loaded.into_iter().filter(|path| !path.starts_with('#')) {
        assert!(path.starts_with('/'), "{path}");
        assert_eq!(client.get(path).await.status(), 200, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn health_and_metrics_tell_what_goes_on() {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let worker = Worker::all(&cloud, &database).await;
    let client = worker.client();
    let health = client.json("/healthz").await;
    assert_eq!((&health["status"], &health["role"]), (&"ok".into(), &"all".into()), "{health}");
    client.accepted(photo("cat.png")).await;
    client.get("/nowhere").await;
    let metrics = client.get("/metrics").await;
    assert!(metrics.headers()["content-type"].to_str().unwrap().starts_with("text/plain"));
    let metrics = metrics.text().await.unwrap();
    for part in ["status=\"404\"", "status=\"201\"", "kind=\"resize\"", "kind=\"tag\"", "outcome=\"done\""] {
        assert!(metrics.contains(part), "{part} in\n{metrics}");
    }
    for line in metrics.lines().filter(|line| !line.starts_with('#')) {
        let value = line.rsplit(' ').next().unwrap();
        assert!(value.parse::<f64>().is_ok(), "{line}");
    }
}
