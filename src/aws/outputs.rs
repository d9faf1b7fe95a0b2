//! Where things are: the stack's outputs in the words of both targets.

use std::collections::BTreeMap;

use decouple_contract::Role;

use super::{Session, stack::Stack};
use crate::{
    cloudformation::{OUTPUT_BUCKET, OUTPUT_DASHBOARD, OUTPUT_TOPIC, OUTPUT_URL, output_queue},
    status::Outputs,
};

/// Returns where things are. Of a stack that is not made yet, nothing is known.
pub fn of(session: &Session, stack: &Stack) -> Outputs {
    let output = |name: &str| stack.outputs.get(name).cloned();
    let queues = Role::ALL.map(Role::name);
    let queue_urls: BTreeMap<String, String> =
        queues.iter().filter_map(|name| Some(((*name).to_owned(), output(&output_queue(name))?))).collect();
    Outputs {
        url: output(OUTPUT_URL).unwrap_or_default(),
        endpoint_url: session.endpoint().unwrap_or_default().to_owned(),
        region: session.region().to_owned(),
        bucket: output(OUTPUT_BUCKET).unwrap_or_default(),
        topic_arn: output(OUTPUT_TOPIC),
        queue_urls,
        dashboard_url: output(OUTPUT_DASHBOARD),
    }
}
