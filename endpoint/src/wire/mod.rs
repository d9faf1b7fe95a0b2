//! The two protocols of SQS and SNS, met in the middle.
//!
//! Current SDKs send SQS calls as JSON 1.0, old ones and all of SNS use the query protocol (a form in, XML out). Both are decoded
//! to the same shape, the one that JSON 1.0 has, so that a service knows one input and one output type an operation. This module
//! owns shapes and encodings; it must not know what an operation means.

mod fault;
pub(crate) mod lenient;
mod query;
mod xml;

use bytes::Bytes;
use http::{Response, StatusCode, header};
use s3s::Body;
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::names::random_id;

pub(crate) use fault::Fault;

/// What an operation answers.
pub(crate) type Outcome = Result<Output, Fault>;

/// An operation's output.
pub(crate) enum Output {
    /// None at all.
    Nothing,
    /// One of the JSON shape, already as text: nearly all calls come as JSON, and the few others parse it again.
    Json(String),
}

/// How lists and maps look in the XML of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum XmlStyle {
    /// SQS: items directly in their parent, each list with an element name of its own.
    Flattened,
    /// SNS: `<member>` and `<entry>` inside an element of the field's name.
    Wrapped,
}

/// The protocol a call came in, which is the one its answer must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Json,
    Query { namespace: &'static str, style: XmlStyle },
}

impl Protocol {
    pub(crate) const SQS_QUERY: Protocol =
        Protocol::Query { namespace: "http://queue.amazonaws.com/doc/2012-11-05/", style: XmlStyle::Flattened };
    pub(crate) const SNS_QUERY: Protocol =
        Protocol::Query { namespace: "http://sns.amazonaws.com/doc/2010-03-31/", style: XmlStyle::Wrapped };
}

/// A call as its service sees it.
pub(crate) struct Call {
    pub(crate) action: String,
    pub(crate) params: Params,
    /// `host:port` as the client named us, for URLs in answers.
    pub(crate) authority: String,
    /// Whether the caller proved to have the key. Few operations are there without.
    pub(crate) signed: bool,
    /// `X-Amzn-Trace-Id`, which messages carry on.
    pub(crate) trace_header: Option<String>,
}

/// The parameters of a call.
pub(crate) enum Params {
    Json(Bytes),
    Form(Value),
}

/// What is not about one queue cannot be asked of a queue's URL.
const NOT_OF_A_QUEUE: [&str; 2] = ["CreateQueue", "ListQueues"];

impl Params {
    /// Decodes the form of a query call; `path` is where it was sent, which names the queue where no parameter does.
    pub(crate) fn form(encoded: &[u8], path: &str) -> Result<(String, Params), Fault> {
        let mut fields = query::parse(encoded)?;
        let Some(Value::String(action)) = fields.remove("Action") else {
            return Err(Fault::missing_action());
        };
        if path != "/" && NOT_OF_A_QUEUE.contains(&action.as_str()) {
            return Err(Fault::unknown_action(&action));
        }
        if path != "/" && !fields.contains_key("QueueUrl") {
            fields.insert("QueueUrl".into(), Value::String(path.into()));
        }
        Ok((action, Params::Form(Value::Object(fields))))
    }

    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        let decoded = match self {
            Params::Json(bytes) if bytes.is_empty() => serde_json::from_slice(b"{}"),
            Params::Json(bytes) => serde_json::from_slice(bytes),
            Params::Form(value) => T::deserialize(value),
        };
        decoded.map_err(|error| Fault::serialization(&error.to_string()))
    }
}

/// An operation's output in the JSON shape.
pub(crate) fn output<T: Serialize>(output: &T) -> Outcome {
    serde_json::to_string(output).map(Output::Json).map_err(|error| Fault::internal(&error.to_string()))
}

/// The answer to a query call that has no form at all.
pub(crate) fn unknown_operation() -> Response<Body> {
    let mut response = Response::new(Body::from(String::from("<UnknownOperationException/>\n")));
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().insert(header::CONTENT_TYPE, header::HeaderValue::from_static(XML));
    response
}

/// Writes an answer in the protocol of its call.
pub(crate) fn respond(protocol: Protocol, action: &str, outcome: Outcome) -> Response<Body> {
    let request_id = random_id();
    let (status, query_error, content_type, body) = match (protocol, outcome) {
        (Protocol::Json, Ok(Output::Nothing)) => (StatusCode::OK, None, JSON, "{}".to_owned()),
        (Protocol::Json, Ok(Output::Json(text))) => (StatusCode::OK, None, JSON, text),
        (Protocol::Json, Err(fault)) => (fault.status, Some(fault.query_error()), JSON, fault.to_json()),
        (Protocol::Query { namespace, style }, Ok(output)) => {
            let shape = match &output {
                Output::Nothing => Value::Null,
                Output::Json(text) => serde_json::from_str(text).unwrap_or_default(),
            };
            (StatusCode::OK, None, XML, xml::response(action, namespace, style, &shape, &request_id))
        }
        (Protocol::Query { namespace, style }, Err(fault)) => {
            (fault.status, None, XML, xml::error(namespace, style, &fault, &request_id))
        }
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, header::HeaderValue::from_static(content_type));
    if let Ok(id) = request_id.parse() {
        headers.insert("x-amzn-requestid", id);
    }
    if let Some(Ok(error)) = query_error.map(|error| error.parse()) {
        headers.insert("x-amzn-query-error", error);
    }
    response
}

/// Bytes as digits. The crate's own `encode` goes character by character, and every call has digests.
pub(crate) fn in_hex(bytes: &[u8]) -> String {
    let mut digits = vec![0; 2 * bytes.len()];
    hex::encode_to_slice(bytes, &mut digits).expect("there are two digits for each byte");
    String::from_utf8(digits).expect("digits are text")
}

const JSON: &str = "application/x-amz-json-1.0";
const XML: &str = "text/xml";
