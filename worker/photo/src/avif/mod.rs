//! AVIF: a still AV1 frame in a container.

mod encode;

pub(crate) use encode::{ENCODING, encode};
