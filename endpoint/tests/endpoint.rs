//! The endpoint over the wire, as SDKs and plain HTTP see it.

mod queues;
mod support;
mod topics;
