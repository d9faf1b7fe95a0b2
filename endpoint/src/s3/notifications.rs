//! Where a bucket's events go: the configuration, checked, kept and answered. Sending them is in [`super::events`].

use std::{collections::HashSet, sync::Arc};

use rusqlite::{Connection, params};
use s3s::{
    S3Request, S3Response, S3Result,
    dto::{
        FilterRuleName, GetBucketNotificationConfigurationInput, GetBucketNotificationConfigurationOutput,
        NotificationConfiguration, PutBucketNotificationConfigurationInput, PutBucketNotificationConfigurationOutput,
    },
};
use uuid::Uuid;

use crate::{names::Names, sns, sqs, store::Unit};

use super::{
    Buckets,
    error::Failure,
    events::{EVENTS, Service, Target, targets, test_event},
    rows::existing_bucket,
    settings::{from_xml, to_xml},
};

impl Buckets {
    pub(super) async fn notification(
        &self,
        request: S3Request<GetBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<GetBucketNotificationConfigurationOutput>> {
        let bucket = self.bucket(request.input.bucket).await?;
        let kept = bucket.notification.as_deref().map(from_xml::<NotificationConfiguration>).transpose()?;
        let kept = kept.unwrap_or_default();
        Ok(S3Response::new(GetBucketNotificationConfigurationOutput {
            event_bridge_configuration: kept.event_bridge_configuration,
            lambda_function_configurations: kept.lambda_function_configurations,
            queue_configurations: kept.queue_configurations,
            topic_configurations: kept.topic_configurations,
        }))
    }

    /// Keeps a configuration, and lets every destination have a test event, as AWS does.
    pub(super) async fn set_notification(
        &self,
        request: S3Request<PutBucketNotificationConfigurationInput>,
    ) -> S3Result<S3Response<PutBucketNotificationConfigurationOutput>> {
        let PutBucketNotificationConfigurationInput { bucket, mut notification_configuration, .. } = request.input;
        let validates = !request.input.skip_destination_validation.unwrap_or(false);
        complete(&mut notification_configuration);
        check(&notification_configuration)?;
        let (names, clock) = (self.names.clone(), Arc::clone(&self.clock));
        let save = move |unit: &mut Unit<'_>| {
            let bucket = existing_bucket(unit.connection(), &bucket)?;
            let targets = targets(&notification_configuration);
            if validates {
                check_reachable(unit, &names, &targets)?;
                for target in &targets {
                    target.send(unit, &names, test_event(&bucket.name, clock.now()), None, clock.now())?;
                }
            }
            let is_empty = targets.is_empty() && notification_configuration.event_bridge_configuration.is_none();
            let kept = if is_empty { None } else { Some(to_xml(&notification_configuration)?) };
            let sql = "UPDATE bucket SET notification = ?2 WHERE id = ?1";
            unit.connection().prepare_cached(sql)?.execute(params![bucket.id, kept])?;
            Ok::<_, Failure>(())
        };
        self.store.write(save).await?;
        Ok(S3Response::new(PutBucketNotificationConfigurationOutput::default()))
    }
}

/// Gives an id to what came without one, and writes the names of rules as AWS does.
fn complete(configuration: &mut NotificationConfiguration) {
    let queues = configuration.queue_configurations.iter_mut().flatten().map(|it| (&mut it.id, &mut it.filter));
    let topics = configuration.topic_configurations.iter_mut().flatten().map(|it| (&mut it.id, &mut it.filter));
    let functions =
        configuration.lambda_function_configurations.iter_mut().flatten().map(|it| (&mut it.id, &mut it.filter));
    for (id, filter) in queues.chain(topics).chain(functions) {
        id.get_or_insert_with(|| Uuid::new_v4().to_string());
        let rules = filter.as_mut().and_then(|filter| filter.key.as_mut()).and_then(|key| key.filter_rules.as_mut());
        for rule in rules.into_iter().flatten() {
            let name = rule.name.as_ref().map(|name| name.as_str().to_ascii_lowercase());
            match name.as_deref() {
                Some("prefix") => rule.name = Some(FilterRuleName::from("Prefix".to_owned())),
                Some("suffix") => rule.name = Some(FilterRuleName::from("Suffix".to_owned())),
                _ => {}
            }
        }
    }
}

/// Checks what can be checked of a configuration alone.
fn check(configuration: &NotificationConfiguration) -> Result<(), Failure> {
    let targets = targets(configuration);
    let mut ids = HashSet::new();
    for (index, target) in targets.iter().enumerate() {
        if !ids.insert(target.id) {
            let reason = "Same ID used for multiple configurations. IDs must be unique";
            return Err(Failure::argument("Id", target.id.unwrap_or_default(), reason));
        }
        check_target(target)?;
        if targets[..index].iter().any(|other| overlap(target, other)) {
            let reason = "Configurations overlap. Configurations on the same bucket cannot share a common event type.";
            return Err(Failure::argument("Event", "", reason));
        }
    }
    Ok(())
}

fn check_target(target: &Target<'_>) -> Result<(), Failure> {
    let (service, field) = match target.service {
        Service::Queue => ("sqs", "Queue"),
        Service::Topic => ("sns", "Topic"),
        Service::Function => ("lambda", "CloudFunction"),
    };
    let mut parts = target.arn.splitn(6, ':');
    if parts.next() != Some("arn") || parts.nth(1) != Some(service) || parts.nth(2).is_none_or(str::is_empty) {
        return Err(Failure::argument(field, target.arn, "The ARN could not be parsed"));
    }
    if target.events.is_empty() {
        return Err(Failure::MalformedXml);
    }
    if let Some(unknown) = target.events.iter().find(|event| !EVENTS.contains(&event.as_ref())) {
        let reason = "The event is not supported for notifications";
        return Err(Failure::argument("Event", unknown.as_ref(), reason));
    }
    let mut seen = HashSet::new();
    for (name, _) in target.rules() {
        if !matches!(name.as_str(), "prefix" | "suffix") {
            let reason = "filter rule name must be either prefix or suffix";
            return Err(Failure::argument("FilterRule.Name", target.name_as_given(&name), reason));
        }
        if !seen.insert(name.clone()) {
            let reason = format!("Cannot specify more than one {name} rule in a filter.");
            return Err(Failure::argument("FilterRule.Name", name, reason));
        }
    }
    Ok(())
}

/// Whether one event of one key could go to both.
fn overlap(one: &Target<'_>, other: &Target<'_>) -> bool {
    let kind = |event: &str| event.strip_suffix(":*").unwrap_or(event).to_owned();
    let related = |a: &str, b: &str| a == b || (a.ends_with(":*") && kind(b).starts_with(&kind(a)));
    let events = one
        .events
        .iter()
        .any(|a| other.events.iter().any(|b| related(a.as_ref(), b.as_ref()) || related(b.as_ref(), a.as_ref())));
    let rule = |target: &Target<'_>, wanted: &str| {
        target.rules().find(|(name, _)| name == wanted).map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let (a, b) = (rule(one, "prefix"), rule(other, "prefix"));
    let prefixes = a.starts_with(&b) || b.starts_with(&a);
    let (a, b) = (rule(one, "suffix"), rule(other, "suffix"));
    events && prefixes && (a.ends_with(&b) || b.ends_with(&a))
}

/// Checks that all destinations are there, and names those that are not.
fn check_reachable(unit: &Unit<'_>, names: &Names, targets: &[Target<'_>]) -> Result<(), Failure> {
    let mut unreachable = Vec::new();
    for target in targets {
        unreachable.extend(why_unreachable(unit.connection(), names, target)?);
    }
    if unreachable.is_empty() { Ok(()) } else { Err(Failure::UnreachableDestinations(unreachable)) }
}

/// What is wrong with a destination, and how the service calls it then.
fn why_unreachable(
    connection: &Connection,
    names: &Names,
    target: &Target<'_>,
) -> Result<Option<(String, String)>, Failure> {
    let arn = target.arn.to_owned();
    Ok(match target.service {
        Service::Queue => {
            let queue = names.queue_in_arn(&arn).map(|name| sqs::find_queue(connection, name)).transpose()?;
            queue.flatten().is_none().then(|| (arn, "The destination queue does not exist".to_owned()))
        }
        Service::Topic if sns::has_topic(connection, names, &arn)? => None,
        Service::Topic => Some((arn, "The destination topic does not exist".to_owned())),
        Service::Function => Some((format!("{arn}, null"), format!("Not authorized to invoke function [{arn}]"))),
    })
}

#[cfg(test)]
mod tests {
    use s3s::dto::{
        Event, FilterRule, FilterRuleName, NotificationConfigurationFilter, QueueConfiguration, S3KeyFilter,
    };

    use super::*;

    fn queue(id: &str, events: &[&str], rules: &[(&str, &str)]) -> QueueConfiguration {
        let rule = |(name, value): &(&str, &str)| FilterRule {
            name: Some(FilterRuleName::from((*name).to_owned())),
            value: Some((*value).to_owned()),
        };
        QueueConfiguration {
            id: Some(id.to_owned()),
            queue_arn: "arn:aws:sqs:us-east-1:000000000000:q".to_owned(),
            events: events.iter().map(|event| Event::from((*event).to_owned())).collect(),
            filter: Some(NotificationConfigurationFilter {
                key: Some(S3KeyFilter { filter_rules: Some(rules.iter().map(rule).collect()) }),
            }),
        }
    }

    fn refusal(queues: Vec<QueueConfiguration>) -> Option<String> {
        let configuration =
            NotificationConfiguration { queue_configurations: Some(queues), ..NotificationConfiguration::default() };
        check(&configuration).err().map(|failure| failure.to_string())
    }

    #[test]
    fn configurations_are_checked() {
        let created = ["s3:ObjectCreated:*"];
        let put = ["s3:ObjectCreated:Put"];
        assert_eq!(refusal(vec![queue("a", &created, &[]), queue("b", &["s3:ObjectRemoved:*"], &[])]), None);
        assert_eq!(
            refusal(vec![queue("a", &created, &[("Prefix", "x/")]), queue("b", &put, &[("prefix", "y/")])]),
            None
        );
        let overlapping = refusal(vec![queue("a", &created, &[("prefix", "x/")]), queue("b", &put, &[])]);
        assert!(overlapping.unwrap().starts_with("Configurations overlap."));
        let same = refusal(vec![queue("a", &created, &[]), queue("a", &["s3:ObjectRemoved:*"], &[])]);
        assert!(same.unwrap().starts_with("Same ID"));
        assert!(refusal(vec![queue("a", &["s3:Nothing"], &[])]).is_some());
        assert!(refusal(vec![queue("a", &created, &[("infix", "x")])]).is_some());
        assert!(refusal(vec![queue("a", &created, &[("prefix", "x"), ("Prefix", "y")])]).is_some());
        assert!(refusal(vec![queue("a", &[], &[])]).is_some());
        let elsewhere =
            QueueConfiguration { queue_arn: "arn:aws:sns:us-east-1:0:q".into(), ..queue("a", &created, &[]) };
        assert_eq!(refusal(vec![elsewhere]).as_deref(), Some("The ARN could not be parsed"));
    }
}
