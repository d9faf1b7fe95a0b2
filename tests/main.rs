//! Tests of the whole: the built `decouple`, its background process, real workers, and what they serve.
//!
//! One binary, so that it is linked once. What a test starts, it stops.

mod architecture;
mod aws;
mod boto3;
mod cli;
mod clients;
mod export;
mod gallery;
mod generated;
mod plans;
mod resilience;
mod stages;
mod support;
