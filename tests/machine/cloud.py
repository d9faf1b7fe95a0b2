"""The rest of AWS: an emulator, in which the exported template becomes a stack, and what the stack tells its instances."""

import base64
import io
import json
import pathlib
import subprocess
import sys
import tarfile

import boto3

from waiting import Failed, until

sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "emulator"))
import accept  # noqa: E402  (it stands beside the emulator)

BUCKET = "artifacts"
STACK = "photos-dev"
BLUEPRINT = {
    "stage": "elb-sqs",
    "environment": {
        "GREETING": "a \"quoted\" ${Word} $HOME \\ `x`",
        # Named as a parameter of the template is.
        "ArtifactKey": "one\n  'two' %h \\\n# ;three\\n\n",
        "EMPTY": "",
    },
}


def bundle(files):
    """Packs a bundle of contents by name, as `up` ships it."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", compresslevel=1) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o755 if name == "decouple-worker" else 0o644
            # Whoever packed it owns nothing on an instance.
            entry.uid = entry.gid = 1000
            archive.addfile(entry, io.BytesIO(content))
    return packed.getvalue()


def export(program, work, content):
    """Exports the template for a bundle. Returns the directory."""
    work.mkdir()
    (work / "decouple.yaml").write_text(json.dumps(BLUEPRINT))
    (work / "bundle.tar.gz").write_bytes(content)
    command = [program, "export", "--dir", "out", "--bundle", "bundle.tar.gz", "--artifact-bucket", BUCKET]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, command))}: {done.stderr}")
    return work / "out"


class Cloud:
    def __init__(self):
        self.process, self.url = accept.start()
        until("the emulator to answer", lambda: accept.answers(self.process, self.url))
        self.client("s3").create_bucket(Bucket=BUCKET)

    def client(self, service):
        return boto3.client(
            service, endpoint_url=self.url, region_name="us-east-1", aws_access_key_id="test", aws_secret_access_key="test"
        )

    def upload(self, directory):
        """Uploads what was exported, but for template and parameters."""
        for file in (directory / "bundles").iterdir():
            self.client("s3").upload_file(str(file), BUCKET, f"bundles/{file.name}")

    def deploy(self, directory, **other):
        parameters = json.loads((directory / "parameters.json").read_text())
        for parameter in parameters:
            parameter["ParameterValue"] = other.get(parameter["ParameterKey"], parameter["ParameterValue"])
        self.client("s3").upload_file(str(directory / "template.json"), BUCKET, "template.json")
        stacks = self.client("cloudformation")
        stacks.create_stack(
            StackName=STACK, TemplateURL=f"{self.url}/{BUCKET}/template.json", Parameters=parameters,
            Capabilities=["CAPABILITY_IAM"],
        )

        def made():
            stack = stacks.describe_stacks(StackName=STACK)["Stacks"][0]
            return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

        stack = until("the stack", made)
        if stack["StackStatus"] != "CREATE_COMPLETE":
            raise Failed(f"the stack is {stack['StackStatus']}")
        return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}

    def user_data(self, group):
        """Returns what an instance of a group is told, with all put in that the stack knows."""
        resource = self.client("cloudformation").describe_stack_resource(
            StackName=STACK, LogicalResourceId=f"{group.capitalize()}LaunchTemplate"
        )
        [version] = self.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=resource["StackResourceDetail"]["PhysicalResourceId"], Versions=["$Latest"]
        )["LaunchTemplateVersions"]
        return base64.b64decode(version["LaunchTemplateData"]["UserData"]).decode()

    def login(self, outputs):
        secret = self.client("secretsmanager").get_secret_value(SecretId=outputs["CatalogSecretArn"])
        return json.loads(secret["SecretString"])

    def log(self, group, stream):
        """Returns what is in a group's log."""
        client = self.client("logs")
        try:
            events = client.get_log_events(logGroupName=f"/decouple/photos/dev/{group}", logStreamName=stream)["events"]
        except client.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events]

    def stop(self):
        self.process.terminate()
        self.process.wait(60)
