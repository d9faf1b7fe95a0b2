//! Outputs: where things are.

use super::{
    balancer, bucket, catalog,
    dashboard::DASHBOARD,
    ids::{self, CATALOG, TOPIC},
    intrinsics::{attribute, reference, sub},
    stack::Stack,
};

/// Output: where the site is.
pub const OUTPUT_URL: &str = "Url";
/// Output: name of the bucket.
pub const OUTPUT_BUCKET: &str = "Bucket";
/// Output: ARN of the topic, in the stage that has one.
pub const OUTPUT_TOPIC: &str = "TopicArn";
/// Output: the database's host.
pub const OUTPUT_CATALOG: &str = "CatalogAddress";
/// Output: ARN of the secret that holds the database's login.
pub const OUTPUT_CATALOG_SECRET: &str = "CatalogSecretArn";
/// Output: where the dashboard is.
pub const OUTPUT_DASHBOARD: &str = "DashboardUrl";

/// Names the output that is a queue's URL.
pub fn output_queue(queue: &str) -> String {
    ids::of(queue, "QueueUrl")
}

/// Names the output that is the URL of a queue's dead-letter queue.
pub fn output_dead_letters(queue: &str) -> String {
    ids::of(queue, "DeadLettersUrl")
}

pub(super) fn add(stack: &mut Stack<'_>) {
    stack.output(OUTPUT_URL, "The site", &balancer::url(stack.balancer));
    stack.output(OUTPUT_BUCKET, "The bucket of originals and renditions", &bucket::name(stack));
    if stack.topology.topic().is_some() {
        stack.output(OUTPUT_TOPIC, "The topic", &reference(TOPIC));
    }
    for queue in stack.topology.queues() {
        let description = format!("The queue {}", queue.name);
        stack.output(&output_queue(&queue.name), &description, &reference(&ids::queue(&queue.name)));
        let description = format!("The dead-letter queue of {}", queue.name);
        stack.output(&output_dead_letters(&queue.name), &description, &reference(&ids::dead_letters(&queue.name)));
    }
    stack.output(OUTPUT_CATALOG, "The database's host", &attribute(CATALOG, "Endpoint.Address"));
    stack.output(OUTPUT_CATALOG_SECRET, "The secret with the database's login", &catalog::secret());
    let dashboard = format!(
        "https://${{AWS::Region}}.console.aws.amazon.com/cloudwatch/home?region=${{AWS::Region}}#dashboards:name=${{{DASHBOARD}}}"
    );
    stack.output(OUTPUT_DASHBOARD, "The dashboard", &sub(dashboard));
}
