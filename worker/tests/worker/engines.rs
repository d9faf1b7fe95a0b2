//! Both engines see the same things, and the worker says which one it has.

use serde_json::Value;

use crate::support::{Cloud, Database, Worker, photo};

/// Photos, the first class that ONNX Runtime gives from Python with Pillow's bicubic resize, and its score.
///
/// The rocket is in Adobe RGB, so what is compared with it must be converted too; and it is nothing that the model knows, so that
/// its score hangs on roundings, which give an even night sky a grain: made of the same size in floating point it is 0.22,
/// and by Pillow, which rounds after each step, 0.285. Ours rounds less often and lies between.
const PHOTOS: [(&str, &str, f64); 4] = [
    ("cat.png", "tiger cat", 0.39),
    ("coffee.png", "espresso", 0.95),
    ("photographer.png", "tripod", 0.94),
    ("rocket.jpg", "missile", 0.25),
];
/// How far off a score may be.
const OFF: f64 = 0.015;

async fn tags(library: Option<&str>) -> (Value, Vec<Value>) {
    let (cloud, database) = (Cloud::start().await, Database::sqlite());
    let mut worker = Worker::of("all", &cloud, &database);
    if let Some(library) = library {
        worker = worker.env("ORT_DYLIB_PATH", library);
    }
    let worker = worker.start().await;
    let mut seen = Vec::new();
    for (name, ..) in PHOTOS {
        seen.push(worker.client().accepted(photo(name)).await["tag"]["tags"].clone());
    }
    (worker.client().json("/healthz").await, seen)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_engines_see_the_same() {
    let (health, faster) = tags(None).await;
    let engine = health["engine"].as_str().unwrap_or_default().to_lowercase().replace(' ', "");
    assert_eq!(engine, "onnxruntime", "ONNX Runtime's library is missing: run scripts/setup onnxruntime; {health}");
    let (health, slower) = tags(Some("/nowhere/libonnxruntime.so")).await;
    assert_eq!(health["engine"], "RTen", "{health}");
    for (((name, label, score), faster), slower) in PHOTOS.into_iter().zip(&faster).zip(&slower) {
        let found = |tags: &Value| {
            let tags = tags.as_array().unwrap();
            let tag = tags.iter().find(|tag| tag["label"] == label);
            tag.unwrap_or_else(|| panic!("{name}: no {label} in {tags:?}"))["score"].as_f64().unwrap()
        };
        assert!((found(faster) - score).abs() < OFF, "{name}: {label} in {faster}");
        assert!((found(faster) - found(slower)).abs() < 0.002, "{name}: {faster} {slower}");
        let labels = |tags: &Value| tags.as_array().unwrap().iter().map(|tag| tag["label"].clone()).collect::<Vec<_>>();
        assert_eq!(labels(faster), labels(slower), "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_library_that_is_none_stops_nobody() {
    let (_, seen) = tags(Some("/etc/passwd")).await;
    assert_eq!(seen[0][0]["label"], "cat");
}
