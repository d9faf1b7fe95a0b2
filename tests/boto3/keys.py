"""Who is let in."""

import boto3

from support import CONFIG, check, refused


@check("keys: one that nobody has is refused by every service, in its own words")
def _():
    stranger = {"config": CONFIG, "aws_access_key_id": "AKIANOBODY", "aws_secret_access_key": "x"}
    refused(["InvalidClientTokenId", "UnrecognizedClientException"], 403, boto3.client("sqs", **stranger).list_queues)
    refused(["InvalidClientTokenId", "UnrecognizedClientException"], 403, boto3.client("sns", **stranger).list_topics)
    refused(["InvalidAccessKeyId"], 403, boto3.client("s3", **stranger).list_buckets)
