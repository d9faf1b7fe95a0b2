"""Queues and topics that keep an order."""

import json

from support import RUN, check, equal, holds, queue_arn, receive, refused, remove, sns, sqs


def fifo_queue(name, **attributes):
    url = sqs.create_queue(QueueName=f"boto3-{RUN}-{name}.fifo", Attributes={"FifoQueue": "true", **attributes})["QueueUrl"]
    remove(sqs.delete_queue, QueueUrl=url)
    return url


def send(url, group, body, identity=None):
    return sqs.send_message(QueueUrl=url, MessageBody=body, MessageGroupId=group, MessageDeduplicationId=identity or body)


@check("fifo: a group is received in its order, and waits while one of it is in flight")
def _():
    url = fifo_queue("order")
    for group, body in [("a", "a1"), ("a", "a2"), ("b", "b1")]:
        send(url, group, body)
    [first] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=1, AttributeNames=["All"])["Messages"]
    equal("the first of the group", (first["Body"], first["Attributes"]["MessageGroupId"]), ("a1", "a"))
    [other] = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
    equal("what the other group has", other["Body"], "b1")
    sqs.delete_message(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"])
    equal("the next of the group", [m["Body"] for m in receive(url, 1)], ["a2"])


@check("fifo: a message is accepted once in five minutes")
def _():
    url = fifo_queue("once")
    first, again = send(url, "a", "x"), send(url, "b", "y", identity="x")
    equal("the second answer", (again["MessageId"], again["SequenceNumber"]), (first["MessageId"], first["SequenceNumber"]))
    holds("a sequence number of 20 digits", len(first["SequenceNumber"]) == 20, first["SequenceNumber"])
    equal("what was sent", [m["Body"] for m in receive(url, 1)], ["x"])
    refused(["MissingParameter"], 400, sqs.send_message, QueueUrl=url, MessageBody="x", MessageDeduplicationId="x")
    refused(["InvalidParameterValue"], 400, sqs.send_message, QueueUrl=url, MessageBody="x", MessageGroupId="g")
    refused(["InvalidParameterValue"], 400, sqs.create_queue, QueueName=f"boto3-{RUN}-standard.fifo")


@check("fifo: a topic hands its order on")
def _():
    url = fifo_queue("subscribed")
    attributes = {"FifoTopic": "true", "ContentBasedDeduplication": "true"}
    topic = sns.create_topic(Name=f"boto3-{RUN}-ordered.fifo", Attributes=attributes)["TopicArn"]
    remove(sns.delete_topic, TopicArn=topic)
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue_arn(url))
    numbers = [sns.publish(TopicArn=topic, Message=m, MessageGroupId="g")["SequenceNumber"] for m in ("1", "2", "2", "3")]
    holds("numbers that rise, and one twice", numbers == sorted(numbers) and len(set(numbers)) == 3, numbers)
    envelopes = [json.loads(m["Body"]) for m in receive(url, 3)]
    equal("messages in order", [e["Message"] for e in envelopes], ["1", "2", "3"])
    equal("their numbers", [e["SequenceNumber"] for e in envelopes], sorted(set(numbers)))
    refused(["InvalidParameter"], 400, sns.publish, TopicArn=topic, Message="x")
