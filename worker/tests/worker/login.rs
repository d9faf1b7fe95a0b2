//! A database whose login is kept by Secrets Manager, and rotated while workers run.

use std::sync::{Arc, Mutex};

use axum::{Json, Router, routing::post};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::support::{Cloud, Database, Worker, eventually, id, photo};

const ARN: &str = "arn:aws:secretsmanager:us-east-1:000000000000:secret:rds!db-1";

/// A Secrets Manager with one secret, whose password can be changed. Returns its URL.
async fn secrets(password: Arc<Mutex<&'static str>>) -> String {
    let answer = move || async move {
        let login = json!({ "username": "app", "password": *password.lock().unwrap() });
        Json::<Value>(json!({ "ARN": ARN, "Name": "rds!db-1", "SecretString": login.to_string() }))
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/", post(answer))).await });
    url
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_login_is_read_again() {
    let (cloud, database) = (Cloud::start().await, Database::postgres().await);
    // Characters that a URL would take for its own.
    let (first, second) = ("p@ss/1:%", "p#ss?2&");
    database.set_password(first).await;
    let password = Arc::new(Mutex::new(first));
    let worker = Worker::of("all", &cloud, &database)
        .env("DECOUPLE_CATALOG_URL", &database.url_without_login())
        .env("DECOUPLE_CATALOG_SECRET_ARN", ARN)
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", &secrets(Arc::clone(&password)).await)
        .start()
        .await;
    let image = id(&worker.client().accepted(photo("rocket.jpg")).await);
    *password.lock().unwrap() = second;
    database.set_password(second).await;
    // A balancer asks for `/healthz` again and again; that notices, and reads the login anew.
    let client = worker.client();
    eventually("the worker to log in anew", async || {
        client.try_get("/healthz").await?;
        client.try_get(&format!("/images/{image}")).await.filter(|answer| answer.status() == 200)
    })
    .await;
    assert!(!worker.log().contains(first) && !worker.log().contains(second));
}
