//! Subscriptions listed, described and changed.

use rusqlite::{Connection, params};
use serde::{Deserialize, Serialize};

use crate::{json::Json, names::Names, store::Unit};

use super::{
    Sns,
    endpoints::{HTTP, HTTPS},
    error::SnsError,
    paging, policy,
    subscribe::OneSubscription,
    subscription::{self, SELECT, Subscription, existing},
    topics::{Attributes, delivery_policy, existing_topic},
};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct SetAttribute {
    subscription_arn: String,
    attribute_name: String,
    attribute_value: String,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
pub(super) struct ListSubscriptions {
    topic_arn: Option<String>,
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Subscriptions {
    subscriptions: Vec<Listed>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next_token: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    topic_arn: String,
    protocol: String,
    subscription_arn: String,
    owner: String,
    endpoint: String,
}

impl Listed {
    fn new(subscription: Subscription, names: &Names) -> Self {
        let arn = if subscription.pending { "PendingConfirmation".to_owned() } else { subscription.arn(names) };
        Listed {
            topic_arn: names.topic_arn(&subscription.topic),
            protocol: subscription.protocol,
            subscription_arn: arn,
            owner: names.account.clone(),
            endpoint: subscription.endpoint,
        }
    }
}

impl Sns {
    pub(super) async fn list_subscriptions_by_topic(
        &self,
        input: ListSubscriptions,
    ) -> Result<Subscriptions, SnsError> {
        let arn = input.topic_arn.clone().unwrap_or_default();
        let names = self.names.clone();
        let topic = self.store.read(move |connection| existing_topic(connection, &names, &arn)).await?;
        self.list(Some(topic.id), input).await
    }

    pub(super) async fn list_subscriptions(&self, input: ListSubscriptions) -> Result<Subscriptions, SnsError> {
        self.list(None, input).await
    }

    async fn list(&self, topic: Option<i64>, input: ListSubscriptions) -> Result<Subscriptions, SnsError> {
        let after = paging::start(input.next_token.as_deref())?;
        let read = move |connection: &Connection| {
            let sql = format!(
                "{SELECT} WHERE s.id > ?1 AND (?2 IS NULL OR s.topic_id = ?2) AND s.ended_ms IS NULL ORDER BY s.id LIMIT ?3"
            );
            let mut statement = connection.prepare_cached(&sql)?;
            let rows = statement.query_map(params![after, topic, paging::LIMIT], subscription::subscription)?;
            Ok::<_, SnsError>(rows.collect::<Result<Vec<_>, _>>()?)
        };
        let mut rows = self.store.read(read).await?;
        let next_token = paging::cut(&mut rows, |row| row.id);
        let subscriptions = rows.into_iter().map(|row| Listed::new(row, &self.names)).collect();
        Ok(Subscriptions { subscriptions, next_token })
    }

    pub(super) async fn subscription_attributes(&self, input: OneSubscription) -> Result<Attributes, SnsError> {
        let names = self.names.clone();
        let read = move |connection: &Connection| {
            let found = existing(connection, &names, &input.subscription_arn)?;
            // Only what is delivered to servers is tried again by a policy.
            let effective = if [HTTP, HTTPS].contains(&found.protocol.as_str()) {
                let topic = delivery_policy(connection, &found.topic)?;
                Some(policy::effective(found.delivery_policy(), topic.as_deref()))
            } else {
                None
            };
            Ok(Attributes { attributes: found.described(&names, effective) })
        };
        self.store.read(read).await
    }

    pub(super) async fn set_subscription_attribute(&self, input: SetAttribute) -> Result<(), SnsError> {
        let names = self.names.clone();
        let change = move |unit: &mut Unit<'_>| {
            let Subscription { id, topic, endpoint, mut attributes, .. } =
                existing(unit.connection(), &names, &input.subscription_arn)?;
            subscription::set(&mut attributes, &topic, &endpoint, input.attribute_name, input.attribute_value)
                .and_then(|()| subscription::check_filter(&attributes))
                .map_err(SnsError::InvalidParameter)?;
            let sql = "UPDATE subscription SET attributes = ?2 WHERE id = ?1";
            unit.connection().prepare_cached(sql)?.execute(params![id, Json(&attributes)])?;
            Ok(())
        };
        self.store.write(change).await
    }
}
