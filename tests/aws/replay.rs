//! Answers of AWS that were written down, for what no emulator does.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex},
};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::{rt::TokioIo, server::conn::auto::Builder};
use tokio::{net::TcpListener, task::JoinHandle};

/// An answer: HTTP status and body.
pub(crate) type Answer = (u16, String);

/// A request: its action and its form, of which a JSON request has none.
type Asked = (String, HashMap<String, String>);

/// A server that answers as it is told, and remembers what it was asked.
pub(crate) struct Replay {
    pub(crate) url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    task: JoinHandle<()>,
}

impl Replay {
    /// Starts one. `answers` is given the action and how often it was asked before; what it does not answer, a healthy
    /// account without any stack does.
    pub(crate) async fn start(answers: impl Fn(&str, usize) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answers, remembered) = (Arc::new(answers), Arc::clone(&asked));
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (answers, asked) = (Arc::clone(&answers), Arc::clone(&remembered));
                let service = service_fn(move |request| {
                    let (answers, asked) = (Arc::clone(&answers), Arc::clone(&asked));
                    async move { Ok::<_, Infallible>(answer(request, &*answers, &asked).await) }
                });
                tokio::spawn(async move {
                    // A client that goes away is done.
                    drop(
                        Builder::new(hyper_util::rt::TokioExecutor::new())
                            .serve_connection(TokioIo::new(stream), service)
                            .await,
                    );
                });
            }
        });
        Self { url, asked, task }
    }

    /// Tells how often an action was asked for.
    pub(crate) fn asked(&self, action: &str) -> usize {
        self.forms(action).len()
    }

    /// Returns the forms with which an action was asked for.
    pub(crate) fn forms(&self, action: &str) -> Vec<HashMap<String, String>> {
        let asked = self.asked.lock().expect("nobody panics here");
        asked.iter().filter(|(asked, _)| asked == action).map(|(_, form)| form.clone()).collect()
    }
}

impl Drop for Replay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(
    request: Request<Incoming>,
    answers: &(dyn Fn(&str, usize) -> Option<Answer> + Send + Sync),
    asked: &Mutex<Vec<Asked>>,
) -> Response<Full<Bytes>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let target = parts.headers.get("x-amz-target").and_then(|target| target.to_str().ok());
    let form = form(&String::from_utf8_lossy(&body));
    let action = match (form.get("Action"), target) {
        (Some(action), _) => action.clone(),
        (None, Some(target)) => target.rsplit('.').next().unwrap_or_default().to_owned(),
        (None, None) => format!("{} {}", parts.method, parts.uri.path()),
    };
    let before = {
        let mut asked = asked.lock().expect("nobody panics here");
        let before = asked.iter().filter(|(known, _)| *known == action).count();
        asked.push((action.clone(), form));
        before
    };
    let (status, body) = answers(&action, before).unwrap_or_else(|| healthy(&action));
    Response::builder().status(status).body(Full::new(Bytes::from(body))).expect("a status and a body")
}

/// The names and values of a form, whose names need no decoding.
fn form(body: &str) -> HashMap<String, String> {
    body.split('&')
        .filter_map(|pair| pair.split_once('='))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn healthy(action: &str) -> Answer {
    match action {
        "GetCallerIdentity" => result(
            action,
            "<Arn>arn:aws:iam::123456789012:user/test</Arn><UserId>X</UserId><Account>123456789012</Account>",
        ),
        "DescribeStacks" => refusal(400, "ValidationError", "Stack with id photos-dev does not exist"),
        "GET /decouple-123456789012-us-east-1" | "GET /decouple-123456789012-us-east-1/" => (
            200,
            "<Tagging><TagSet><Tag><Key>decouple:artifacts</Key><Value>1</Value></Tag></TagSet></Tagging>".to_owned(),
        ),
        _ if action.starts_with("HEAD ") => (404, String::new()),
        _ if action.starts_with("PUT ") => (200, String::new()),
        _ => result(action, ""),
    }
}

/// An answer of a query service.
pub(crate) fn result(action: &str, content: &str) -> Answer {
    let text = format!("<{action}Response><{action}Result>{content}</{action}Result></{action}Response>");
    (200, text)
}

/// A refusal of a query service.
pub(crate) fn refusal(status: u16, code: &str, message: &str) -> Answer {
    let text = format!(
        "<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{message}</Message></Error></ErrorResponse>"
    );
    (status, text)
}
