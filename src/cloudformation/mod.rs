//! The AWS target's pure half: a topology lowered to a CloudFormation template.

pub mod user_data;
