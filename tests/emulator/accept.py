"""Deploys templates to an emulator of AWS that it starts, and says which ones are refused.

    accept.py DIRECTORY

Every file of DIRECTORY/variants becomes a stack and is deleted again. The files of DIRECTORY/stages become one stack, one after
the other in the order of their names, as a site that grows: what must stay then has to be what it was.
"""

import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request

import boto3
import botocore.exceptions

PATIENCE = 60
INLINE_LIMIT = 51_200
BUCKET = "artifacts"
NETWORK = "vpc-0123456789abcdef0"
SUBNETS = [f"subnet-{number:017}" for number in range(1, 6)]
STAYS = ["Vpc", "Balancer", "TargetGroup", "Bucket", "Catalog"]
PARAMETERS = {"ArtifactBucket": BUCKET, "ArtifactKey": "bundles/x.tar.gz", "ArtifactSha256": "0" * 64}


def wait(what, condition):
    deadline = time.monotonic() + PATIENCE
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise SystemExit(f"waited {PATIENCE} s for {what}")
        time.sleep(0.02)
    return found


def start():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = {
        "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0",
    }
    program = [sys.executable, str(pathlib.Path(__file__).with_name("start.py"))]
    log = subprocess.DEVNULL
    process = subprocess.Popen(program, env={**os.environ, **settings}, stdout=log, stderr=log)
    return process, f"http://127.0.0.1:{port}"


def answers(process, url):
    if process.poll() is not None:
        raise SystemExit(f"the emulator ended with {process.returncode}")
    try:
        return urllib.request.urlopen(f"{url}/_ministack/health", timeout=5).status == 200
    except (urllib.error.URLError, ConnectionError):
        return False


class Emulator:
    def __init__(self, url):
        own = {
            "endpoint_url": url, "region_name": "us-east-1", "aws_access_key_id": "test", "aws_secret_access_key": "test",
        }
        self.url = url
        self.stacks = boto3.client("cloudformation", **own)
        self.bucket = boto3.client("s3", **own)
        self.bucket.create_bucket(Bucket=BUCKET)
        self.network = self.make_network(boto3.client("ec2", **own))

    def make_network(self, client):
        """Makes the network that some templates name. Returns by the ids that they have for it those that it got."""
        vpc = client.create_vpc(CidrBlock="10.9.0.0/16")["Vpc"]["VpcId"]
        made = {NETWORK: vpc}
        for number, name in enumerate(SUBNETS):
            zone = "us-east-1" + "ab"[number % 2]
            subnet = client.create_subnet(VpcId=vpc, CidrBlock=f"10.9.{number}.0/24", AvailabilityZone=zone)
            made[name] = subnet["Subnet"]["SubnetId"]
        return made

    def source(self, file):
        text = file.read_text()
        for name, made in self.network.items():
            text = text.replace(f'"{name}"', f'"{made}"')
        if len(text) <= INLINE_LIMIT:
            return {"TemplateBody": text}
        self.bucket.put_object(Bucket=BUCKET, Key=file.name, Body=text)
        return {"TemplateURL": f"{self.url}/{BUCKET}/{file.name}"}

    def status(self, stack):
        try:
            found = self.stacks.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except botocore.exceptions.ClientError:
            return "GONE"
        return "" if found.endswith("_IN_PROGRESS") else found

    def deploy(self, file, stack, kind):
        """Deploys a template through a change set, as decouple does. Returns what was wrong."""
        parameters = [{"ParameterKey": key, "ParameterValue": value} for key, value in PARAMETERS.items()]
        change = {"StackName": stack, "ChangeSetName": f"to-{file.stem}"}
        self.stacks.create_change_set(
            ChangeSetType=kind, Capabilities=["CAPABILITY_IAM"], Parameters=parameters, **change, **self.source(file)
        )
        self.stacks.execute_change_set(**change)
        status = wait(f"{file.name} to be deployed", lambda: self.status(stack))
        if status == f"{kind}_COMPLETE":
            return []
        events = self.stacks.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        return [f"{file.name}: {status}"] + [
            f"    {event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed
        ]

    def delete(self, stack):
        self.stacks.delete_stack(StackName=stack)
        status = wait(f"{stack} to go", lambda: self.status(stack))
        return [] if status in ("GONE", "DELETE_COMPLETE") else [f"{stack}: {status}"]

    def what_stays(self, stack):
        resources = self.stacks.list_stack_resources(StackName=stack)["StackResourceSummaries"]
        ids = {one["LogicalResourceId"]: one["PhysicalResourceId"] for one in resources}
        return {name: ids[name] for name in STAYS}


def check(emulator, directory):
    for file in sorted((directory / "variants").iterdir()):
        yield from emulator.deploy(file, file.stem, "CREATE")
        yield from emulator.delete(file.stem)
    before = None
    for file in sorted((directory / "stages").iterdir()):
        yield from emulator.deploy(file, "photos-dev", "UPDATE" if before else "CREATE")
        now = emulator.what_stays("photos-dev")
        if before and now != before:
            yield f"{file.name}: {before} became {now}"
        before = now


def main():
    process, url = start()
    try:
        wait("the emulator to answer", lambda: answers(process, url))
        wrong = list(check(Emulator(url), pathlib.Path(sys.argv[1])))
    finally:
        process.terminate()
        process.wait(PATIENCE)
    print("\n".join(wrong), end="")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
