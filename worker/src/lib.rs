//! `decouple`: a photo site in three stages of decoupling, on AWS or on one machine.
