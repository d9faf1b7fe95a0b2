//! A client of the site.

use reqwest::{Response, StatusCode};
use serde_json::Value;

use super::eventually;

#[derive(Clone)]
pub(crate) struct Client {
    pub(crate) http: reqwest::Client,
    url: String,
}

impl Client {
    pub(crate) fn new(url: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { http, url: url.to_owned() }
    }

    pub(crate) fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url)
    }

    pub(crate) async fn try_get(&self, path: &str) -> Option<Response> {
        self.http.get(self.at(path)).send().await.ok()
    }

    pub(crate) async fn get(&self, path: &str) -> Response {
        self.http.get(self.at(path)).send().await.unwrap()
    }

    pub(crate) async fn json(&self, path: &str) -> Value {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), 200, "{path}");
        answer.json().await.unwrap()
    }

    pub(crate) async fn upload(&self, content: Vec<u8>) -> Response {
        self.http.post(self.at("/images")).body(content).send().await.unwrap()
    }

    /// Uploads a photo that must be accepted, and returns its record.
    pub(crate) async fn accepted(&self, content: Vec<u8>) -> Value {
        let answer = self.upload(content).await;
        let status = answer.status();
        let record: Value = answer.json().await.unwrap();
        assert!(matches!(status, StatusCode::CREATED | StatusCode::ACCEPTED), "{status} {record}");
        record
    }

    /// Waits until both parts of a photo have come to an end.
    pub(crate) async fn settled(&self, id: &str) -> Value {
        eventually("both parts of the photo end", async || {
            let record = self.json(&format!("/images/{id}")).await;
            (record["resize"]["state"] != "pending" && record["tag"]["state"] != "pending").then_some(record)
        })
        .await
    }

    /// Returns the ids of the photos that a search finds.
    pub(crate) async fn found(&self, query: &str) -> Vec<String> {
        let page = self.json(&format!("/images?q={query}")).await;
        page["images"].as_array().unwrap().iter().map(id).collect()
    }

    /// Returns how many faults of something the worker has counted.
    pub(crate) async fn errors(&self, what: &str) -> u64 {
        let metrics = self.get("/metrics").await.text().await.unwrap();
        let counts = metrics.lines().filter(|line| line.starts_with("decouple_errors_total{"));
        let count =
            counts.filter(|line| line.contains(&format!("what=\"{what}\""))).find_map(|line| line.rsplit(' ').next());
        count.map_or(0, |count| count.parse().unwrap())
    }

    pub(crate) async fn delete(&self, id: &str) -> StatusCode {
        self.http.delete(self.at(&format!("/images/{id}"))).send().await.unwrap().status()
    }
}

/// Returns a record's id.
pub(crate) fn id(record: &Value) -> String {
    record["id"].as_str().unwrap_or_else(|| panic!("there is no id in {record}")).to_owned()
}
