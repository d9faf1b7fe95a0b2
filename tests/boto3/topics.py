"""SNS, and what its queues get."""

import json

from botocore.exceptions import ClientError

from support import RUN, Failed, check, equal, holds, new_queue, new_topic, queue_arn, receive, refused, sns, sqs


def subscribed(name, topic, **attributes):
    url = new_queue(name)
    arn = sns.subscribe(
        TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(url), Attributes=attributes, ReturnSubscriptionArn=True
    )["SubscriptionArn"]
    return url, arn


@check("sns: topics and subscriptions are made, listed and removed")
def _():
    topic = new_topic("made")
    equal("create_topic again", sns.create_topic(Name=f"boto3-{RUN}-made")["TopicArn"], topic)
    topics = [t["TopicArn"] for page in sns.get_paginator("list_topics").paginate() for t in page["Topics"]]
    holds("the topic in the list", topic in topics, topics)
    url, subscription = subscribed("listed", topic, RawMessageDelivery="true")
    [listed] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    equal("the subscription", (listed["SubscriptionArn"], listed["Protocol"], listed["Endpoint"]), (subscription, "sqs", queue_arn(url)))
    attributes = sns.get_subscription_attributes(SubscriptionArn=subscription)["Attributes"]
    equal("RawMessageDelivery", attributes["RawMessageDelivery"], "true")
    sns.unsubscribe(SubscriptionArn=subscription)
    equal("subscriptions after unsubscribe", sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"], [])
    sns.publish(TopicArn=topic, Message="nobody listens")
    equal("messages after unsubscribe", sqs.receive_message(QueueUrl=url).get("Messages", []), [])


@check("sns: one message reaches every queue, raw and in an envelope")
def _():
    topic = new_topic("fan-out")
    raw, _ = subscribed("raw", topic, RawMessageDelivery="true")
    wrapped, _ = subscribed("wrapped", topic)
    attributes = {"kind": {"DataType": "String", "StringValue": "photo"}}
    sent = sns.publish(TopicArn=topic, Message='{"image": "ü"}', Subject="New", MessageAttributes=attributes)["MessageId"]
    [message] = receive(raw, 1, MessageAttributeNames=["All"])
    equal("raw body", message["Body"], '{"image": "ü"}')
    equal("raw attributes", message["MessageAttributes"], attributes)
    envelope = json.loads(receive(wrapped, 1)[0]["Body"])
    found = {key: envelope.get(key) for key in ("Type", "MessageId", "TopicArn", "Subject", "Message")}
    expected = {"Type": "Notification", "MessageId": sent, "TopicArn": topic, "Subject": "New", "Message": '{"image": "ü"}'}
    equal("envelope", found, expected)
    equal("envelope's attributes", envelope["MessageAttributes"], {"kind": {"Type": "String", "Value": "photo"}})


@check("sns: a batch is published, and a filter policy chooses")
def _():
    topic = new_topic("filtered")
    every, _ = subscribed("every", topic, RawMessageDelivery="true")
    cats, _ = subscribed("cats", topic, RawMessageDelivery="true", FilterPolicy=json.dumps({"animal": ["cat"]}))
    entries = [
        {"Id": name, "Message": name, "MessageAttributes": {"animal": {"DataType": "String", "StringValue": name}}}
        for name in ("cat", "dog", "owl")
    ]
    answer = sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries)
    equal("entries that were published", sorted(e["Id"] for e in answer["Successful"]), ["cat", "dog", "owl"])
    equal("entries that were not", answer.get("Failed", []), [])
    equal("what the one queue got", sorted(m["Body"] for m in receive(every, 3)), ["cat", "dog", "owl"])
    equal("what the choosy one got", [m["Body"] for m in receive(cats, 1)], ["cat"])
    equal("and nothing else", sqs.receive_message(QueueUrl=cats).get("Messages", []), [])


@check("sns: a missing topic and what is not offered are clean errors")
def _():
    topic = new_topic("errors")
    refused(["NotFound", "NotFoundException"], 404, sns.publish, TopicArn=f"{topic}-none", Message="x")
    refused(["InvalidParameter"], 400, sns.subscribe, TopicArn=topic, Protocol="nonsense", Endpoint="x")
    try:
        sns.create_platform_application(Name="x", Platform="GCM", Attributes={})
    except ClientError as error:
        holds("a code and a message that name the operation", "CreatePlatformApplication" in str(error), str(error))
    else:
        raise Failed("expected CreatePlatformApplication to be refused, and it succeeded")
