"""Takes each stage through its life on an emulator of AWS, with decouple and with the AWS CLI, and prints wall times.

    bench.py DECOUPLE ROUNDS
"""

import json
import os
import pathlib
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

STAGES = ["elb", "elb-sqs", "sns-sqs"]
PATIENCE = 60
EMULATOR = pathlib.Path(__file__).resolve().parents[2] / "tests/emulator/start.py"
AWS = pathlib.Path(sys.executable).with_name("aws")
# The first group that each stage has: one number of it is what changes.
GROUPS = {"elb": "all", "elb-sqs": "web", "sns-sqs": "web"}


class Emulator:
    """An emulator of AWS with nothing in it, which ends with the block."""

    def __enter__(self):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "GATEWAY_PORT": str(port), "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0",
        }
        quiet = subprocess.DEVNULL
        self.process = subprocess.Popen(
            [sys.executable, str(EMULATOR)], env=os.environ | settings, stdout=quiet, stderr=quiet
        )
        deadline = time.monotonic() + PATIENCE
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("the emulator does not answer")
            time.sleep(0.02)
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    def answers(self):
        try:
            return urllib.request.urlopen(f"{self.url}/_ministack/health", timeout=5).status == 200
        except (urllib.error.URLError, ConnectionError):
            return False


class Site:
    """A blueprint in a directory of its own, and the programs that deploy it."""

    def __init__(self, decouple, stage, directory):
        self.decouple, self.stage, self.directory = decouple, stage, pathlib.Path(directory)
        (self.directory / "bundle.tar.gz").write_bytes(b"a bundle")
        self.write(3)

    def write(self, most):
        group = f"groups: {{ {GROUPS[self.stage]}: {{ instances: {{ min: 1, max: {most} }} }} }}"
        (self.directory / "decouple.yaml").write_text(f"stage: {self.stage}\ntarget: aws\n{group}\n")

    def run(self, url, *command):
        """Returns the seconds that a command takes, and what it prints."""
        settings = {
            "AWS_ENDPOINT_URL": url, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_REGION": "us-east-1", "AWS_DEFAULT_REGION": "us-east-1", "AWS_EC2_METADATA_DISABLED": "true",
            "DECOUPLE_HOME": str(self.directory / "home"),
        }
        begun = time.monotonic()
        ran = subprocess.run(command, cwd=self.directory, env=os.environ | settings, capture_output=True, text=True)
        seconds = time.monotonic() - begun
        if ran.returncode != 0:
            raise SystemExit(f"{' '.join(map(str, command))} ended with {ran.returncode}:\n{ran.stderr}")
        return seconds, ran.stdout


def ours(site):
    """Takes the site through its life with decouple. Returns seconds by step."""
    up = [site.decouple, "up", "--bundle", "bundle.tar.gz", "--no-wait", "--yes", "--output", "json"]
    seconds = {}
    with Emulator() as emulator:
        site.write(3)
        seconds["up"], _ = site.run(emulator.url, *up)
        seconds["status"], _ = site.run(emulator.url, site.decouple, "status", "--output", "json")
        seconds["up, unchanged"], _ = site.run(emulator.url, *up)
        site.write(5)
        seconds["up, one field changed"], told = site.run(emulator.url, *up)
        plan = next(event for event in map(json.loads, told.splitlines()) if event["event"] == "plan")
        site.changed = [change["resource"] for change in plan["changes"] if not change.get("follows")]
        teardown = [site.decouple, "teardown", "--delete-data", "--yes", "--output", "json"]
        seconds["teardown with data"], _ = site.run(emulator.url, *teardown)
    return seconds


def theirs(site):
    """Deploys the exported template, twice, and deletes it, with the AWS CLI."""
    exported = site.directory / "exported"
    site.run("", site.decouple, "export", "--dir", str(exported), "--bundle", "bundle.tar.gz")
    parameters = ["ArtifactBucket=artifacts", "ArtifactKey=bundles/x.tar.gz", f"ArtifactSha256={'0' * 64}"]
    deploy = [
        AWS, "cloudformation", "deploy", "--stack-name", "photos-dev", "--template-file", exported / "template.json",
        "--s3-bucket", "artifacts", "--capabilities", "CAPABILITY_NAMED_IAM", "--no-fail-on-empty-changeset",
        "--parameter-overrides", *parameters,
    ]
    seconds = {}
    with Emulator() as emulator:
        site.run(emulator.url, AWS, "s3", "mb", "s3://artifacts")
        seconds["aws cloudformation deploy"], _ = site.run(emulator.url, *deploy)
        # The CLI names change sets by the second.
        time.sleep(1)
        seconds["aws cloudformation deploy, unchanged"], _ = site.run(emulator.url, *deploy)
    return seconds


def main():
    decouple, rounds = str(pathlib.Path(sys.argv[1]).resolve()), int(sys.argv[2])
    for stage in STAGES:
        with tempfile.TemporaryDirectory() as directory:
            site = Site(decouple, stage, directory)
            taken = [ours(site) | theirs(site) for _ in range(rounds)]
            template = (site.directory / "exported/template.json").read_bytes()
        print(f"{stage}: {len(json.loads(template)['Resources'])} resources, template of {len(template)} bytes;", end=" ")
        print(f"one field changed: {', '.join(site.changed)}")
        for step in taken[0]:
            times = sorted(one[step] for one in taken)
            print(f"  {step:<40} {statistics.median(times):6.2f} s  ({times[0]:.2f} to {times[-1]:.2f})")


if __name__ == "__main__":
    main()
