//! The `local` target: a topology on one machine.
//!
//! [`plan`] is pure; everything with an effect happens after it, in the environment's background process ([`daemon`]),
//! which [`client`] starts and speaks to. It never imports the other target, and hands out data: reporter events and a
//! status report.

pub mod autoscaler;
pub mod balancer;
pub mod client;
pub mod control;
pub mod daemon;
pub mod files;
mod get;
pub mod group;
pub mod home;
pub mod identity;
pub mod logs;
pub mod plan;
mod process;
