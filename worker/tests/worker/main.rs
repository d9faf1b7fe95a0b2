//! The worker as its users meet it: the program as a child process, an endpoint for S3, SQS and SNS in this one, and HTTP
//! between them. Nothing here looks into the worker except where a crash must be made to look older than it is.
//!
//! Needs PostgreSQL's server programs (Debian: `postgresql`) and ONNX Runtime's library (`scripts/setup onnxruntime`).

mod bad_input;
mod connections;
mod crashes;
mod engines;
mod faults;
mod lifecycle;
mod login;
mod photos;
mod problems;
mod silence;
mod site;
mod stages;
mod support;
mod termination;
mod traces;
mod uploads;
