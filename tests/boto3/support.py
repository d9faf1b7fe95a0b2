"""What the checks share: clients, names of their own that are removed at the end, and how a check says what it expected."""

import contextlib
import time
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

RUN = uuid.uuid4().hex[:12]
# Bucket names go into the path: there are no names below 127.0.0.1. One attempt, so that a fault is seen and not retried.
CONFIG = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=60)
MEBIBYTE = 1024 * 1024

s3 = boto3.client("s3", config=CONFIG)
sqs = boto3.client("sqs", config=CONFIG)
sns = boto3.client("sns", config=CONFIG)


class Failed(Exception):
    """A check that did not hold."""


def equal(what, found, expected):
    if found != expected:
        raise Failed(f"{what}: expected {brief(expected)}, found {brief(found)}")


def holds(what, condition, found=None):
    if not condition:
        raise Failed(f"expected {what}" + ("" if found is None else f", found {brief(found)}"))


def brief(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:300]}... ({len(text)} characters)"


def refused(codes, status, call, **arguments):
    """Expects a call to be refused with one of the codes, as the service itself would."""
    try:
        answer = call(**arguments)
    except ClientError as error:
        code, found = error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]
        holds(f"the code to be one of {codes}", code in codes, code)
        equal(f"HTTP status of {code}", found, status)
        return error
    raise Failed(f"expected {codes}, and the call succeeded: {brief(answer)}")


CHECKS = []


def check(name):
    def add(function):
        CHECKS.append((name, function))
        return function

    return add


# What is made, is noted here with how it is removed; the last made goes first.
undo = contextlib.ExitStack()


def remove(call, **arguments):
    """Removes at the end what may be gone already."""

    def gone():
        with contextlib.suppress(ClientError):
            call(**arguments)

    undo.callback(gone)


def new_bucket(name):
    bucket = f"boto3-{RUN}-{name}"
    s3.create_bucket(Bucket=bucket, **location())

    def empty():
        with contextlib.suppress(ClientError):
            for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket):
                for item in page.get("Contents", []):
                    s3.delete_object(Bucket=bucket, Key=item["Key"])
            s3.delete_bucket(Bucket=bucket)

    undo.callback(empty)
    return bucket


def location():
    # S3 refuses a constraint that names its first region.
    region = s3.meta.region_name
    return {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}


def new_queue(name, **attributes):
    url = sqs.create_queue(QueueName=f"boto3-{RUN}-{name}", Attributes=attributes)["QueueUrl"]
    remove(sqs.delete_queue, QueueUrl=url)
    return url


def queue_arn(url):
    return sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]


def new_topic(name):
    arn = sns.create_topic(Name=f"boto3-{RUN}-{name}")["TopicArn"]
    remove(sns.delete_topic, TopicArn=arn)
    return arn


def receive(url, count, seconds=20, **arguments):
    """Receives messages until there are so many, deleting none."""
    messages, deadline = [], time.monotonic() + seconds
    while len(messages) < count and time.monotonic() < deadline:
        answer = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=2, **arguments)
        messages += answer.get("Messages", [])
    equal(f"messages within {seconds} s", len(messages), count)
    return messages
