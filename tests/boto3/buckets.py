"""S3: versions, events, settings, and pages."""

import json
import urllib.error
import urllib.request
import uuid

from support import MEBIBYTE, check, equal, holds, new_bucket, new_queue, queue_arn, refused, s3, sqs


@check("s3: versions stay until they are deleted by their ids")
def _():
    bucket = new_bucket("versions")
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first, second = (s3.put_object(Bucket=bucket, Key="k", Body=body)["VersionId"] for body in (b"1", b"2"))
    marker = s3.delete_object(Bucket=bucket, Key="k")
    equal("DeleteMarker", marker["DeleteMarker"], True)
    refused(["NoSuchKey"], 404, s3.get_object, Bucket=bucket, Key="k")
    refused(["405", "MethodNotAllowed"], 405, s3.head_object, Bucket=bucket, Key="k", VersionId=marker["VersionId"])
    equal("the first version", s3.get_object(Bucket=bucket, Key="k", VersionId=first)["Body"].read(), b"1")
    pages = list(s3.get_paginator("list_object_versions").paginate(Bucket=bucket, PaginationConfig={"PageSize": 1}))
    equal("versions over all pages", [v["VersionId"] for p in pages for v in p.get("Versions", [])], [second, first])
    refused(["BucketNotEmpty"], 409, s3.delete_bucket, Bucket=bucket)
    for version in (first, second, marker["VersionId"]):
        s3.delete_object(Bucket=bucket, Key="k", VersionId=version)
    s3.delete_bucket(Bucket=bucket)


@check("s3: a queue is told what comes and goes")
def _():
    bucket, queue = new_bucket("events"), new_queue("events")
    wanted = {"QueueArn": queue_arn(queue), "Events": ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]}
    wanted["Filter"] = {"Key": {"FilterRules": [{"Name": "suffix", "Value": ".jpg"}]}}
    s3.put_bucket_notification_configuration(Bucket=bucket, NotificationConfiguration={"QueueConfigurations": [wanted]})
    s3.put_object(Bucket=bucket, Key="a b.jpg", Body=b"x")
    s3.put_object(Bucket=bucket, Key="a.png", Body=b"x")
    s3.delete_object(Bucket=bucket, Key="a b.jpg")
    bodies = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            bodies.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    equal("the first message", bodies[0]["Event"], "s3:TestEvent")
    records = [record for body in bodies[1:] for record in body["Records"]]
    found = [(record["eventName"], record["s3"]["object"]["key"]) for record in records]
    equal("events", found, [("ObjectCreated:Put", "a+b.jpg"), ("ObjectRemoved:Delete", "a+b.jpg")])


@check("s3: settings of buckets are kept and answered")
def _():
    bucket = new_bucket("settings")
    refused(["NoSuchCORSConfiguration"], 404, s3.get_bucket_cors, Bucket=bucket)
    refused(["NoSuchTagSet"], 404, s3.get_bucket_tagging, Bucket=bucket)
    rules = [{"AllowedMethods": ["GET"], "AllowedOrigins": ["http://localhost:3000"], "MaxAgeSeconds": 5}]
    s3.put_bucket_cors(Bucket=bucket, CORSConfiguration={"CORSRules": rules})
    equal("CORS", s3.get_bucket_cors(Bucket=bucket)["CORSRules"], rules)
    rules = [{"ID": "a", "Status": "Enabled", "Filter": {"Prefix": "tmp/"}, "Expiration": {"Days": 1}}]
    s3.put_bucket_lifecycle_configuration(Bucket=bucket, LifecycleConfiguration={"Rules": rules})
    equal("lifecycle", s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"], rules)
    tags = [{"Key": "team", "Value": "a b"}]
    s3.put_bucket_tagging(Bucket=bucket, Tagging={"TagSet": tags})
    equal("tags", s3.get_bucket_tagging(Bucket=bucket)["TagSet"], tags)
    algorithm = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]["Rules"][0]
    equal("encryption", algorithm["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"], "AES256")


@check("s3: a presigned form stores its file, and no larger one")
def _():
    bucket = new_bucket("form")
    form = s3.generate_presigned_post(bucket, "in/${filename}", Conditions=[["content-length-range", 1, MEBIBYTE]], ExpiresIn=60)
    equal("status", post(form, b"a photo"), 204)
    equal("body", s3.get_object(Bucket=bucket, Key="in/cat.jpg")["Body"].read(), b"a photo")
    equal("status of a file that is too large", post(form, b"x" * (MEBIBYTE + 1)), 400)
    form["fields"]["key"] = "out/cat.jpg"
    equal("status with another key", post(form, b"a photo"), 403)


def post(form, content):
    boundary = uuid.uuid4().hex
    parts = [f'Content-Disposition: form-data; name="{n}"\r\n\r\n{v}'.encode() for n, v in form["fields"].items()]
    parts.append(b'Content-Disposition: form-data; name="file"; filename="cat.jpg"\r\n\r\n' + content)
    body = b"".join(f"--{boundary}\r\n".encode() + part + b"\r\n" for part in parts) + f"--{boundary}--\r\n".encode()
    request = urllib.request.Request(form["url"], body, {"Content-Type": f"multipart/form-data; boundary={boundary}"})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


@check("s3: checksums, and what an object's attributes say")
def _():
    bucket = new_bucket("checksums")
    # The others are in a package of their own.
    for algorithm in ("CRC32", "SHA1", "SHA256"):
        put = s3.put_object(Bucket=bucket, Key="k", Body=b"123456789", ChecksumAlgorithm=algorithm)
        field = f"Checksum{algorithm}"
        head = s3.head_object(Bucket=bucket, Key="k", ChecksumMode="ENABLED")
        equal(f"{algorithm} of the head", head[field], put[field])
        attributes = s3.get_object_attributes(Bucket=bucket, Key="k", ObjectAttributes=["Checksum", "ObjectSize", "ETag"])
        equal(f"{algorithm} of the attributes", attributes["Checksum"][field], put[field])
        equal("size and tag", (attributes["ObjectSize"], attributes["ETag"]), (9, put["ETag"].strip('"')))
    refused(["BadDigest"], 400, s3.put_object, Bucket=bucket, Key="k", Body=b"x", ChecksumSHA256="A" * 43 + "=")


@check("s3: a public object is read without a signature, once its bucket takes access control lists")
def _():
    bucket = new_bucket("public")
    refused(["AccessControlListNotSupported"], 400, s3.put_object, Bucket=bucket, Key="k", Body=b"x", ACL="public-read")
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    s3.delete_public_access_block(Bucket=bucket)
    s3.put_object(Bucket=bucket, Key="k", Body=b"a photo", ACL="public-read")
    grants = s3.get_object_acl(Bucket=bucket, Key="k")["Grants"]
    equal("permissions", [grant["Permission"] for grant in grants], ["FULL_CONTROL", "READ"])
    url = f"{s3.meta.endpoint_url}/{bucket}/k"
    with urllib.request.urlopen(url, timeout=10) as answer:
        equal("body", answer.read(), b"a photo")
    s3.put_object_acl(Bucket=bucket, Key="k", ACL="private")
    try:
        urllib.request.urlopen(url, timeout=10)
    except urllib.error.HTTPError as error:
        equal("status of a private object", error.code, 403)
    else:
        holds("a private object to be refused", False)
