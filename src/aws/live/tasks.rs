//! Queues and the topic: what waits, what is in work, what failed for good, and who is subscribed.

use std::collections::{BTreeMap, HashMap};

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_sdk_sqs::types::QueueAttributeName as Attribute;
use aws_smithy_types::DateTime;
use futures::future::{join, join_all};

use super::unseen;
use crate::{
    aws::{
        Session,
        error::{Call, Error},
    },
    status::{Detail, Health, Part},
};

/// CloudWatch has the age of the oldest task once a minute, and a little late.
const AGES_OF_SECONDS: i64 = 300;

pub(super) async fn queues(session: &Session, queues: &[Named]) -> Vec<Part> {
    if queues.is_empty() {
        return Vec::new();
    }
    let depths = join_all(queues.iter().map(|(_, url, dead)| join(depth(session, url), depth(session, dead))));
    let (depths, ages) = join(depths, ages(session, queues)).await;
    let (ages, missing) = match ages {
        Ok(ages) => (ages, None),
        Err(error) => (BTreeMap::new(), Some(crate::error::chain(&error))),
    };
    let part = |((name, ..), depths): (&Named, Depths)| {
        let oldest_seconds = ages.get(name).copied().unwrap_or(0);
        match depths {
            (Ok(depth), Ok(dead)) => {
                let dead = dead.visible + dead.in_flight;
                let detail = Detail::Queue { visible: depth.visible, in_flight: depth.in_flight, oldest_seconds, dead };
                let (health, reason) = match dead {
                    0 => (Health::Ok, missing.clone()),
                    _ => (Health::Degraded, Some(format!("{dead} tasks failed for good"))),
                };
                Part { detail, name: name.clone(), health, reason, look_again: false }
            }
            (Err(error), _) | (_, Err(error)) => {
                let detail = Detail::Queue { visible: 0, in_flight: 0, oldest_seconds, dead: 0 };
                unseen(name, detail, &error)
            }
        }
    };
    queues.iter().zip(depths).map(part).collect()
}

/// A queue by its name, its URL and that of its dead-letter queue.
type Named = (String, String, String);
/// How much is in a queue, and in its dead-letter queue.
type Depths = (Result<Depth, Error>, Result<Depth, Error>);

/// How much is in a queue.
#[derive(Debug, Clone, Copy, Default)]
struct Depth {
    visible: u64,
    in_flight: u64,
}

async fn depth(session: &Session, url: &str) -> Result<Depth, Error> {
    let wanted = [
        Attribute::ApproximateNumberOfMessages,
        Attribute::ApproximateNumberOfMessagesNotVisible,
        Attribute::ApproximateNumberOfMessagesDelayed,
    ];
    let call = Call::new("sqs", "GetQueueAttributes", url);
    let request = session.queues().get_queue_attributes().queue_url(url).set_attribute_names(Some(wanted.to_vec()));
    let found: HashMap<Attribute, String> = request.send().await.map_err(call.failed())?.attributes.unwrap_or_default();
    let [visible, in_flight, delayed] =
        wanted.map(|name| found.get(&name).and_then(|value| value.parse::<u64>().ok()).unwrap_or(0));
    Ok(Depth { visible: visible + delayed, in_flight })
}

/// Returns the age of each queue's oldest task in seconds, by the queue's name. One call for all.
async fn ages(session: &Session, queues: &[Named]) -> Result<BTreeMap<String, u64>, Error> {
    let query = |(number, (_, url, _)): (usize, &Named)| {
        let queue = url.rsplit('/').next().unwrap_or_default();
        let metric = Metric::builder()
            .namespace("AWS/SQS")
            .metric_name("ApproximateAgeOfOldestMessage")
            .dimensions(Dimension::builder().name("QueueName").value(queue).build())
            .build();
        let stat = MetricStat::builder().metric(metric).period(60).stat("Maximum").build();
        MetricDataQuery::builder().id(format!("q{number}")).metric_stat(stat).build()
    };
    let now = jiff::Timestamp::now().as_second();
    let call = Call::new("cloudwatch", "GetMetricData", "the queues' ages");
    let found = session
        .metrics()
        .get_metric_data()
        .set_metric_data_queries(Some(queues.iter().enumerate().map(query).collect()))
        .start_time(DateTime::from_secs(now - AGES_OF_SECONDS))
        .end_time(DateTime::from_secs(now))
        .send()
        .await
        .map_err(call.failed())?;
    let newest = |id: &str| {
        let result = found.metric_data_results().iter().find(|result| result.id() == Some(id))?;
        result.values().first().copied()
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "an age in seconds, from 0 to 14 days")]
    let ages = queues
        .iter()
        .enumerate()
        .filter_map(|(number, (name, ..))| Some((name.clone(), newest(&format!("q{number}"))?.max(0.0) as u64)));
    Ok(ages.collect())
}

pub(super) async fn topic(session: &Session, arn: Option<&str>) -> Vec<Part> {
    let Some(arn) = arn else { return Vec::new() };
    // The topic's name is its environment's and the part's: `photos-dev-images`.
    let name = arn.rsplit(['-', ':']).next().unwrap_or(arn);
    let call = Call::new("sns", "GetTopicAttributes", arn);
    let found = session.topics().get_topic_attributes().topic_arn(arn).send().await.map_err(call.failed());
    vec![match found {
        Ok(found) => {
            let confirmed = found.attributes().and_then(|all| all.get("SubscriptionsConfirmed")?.parse().ok());
            let subscriptions = confirmed.unwrap_or(0);
            let (health, reason) = match subscriptions {
                0 => (Health::Down, Some("no queue is subscribed: tasks are lost".to_owned())),
                _ => (Health::Ok, None),
            };
            Part { detail: Detail::Topic { subscriptions }, name: name.to_owned(), health, reason, look_again: false }
        }
        Err(error) => unseen(name, Detail::Topic { subscriptions: 0 }, &error),
    }]
}
