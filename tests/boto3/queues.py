"""SQS."""

import json
import time

import boto3

from support import CONFIG, RUN, check, equal, holds, new_queue, queue_arn, receive, refused, sqs


@check("sqs: a queue is made, found by name, listed, and made again")
def _():
    url = new_queue("made", VisibilityTimeout="7")
    name = f"boto3-{RUN}-made"
    equal("get_queue_url", sqs.get_queue_url(QueueName=name)["QueueUrl"], url)
    equal("list_queues", sqs.list_queues(QueueNamePrefix=f"boto3-{RUN}-ma")["QueueUrls"], [url])
    equal("create_queue again", sqs.create_queue(QueueName=name, Attributes={"VisibilityTimeout": "7"})["QueueUrl"], url)
    refused(["QueueAlreadyExists", "QueueNameExists"], 400, sqs.create_queue, QueueName=name, Attributes={"VisibilityTimeout": "8"})


@check("sqs: attributes are read and set")
def _():
    url = new_queue("attributes")
    before = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    equal("visibility at first", before["VisibilityTimeout"], "30")
    holds("an ARN that ends with the name", before["QueueArn"].endswith(f":boto3-{RUN}-attributes"), before["QueueArn"])
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "5", "ReceiveMessageWaitTimeSeconds": "1"})
    after = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["VisibilityTimeout", "ReceiveMessageWaitTimeSeconds"])
    equal("what was set", after["Attributes"], {"VisibilityTimeout": "5", "ReceiveMessageWaitTimeSeconds": "1"})
    refused(["InvalidAttributeValue"], 400, sqs.set_queue_attributes, QueueUrl=url, Attributes={"VisibilityTimeout": "43201"})


@check("sqs: a message comes with its attributes, and is gone once deleted")
def _():
    url = new_queue("message")
    attributes = {
        "kind": {"DataType": "String", "StringValue": "photo"},
        "size": {"DataType": "Number", "StringValue": "42"},
        "raw": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
    }
    sent = sqs.send_message(QueueUrl=url, MessageBody='{"a": "ü <&>"}', MessageAttributes=attributes)
    [message] = receive(url, 1, AttributeNames=["All"], MessageAttributeNames=["All"])
    equal("MessageId", message["MessageId"], sent["MessageId"])
    equal("Body", message["Body"], '{"a": "ü <&>"}')
    equal("MD5OfBody", message["MD5OfBody"], sent["MD5OfMessageBody"])
    equal("MessageAttributes", message["MessageAttributes"], attributes)
    equal("ApproximateReceiveCount", message["Attributes"]["ApproximateReceiveCount"], "1")
    holds("when it was sent", abs(int(message["Attributes"]["SentTimestamp"]) / 1000 - time.time()) < 60, message["Attributes"])
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    counts = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    left = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=counts)["Attributes"]
    equal("messages that are left", left, dict.fromkeys(counts, "0"))


@check("sqs: batches are sent, hidden, shown again and deleted")
def _():
    url = new_queue("batch")
    answer = sqs.send_message_batch(QueueUrl=url, Entries=[{"Id": str(i), "MessageBody": f"m{i}"} for i in range(10)])
    equal("entries that were sent", sorted(e["Id"] for e in answer["Successful"]), sorted(map(str, range(10))))
    equal("entries that were not", answer.get("Failed", []), [])
    messages = receive(url, 10)
    equal("bodies", sorted(m["Body"] for m in messages), [f"m{i}" for i in range(10)])
    shown = sqs.change_message_visibility_batch(
        QueueUrl=url,
        Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"], "VisibilityTimeout": 0} for i, m in enumerate(messages)],
    )
    equal("entries that are shown again", len(shown["Successful"]), 10)
    again = receive(url, 10, AttributeNames=["ApproximateReceiveCount"])
    equal("receive counts", {m["Attributes"]["ApproximateReceiveCount"] for m in again}, {"2"})
    deleted = sqs.delete_message_batch(
        QueueUrl=url, Entries=[{"Id": str(i), "ReceiptHandle": m["ReceiptHandle"]} for i, m in enumerate(again)]
    )
    equal("entries that were deleted", (len(deleted["Successful"]), deleted.get("Failed", [])), (10, []))
    twice, codes = [{"Id": "same", "MessageBody": "x"}] * 2, ["AWS.SimpleQueueService.BatchEntryIdsNotDistinct"]
    refused(codes, 400, sqs.send_message_batch, QueueUrl=url, Entries=twice)


@check("sqs: a received message is hidden until its visibility ends")
def _():
    url = new_queue("visibility", VisibilityTimeout="600")
    sqs.send_message(QueueUrl=url, MessageBody="once")
    [first] = receive(url, 1)
    equal("messages while it is hidden", sqs.receive_message(QueueUrl=url).get("Messages", []), [])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=first["ReceiptHandle"], VisibilityTimeout=0)
    [second] = receive(url, 1)
    equal("the same message", second["MessageId"], first["MessageId"])
    sqs.change_message_visibility(QueueUrl=url, ReceiptHandle=second["ReceiptHandle"], VisibilityTimeout=1)
    equal("again once the second is over", receive(url, 1)[0]["MessageId"], first["MessageId"])


@check("sqs: a long poll waits for a delayed message, and no longer than it was told")
def _():
    url = new_queue("poll")
    begun = time.monotonic()
    equal("messages of an empty queue", sqs.receive_message(QueueUrl=url, WaitTimeSeconds=1).get("Messages", []), [])
    holds("a poll of about one second", 0.9 <= time.monotonic() - begun < 10, time.monotonic() - begun)
    sqs.send_message(QueueUrl=url, MessageBody="late", DelaySeconds=1)
    equal("messages before the delay is over", sqs.receive_message(QueueUrl=url).get("Messages", []), [])
    begun = time.monotonic()
    found = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=20).get("Messages", [])
    equal("messages of the long poll", [m["Body"] for m in found], ["late"])
    holds("an answer as soon as it is there", time.monotonic() - begun < 15, time.monotonic() - begun)


@check("sqs: a message that keeps failing goes to the dead-letter queue, and back")
def _():
    dead = new_queue("dead")
    policy = {"deadLetterTargetArn": queue_arn(dead), "maxReceiveCount": 2}
    url = new_queue("redrive", VisibilityTimeout="0", RedrivePolicy=json.dumps(policy))
    sent = sqs.send_message(QueueUrl=url, MessageBody="poison")
    for _ in range(2):
        receive(url, 1)
    equal("messages of the queue after two", sqs.receive_message(QueueUrl=url).get("Messages", []), [])
    [message] = receive(dead, 1, AttributeNames=["All"])
    equal("the dead letter", (message["MessageId"], message["Body"]), (sent["MessageId"], "poison"))
    equal("where it came from", message["Attributes"]["DeadLetterQueueSourceArn"], queue_arn(url))
    equal("sources of the dead-letter queue", sqs.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"], [url])
    sqs.change_message_visibility(QueueUrl=dead, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
    sqs.start_message_move_task(SourceArn=queue_arn(dead))
    equal("the message that was moved back", receive(url, 1)[0]["Body"], "poison")


@check("sqs: a purge leaves nothing")
def _():
    url = new_queue("purge")
    for i in range(3):
        sqs.send_message(QueueUrl=url, MessageBody=f"m{i}")
    sqs.purge_queue(QueueUrl=url)
    equal("messages after the purge", sqs.receive_message(QueueUrl=url).get("Messages", []), [])


@check("sqs: a missing queue, a bad handle and an unknown operation are clean errors")
def _():
    url = new_queue("errors")
    missing = ["AWS.SimpleQueueService.NonExistentQueue", "QueueDoesNotExist"]
    error = refused(missing, 400, sqs.get_queue_url, QueueName=f"boto3-{RUN}-none")
    holds("the SDK's own exception", isinstance(error, sqs.exceptions.QueueDoesNotExist), type(error))
    refused(missing, 400, sqs.send_message, QueueUrl=f"{url}-none", MessageBody="x")
    refused(["ReceiptHandleIsInvalid"], 400, sqs.delete_message, QueueUrl=url, ReceiptHandle="nonsense")
    refused(["InvalidParameterValue"], 400, sqs.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
    # An operation that no SQS has: the same client, with its model's name of one changed.
    other = boto3.client("sqs", config=CONFIG)
    other.meta.events.register(
        "before-call.sqs.ListQueues", lambda params, **_: params["headers"].update({"X-Amz-Target": "AmazonSQS.BrewCoffee"})
    )
    refused(["InvalidAction", "UnknownOperationException", "UnsupportedOperation"], 400, other.list_queues)
