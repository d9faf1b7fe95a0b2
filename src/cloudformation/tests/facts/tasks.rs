//! Queues, dead letters and the topic: no task is lost, and nobody else's comes in.

use serde_json::{Value, json};

use super::{super::invariants::every_variant, assert_has, assert_tls_only, of_kind, properties, target};
use crate::cloudformation::Template;

fn attribute(id: &str, name: &str) -> Value {
    json!({ "Fn::GetAtt": [id, name] })
}

/// The queues that work is done from, by the part's id.
fn working(template: &Template) -> Vec<(String, &Value)> {
    let all = of_kind(template, "AWS::SQS::Queue").into_iter();
    all.filter_map(|(id, queue)| Some((id.strip_suffix("Queue")?.to_owned(), queue))).collect()
}

#[test]
fn each_queue_polls_long_is_encrypted_and_gives_its_dead_letters_to_a_queue_of_their_own() {
    let mut queues = 0;
    for (name, template) in every_variant() {
        for (part, queue) in working(template) {
            queues += 1;
            let of = format!("{name}: {part}");
            assert_has(&of, queue, &json!({ "ReceiveMessageWaitTimeSeconds": 20, "SqsManagedSseEnabled": true }));
            assert!(queue.get("FifoQueue").is_none(), "{of}: a standard queue");
            let redrive = &queue["RedrivePolicy"];
            assert_eq!(redrive["deadLetterTargetArn"], attribute(&format!("{part}DeadLetters"), "Arn"), "{of}");
            assert!(redrive["maxReceiveCount"].as_u64().is_some_and(|count| count >= 1), "{of}");
            let dead = properties(template, &format!("{part}DeadLetters"));
            assert_has(&of, dead, &json!({ "MessageRetentionPeriod": 1_209_600, "SqsManagedSseEnabled": true }));
            assert_eq!(dead["RedriveAllowPolicy"]["redrivePermission"], "byQueue", "{of}");
            let name = queue["QueueName"].as_str().expect("a name");
            let source = dead["RedriveAllowPolicy"]["sourceQueueArns"][0]["Fn::Sub"].as_str().expect("an ARN");
            assert!(source.ends_with(&format!(":{name}")), "{of}: {source}");
            // A dead letter keeps the time at which it was first sent.
            assert!(queue["MessageRetentionPeriod"].as_u64() <= dead["MessageRetentionPeriod"].as_u64(), "{of}");
            assert!(name.len() <= 80 && dead["QueueName"].as_str().is_some_and(|name| name.len() <= 80), "{of}");
        }
    }
    assert!(queues > 0, "there are queues among the variants");
}

#[test]
fn tasks_come_over_tls_and_where_there_is_a_topic_from_it_alone() {
    for (name, template) in every_variant() {
        let topic = template.resources().contains_key("Topic");
        for (part, _) in working(template) {
            let of = format!("{name}: {part}");
            let arn = attribute(&format!("{part}Queue"), "Arn");
            let document = &properties(template, &format!("{part}QueuePolicy"))["PolicyDocument"];
            assert_tls_only(&of, document, &arn);
            let allowed: Vec<&Value> = document["Statement"]
                .as_array()
                .expect("statements")
                .iter()
                .filter(|one| one["Effect"] == "Allow")
                .collect();
            assert_eq!(allowed.len(), usize::from(topic), "{of}");
            for one in allowed {
                assert_eq!(one["Principal"], json!({ "Service": "sns.amazonaws.com" }), "{of}");
                assert_eq!((&one["Action"], &one["Resource"]), (&json!("sqs:SendMessage"), &arn), "{of}");
                assert_eq!(one["Condition"], json!({ "ArnEquals": { "aws:SourceArn": { "Ref": "Topic" } } }), "{of}");
            }
            let dead = format!("{part}DeadLetters");
            let document = &properties(template, &format!("{dead}Policy"))["PolicyDocument"];
            assert_tls_only(&of, document, &attribute(&dead, "Arn"));
        }
        if topic {
            let document = &properties(template, "TopicPolicy")["PolicyDocument"];
            assert_tls_only(name, document, &json!({ "Ref": "Topic" }));
        }
    }
}

#[test]
fn every_queue_of_a_topic_gets_every_task_as_it_was_sent() {
    for (name, template) in every_variant() {
        let subscriptions = of_kind(template, "AWS::SNS::Subscription");
        let topic = template.resources().contains_key("Topic");
        assert_eq!(subscriptions.len(), if topic { working(template).len() } else { 0 }, "{name}");
        for (id, subscription) in subscriptions {
            let of = format!("{name}: {id}");
            assert_has(&of, subscription, &json!({ "Protocol": "sqs", "RawMessageDelivery": true }));
            let queue = target(&subscription["Endpoint"]).expect("a queue");
            // A task that arrives before the queue lets the topic in would be lost.
            assert_eq!(template.resources()[id]["DependsOn"], format!("{queue}Policy"), "{of}");
            let web = &template.resources()["WebGroup"]["DependsOn"];
            assert!(
                web.as_array().is_some_and(|before| before.contains(&json!(id))),
                "{of}: who publishes comes after"
            );
        }
    }
}

#[test]
fn alarms_tell_of_dead_letters_of_old_tasks_and_of_instances_that_do_not_answer() {
    for (name, template) in every_variant() {
        let unhealthy = properties(template, "UnhealthyTargetsAlarm");
        assert_has(name, unhealthy, &json!({ "MetricName": "UnHealthyHostCount", "Threshold": 0 }));
        for (part, queue) in working(template) {
            let of = format!("{name}: {part}");
            let dead = properties(template, &format!("{part}DeadLettersAlarm"));
            let wanted = json!({
                "MetricName": "ApproximateNumberOfMessagesVisible",
                "ComparisonOperator": "GreaterThanThreshold",
                "Threshold": 0,
            });
            assert_has(&of, dead, &wanted);
            let named = &dead["Dimensions"][0]["Value"];
            assert_eq!(*named, attribute(&format!("{part}DeadLetters"), "QueueName"), "{of}");
            let age = properties(template, &format!("{part}AgeAlarm"));
            assert_eq!(age["MetricName"], "ApproximateAgeOfOldestMessage", "{of}");
            assert!(age["Threshold"].as_u64() < queue["MessageRetentionPeriod"].as_u64(), "{of}: before it is gone");
        }
    }
}
