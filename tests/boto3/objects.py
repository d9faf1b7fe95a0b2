"""S3."""

import io
import os
import urllib.error
import urllib.request

import boto3

from support import CONFIG, MEBIBYTE, Failed, check, equal, holds, new_bucket, refused, s3


@check("s3: a bucket is made, found and listed")
def _():
    bucket = new_bucket("made")
    s3.head_bucket(Bucket=bucket)
    holds("the bucket in the list", bucket in [b["Name"] for b in s3.list_buckets()["Buckets"]])
    s3.delete_bucket(Bucket=bucket)
    refused(["404", "NoSuchBucket"], 404, s3.head_bucket, Bucket=bucket)


@check("s3: an object comes back with its type, metadata and entity tag")
def _():
    bucket, body = new_bucket("object"), b"a photo's bytes \x00\xff"
    put = s3.put_object(
        Bucket=bucket, Key="a b/ü+%.txt", Body=body, ContentType="text/plain", CacheControl="max-age=60", Metadata={"taken-by": "me"}
    )
    for what, answer in {
        "get": (got := s3.get_object(Bucket=bucket, Key="a b/ü+%.txt")),
        "head": s3.head_object(Bucket=bucket, Key="a b/ü+%.txt"),
    }.items():
        equal(f"{what}: ETag", answer["ETag"], put["ETag"])
        equal(f"{what}: ContentType", answer["ContentType"], "text/plain")
        equal(f"{what}: CacheControl", answer["CacheControl"], "max-age=60")
        equal(f"{what}: Metadata", answer["Metadata"], {"taken-by": "me"})
        equal(f"{what}: ContentLength", answer["ContentLength"], len(body))
    equal("body", got["Body"].read(), body)


@check("s3: ranges, and conditions on the entity tag")
def _():
    bucket, body = new_bucket("range"), bytes(range(100))
    tag = s3.put_object(Bucket=bucket, Key="k", Body=body)["ETag"]
    part = s3.get_object(Bucket=bucket, Key="k", Range="bytes=10-19")
    equal("status of a range", part["ResponseMetadata"]["HTTPStatusCode"], 206)
    equal("ContentRange", part["ContentRange"], "bytes 10-19/100")
    equal("bytes 10 to 19", part["Body"].read(), body[10:20])
    equal("the last five bytes", s3.get_object(Bucket=bucket, Key="k", Range="bytes=-5")["Body"].read(), body[-5:])
    refused(["InvalidRange"], 416, s3.get_object, Bucket=bucket, Key="k", Range="bytes=100-")
    refused(["304", "NotModified"], 304, s3.get_object, Bucket=bucket, Key="k", IfNoneMatch=tag)
    refused(["PreconditionFailed"], 412, s3.get_object, Bucket=bucket, Key="k", IfMatch='"other"')
    refused(["PreconditionFailed"], 412, s3.put_object, Bucket=bucket, Key="k", Body=b"", IfNoneMatch="*")


@check("s3: listings by prefix and delimiter, in pages")
def _():
    bucket = new_bucket("list")
    keys = [f"p/{i:02}.jpg" for i in range(7)] + ["p/sub/a", "p/sub/b", "q/a", "z"]
    for key in keys:
        s3.put_object(Bucket=bucket, Key=key, Body=key.encode())
    pages = list(s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, PaginationConfig={"PageSize": 3}))
    equal("pages of three", len(pages), 4)
    equal("keys over all pages", [i["Key"] for p in pages for i in p["Contents"]], keys)
    equal("sizes over all pages", [i["Size"] for p in pages for i in p["Contents"]], [len(k) for k in keys])
    top = s3.list_objects_v2(Bucket=bucket, Delimiter="/")
    equal("common prefixes", [p["Prefix"] for p in top["CommonPrefixes"]], ["p/", "q/"])
    equal("keys without a prefix", [i["Key"] for i in top["Contents"]], ["z"])
    found = []
    for page in s3.get_paginator("list_objects_v2").paginate(
        Bucket=bucket, Prefix="p/", Delimiter="/", PaginationConfig={"PageSize": 2}
    ):
        found += [i["Key"] for i in page.get("Contents", [])] + [p["Prefix"] for p in page.get("CommonPrefixes", [])]
    equal("keys and prefixes under p/ in pages of two", found, keys[:7] + ["p/sub/"])
    equal("keys after p/06.jpg", [i["Key"] for i in s3.list_objects_v2(Bucket=bucket, StartAfter="p/06.jpg")["Contents"]], keys[7:])
    old = s3.list_objects(Bucket=bucket, MaxKeys=4)
    equal("the older listing's first four", [i["Key"] for i in old["Contents"]], keys[:4])
    equal("the older listing is truncated", old["IsTruncated"], True)


@check("s3: copies, with the metadata kept and replaced")
def _():
    bucket = new_bucket("copy")
    s3.put_object(Bucket=bucket, Key="from", Body=b"1", ContentType="image/png", Metadata={"a": "1"})
    s3.copy_object(Bucket=bucket, Key="kept", CopySource={"Bucket": bucket, "Key": "from"})
    s3.copy_object(
        Bucket=bucket, Key="new", CopySource={"Bucket": bucket, "Key": "from"}, MetadataDirective="REPLACE", Metadata={"b": "2"}
    )
    kept, new = (s3.get_object(Bucket=bucket, Key=key) for key in ("kept", "new"))
    equal("metadata that was kept", (kept["Metadata"], kept["ContentType"]), ({"a": "1"}, "image/png"))
    equal("metadata that was replaced", new["Metadata"], {"b": "2"})
    equal("bodies of both", (kept["Body"].read(), new["Body"].read()), (b"1", b"1"))
    refused(["NoSuchKey"], 404, s3.copy_object, Bucket=bucket, Key="x", CopySource={"Bucket": bucket, "Key": "none"})


@check("s3: deleting one, many, and what is not there")
def _():
    bucket = new_bucket("delete")
    for key in ("a", "b", "c&<d>"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")
    refused(["BucketNotEmpty"], 409, s3.delete_bucket, Bucket=bucket)
    s3.delete_object(Bucket=bucket, Key="a")
    equal("status of deleting it again", s3.delete_object(Bucket=bucket, Key="a")["ResponseMetadata"]["HTTPStatusCode"], 204)
    answer = s3.delete_objects(Bucket=bucket, Delete={"Objects": [{"Key": k} for k in ("b", "c&<d>", "never")]})
    equal("what delete_objects says", sorted(d["Key"] for d in answer["Deleted"]), ["b", "c&<d>", "never"])
    equal("errors of delete_objects", answer.get("Errors", []), [])
    equal("keys that are left", s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)


@check("s3: 12 MB by parts through upload_fileobj, and back")
def _():
    bucket, block = new_bucket("multipart"), os.urandom(MEBIBYTE)
    body = b"".join(bytes([i]) + block[1:] for i in range(12))
    s3.upload_fileobj(io.BytesIO(body), bucket, "large", ExtraArgs={"ContentType": "image/jpeg", "Metadata": {"parts": "yes"}})
    head = s3.head_object(Bucket=bucket, Key="large")
    holds("an entity tag of two parts", head["ETag"].endswith('-2"'), head["ETag"])
    equal("facts", (head["ContentLength"], head["ContentType"], head["Metadata"]), (len(body), "image/jpeg", {"parts": "yes"}))
    back = io.BytesIO()
    s3.download_fileobj(bucket, "large", back)
    holds("the same bytes back", back.getvalue() == body)
    across = s3.get_object(Bucket=bucket, Key="large", Range=f"bytes={8 * MEBIBYTE - 3}-{8 * MEBIBYTE + 2}")["Body"].read()
    equal("bytes where two parts meet", across, body[8 * MEBIBYTE - 3 : 8 * MEBIBYTE + 3])


@check("s3: an upload by parts can be listed and given up")
def _():
    bucket = new_bucket("abort")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="k")["UploadId"]
    part = s3.upload_part(Bucket=bucket, Key="k", UploadId=upload, PartNumber=1, Body=b"x" * 1000)
    parts = s3.list_parts(Bucket=bucket, Key="k", UploadId=upload)["Parts"]
    equal("parts", [(p["PartNumber"], p["Size"], p["ETag"]) for p in parts], [(1, 1000, part["ETag"])])
    equal("uploads", [u["UploadId"] for u in s3.list_multipart_uploads(Bucket=bucket)["Uploads"]], [upload])
    s3.abort_multipart_upload(Bucket=bucket, Key="k", UploadId=upload)
    refused(["NoSuchUpload"], 404, s3.list_parts, Bucket=bucket, Key="k", UploadId=upload)
    equal("objects", s3.list_objects_v2(Bucket=bucket)["KeyCount"], 0)


@check("s3: a presigned URL needs no key, and holds for its own object only")
def _():
    bucket = new_bucket("presigned")
    s3.put_object(Bucket=bucket, Key="a b", Body=b"signed")
    s3.put_object(Bucket=bucket, Key="other", Body=b"not signed")
    url = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": "a b"}, ExpiresIn=60)
    with urllib.request.urlopen(url, timeout=10) as answer:
        equal("body", answer.read(), b"signed")
    for what, wrong in {
        "another object": url.replace("a%20b", "other"),
        "no signature": url.split("?", maxsplit=1)[0],
    }.items():
        try:
            with urllib.request.urlopen(wrong, timeout=10):
                raise Failed(f"expected a refusal of {what}, and it was served")
        except urllib.error.HTTPError as error:
            equal(f"status with {what}", error.code, 403)


@check("s3: what is archived is read once it is restored")
def _():
    bucket = new_bucket("archived")
    s3.put_object(Bucket=bucket, Key="k", Body=b"cold", StorageClass="GLACIER")
    refused(["InvalidObjectState"], 403, s3.get_object, Bucket=bucket, Key="k")
    for status in (202, 200):
        answer = s3.restore_object(Bucket=bucket, Key="k", RestoreRequest={"Days": 1})
        equal("status of a restoration", answer["ResponseMetadata"]["HTTPStatusCode"], status)
    equal("body", s3.get_object(Bucket=bucket, Key="k")["Body"].read(), b"cold")


@check("s3: a missing bucket and a missing key are told apart")
def _():
    bucket = new_bucket("missing")
    refused(["NoSuchKey"], 404, s3.get_object, Bucket=bucket, Key="none")
    refused(["404"], 404, s3.head_object, Bucket=bucket, Key="none")
    refused(["NoSuchBucket"], 404, s3.get_object, Bucket=f"{bucket}-none", Key="none")
    refused(["NoSuchBucket"], 404, s3.list_objects_v2, Bucket=f"{bucket}-none")
    refused(["NoSuchBucket"], 404, s3.put_object, Bucket=f"{bucket}-none", Key="k", Body=b"")


@check("s3: a wrong secret is refused, and what is not offered says so")
def _():
    bucket = new_bucket("refused")
    stranger = boto3.client("s3", config=CONFIG, aws_secret_access_key="not-the-secret", aws_access_key_id=os.environ["AWS_ACCESS_KEY_ID"])
    refused(["SignatureDoesNotMatch"], 403, stranger.list_objects_v2, Bucket=bucket)
    refused(["NotImplemented"], 501, s3.get_object_torrent, Bucket=bucket, Key="k")
