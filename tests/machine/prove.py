"""Proves on a clean machine what an instance does at its first boot.

    prove.py BASE WORK DECOUPLE [BUNDLE]

BASE is the machine's root directory, WORK an empty one for what is written, DECOUPLE the program whose exported template is proven.
BUNDLE is a directory with the parts of the worker bundle. Without it only what needs no worker of ours is proven, with stand-ins.

`run`, beside this file, gives all that, and a network of its own.
"""

import contextlib
import json
import os
import pathlib
import re
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import metadata
from cloud import BLUEPRINT, Cloud, bundle, export
from database import Authority, Database
from machine import FILES, Machine
from waiting import holds, until

REPOSITORY = pathlib.Path(__file__).parents[2]
HEALTH = "http://127.0.0.1:8080/healthz"
WEB = "127.0.0.1:8081"
SIGNAL = {"stack": "photos-dev", "resource": "ProcessGroup", "region": metadata.REGION}
BOOT = 60
# The script gives a worker up when it has ended twenty times, three seconds apart.
GIVEN_UP = 180


def stand_in(worker):
    return {
        "decouple-worker": (FILES / worker).read_bytes(),
        "decouple-worker.service": (REPOSITORY / "worker/decouple-worker.service").read_bytes(),
        "rds-ca.pem": (REPOSITORY / "worker/rds-ca.pem").read_bytes(),
    }


def parts(directory):
    return {file.name: file.read_bytes() for file in sorted(directory.iterdir())}


class Case:
    """A cloud and a machine in it. What was started is stopped, whatever became of it."""

    def __init__(self, base, work, decouple, name):
        self.base, self.work, self.decouple = base, work / name, decouple
        self.work.mkdir(parents=True)
        self.open = contextlib.ExitStack()

    def __enter__(self):
        self.cloud = Cloud()
        self.open.callback(self.cloud.stop)
        return self

    def __exit__(self, *_):
        self.open.close()

    def deploy(self, files, **other):
        self.exported = export(self.decouple, self.work / "export", bundle(files))
        self.outputs = self.cloud.deploy(self.exported, **other)
        hosts = ["localhost", self.outputs["CatalogAddress"]]
        self.hosts = "".join(f"127.0.0.1 {name}\n" for name in hosts)

    def start_database(self, authority):
        login = self.cloud.login(self.outputs)
        address = self.outputs["CatalogAddress"]
        database = Database(self.work / "database", authority, address, login["username"], login["password"])
        self.open.callback(database.stop)

    def boot(self, agent=True):
        self.machine = Machine(self.base, self.work / "machine")
        self.open.callback(self.machine.stop)
        self.machine.prepare(self.cloud.user_data("process"), self.cloud.url, self.hosts, agent)
        self.machine.boot()

    def start_web(self, files):
        """Starts the worker that takes uploads, beside the machine, since both would serve on one port."""
        directory = self.work / "web"
        directory.mkdir()
        for name, content in files.items():
            (directory / name).write_bytes(content)
        (directory / "decouple-worker").chmod(0o755)
        # This process has a view of the file system of its own.
        (directory / "hosts").write_text(self.hosts)
        subprocess.run(["mount", "--bind", directory / "hosts", "/etc/hosts"], check=True)
        self.open.callback(subprocess.run, ["umount", "/etc/hosts"], check=False)
        environment = {
            **environment_of(self.cloud.user_data("web")),
            "DECOUPLE_LISTEN": WEB, "AWS_ENDPOINT_URL": self.cloud.url, "AWS_REGION": metadata.REGION,
            "PGSSLMODE": "verify-full", "PGSSLROOTCERT": str(directory / "rds-ca.pem"),
        }
        with open(directory / "log", "wb") as log:
            web = subprocess.Popen([directory / "decouple-worker"], env=environment, stdout=log, stderr=log)
        self.open.callback(web.wait, 60)
        self.open.callback(web.terminate)
        until("the worker that takes uploads", lambda: web.poll() is not None or answers(f"http://{WEB}/healthz")[0] == 200)
        holds("the worker that takes uploads runs", web.poll() is None, (directory / "log").read_text())


def environment_of(script):
    """Returns the environment that a script writes for the worker: the rules of a shell are those of systemd here."""
    lines = script.split("<<'END_OF_THE_ENVIRONMENT'\n")[1].split("END_OF_THE_ENVIRONMENT\n")[0]
    done = subprocess.run(["sh", "-c", f"set -a\n{lines}\nenv -0"], env={}, capture_output=True, text=True, check=True)
    variables = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if entry)
    return {name: value for name, value in variables.items() if name != "PWD"}


def answers(url):
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()
    except (urllib.error.URLError, ConnectionError, TimeoutError) as error:
        return 0, str(error).encode()


def confined(machine):
    """The worker runs as nobody in particular, may gain nothing, and was told what the blueprint says."""
    process = until("the worker's process", machine.worker)
    status = dict(re.findall(r"^(\w+):\s+(.*)$", (process / "status").read_text(), re.MULTILINE))
    user = status["Uid"].split()[0]
    holds("the worker's user is one of systemd's dynamic ones", 61184 <= int(user) <= 65519, user)
    for name, wanted in {"NoNewPrivs": "1", "Seccomp": "2", "CapEff": "0" * 16, "CapBnd": "0" * 16}.items():
        holds(f"{name} of the worker is {wanted}", status[name] == wanted, status[name])
    environment = dict(entry.split("=", 1) for entry in (process / "environ").read_text().split("\0") if entry)
    for name, wanted in {
        **BLUEPRINT["environment"],
        "DECOUPLE_INSTANCE": metadata.INSTANCE,
        "DECOUPLE_ROLE": "process",
        "DECOUPLE_LISTEN": "127.0.0.1:8080",
        "DECOUPLE_RENDITIONS": '{"widths":[2048,1080,480,160],"quality":80,"format":"jpeg"}',
        "AWS_REGION": metadata.REGION,
        "PGSSLMODE": "verify-full",
        "PGSSLROOTCERT": "/etc/decouple/rds-ca.pem",
    }.items():
        holds(f"{name} of the worker is {wanted}", environment.get(name) == wanted, environment.get(name))
    # It cannot write where it is, nor anywhere else on the disk.
    for path in ["opt/decouple", "etc/decouple", "var/log/decouple"]:
        for file in [machine.root / path, *(machine.root / path).iterdir()]:
            stat = file.stat()
            holds(f"{file} is root's", stat.st_uid == 0 and stat.st_mode & 0o022 == 0, oct(stat.st_mode))


def ships_logs(machine):
    asked = until("the agent to be started", lambda: machine.read("/var/lib/agent.log"))
    holds("the agent is given our settings", "file:/etc/decouple/cloudwatch.json" in asked, asked)
    settings = json.loads(machine.read("/etc/decouple/cloudwatch.json"))
    files = settings["logs"]["logs_collected"]["files"]["collect_list"]
    for file in files:
        holds(f"{file} is of the group", file["log_group_name"] == "/decouple/photos/dev/process")
        holds(f"{file['file_path']} is there", (machine.root / file["file_path"].lstrip("/")).exists())
    rotate = ["chroot", machine.root, "logrotate", "--force", "--state", "/tmp/state", "/etc/logrotate.d/decouple"]
    done = subprocess.run(rotate, capture_output=True, text=True)
    holds("logs are rotated", done.returncode == 0 and machine.read("/var/log/decouple/boot.log") == "", done.stderr)
    holds("an old log is kept", (machine.root / "var/log/decouple/worker.log.1.gz").exists())


def becomes_healthy(case, files):
    """The bundle may not be fetched at once, as it is while a new role is not known everywhere; then all goes well."""
    case.boot()
    until("a failed attempt", lambda: "once more" in case.machine.read("/var/log/decouple/boot.log"), BOOT)
    case.cloud.upload(case.exported)
    told = case.machine.signal(BOOT)
    log = case.machine.read("/var/log/decouple/boot.log") + case.machine.read("/var/log/decouple/worker.log")
    holds("success is signalled", told == {**SIGNAL, "success": "true", "reason": ""}, f"{told}\n{log}")
    status, body = answers(HEALTH)
    holds("the worker answers", status == 200, body)
    holds("the console tells it", "the worker is healthy" in case.machine.console(), case.machine.console())
    confined(case.machine)
    ships_logs(case.machine)


def a_healthy_worker(case):
    files = stand_in("healthy-worker")
    case.deploy(files)
    becomes_healthy(case, files)


def a_worker_that_ends(case):
    case.deploy(stand_in("dying-worker"))
    case.cloud.upload(case.exported)
    case.boot(agent=False)
    told = case.machine.signal(GIVEN_UP)
    reason = told["reason"]
    holds("failure is signalled", told == {**SIGNAL, "success": "false", "reason": reason}, told)
    holds("it says what happened", reason.startswith("the worker ended 20 times: code=exited, status=1/"), reason)
    holds("it ends with the worker's last words", reason.endswith(r'{"message":"catalog: \"photos\" is not \\ to be had"}'), reason)
    holds("it is one short line", "\n" not in reason and len(reason) < 1024, reason)
    told_why(case, reason)
    holds("the console tells it", reason[:60] in case.machine.console(), case.machine.console())
    until("word that there is no agent", lambda: "logs stay" in case.machine.read("/var/log/decouple/boot.log"))
    given_up = case.machine.root / "run/systemd/transient/decouple-give-up.timer"
    # The machine's /run is its own, and is seen through its first process alone.
    holds("somebody looks at it again later", case.machine.inside(given_up.relative_to(case.machine.root)).exists())


def a_bundle_that_is_not_the_one(case):
    case.deploy(stand_in("healthy-worker"), ArtifactSha256="0" * 64)
    case.cloud.upload(case.exported)
    case.boot()
    told = case.machine.signal(BOOT)
    [bundle_file] = (case.exported / "bundles").iterdir()
    sums = [bundle_file.name.split(".")[0], "0" * 64]
    holds("failure is signalled", told["success"] == "false", told)
    holds("both sums are told", all(one in told["reason"] for one in sums), told)
    told_why(case, told["reason"])
    holds("nothing of it is installed", not any((case.machine.root / "opt/decouple").iterdir()))


def a_photo(case, files):
    """The worker as it is shipped: it takes a photo's task from the queue, and resizes and tags it."""
    authority = Authority(case.work / "authority")
    files = {**files, "rds-ca.pem": authority.certificate().encode()}
    case.deploy(files)
    case.start_database(authority)
    becomes_healthy(case, files)
    engine = json.loads(answers(HEALTH)[1])["engine"]
    holds("it has ONNX Runtime, from the bundle", engine == "ONNX Runtime", engine)
    case.start_web(files)
    photo = (REPOSITORY / "tests/photos/cat.png").read_bytes()
    upload = urllib.request.Request(f"http://{WEB}/images", photo, {"Content-Type": "image/png"})
    with urllib.request.urlopen(upload, timeout=30) as answer:
        holds("the photo is accepted", answer.status == 202, answer.status)
        image = json.load(answer)["id"]

    def done():
        record = json.loads(answers(f"http://{WEB}/images/{image}")[1])
        return record["resize"]["state"] != "pending" and record["tag"]["state"] != "pending" and record

    record = until("renditions and tags", done)
    holds("it is resized and tagged", record["resize"]["state"] == record["tag"]["state"] == "done", record)
    holds("it is a cat", any("cat" in tag["label"] for tag in record["tag"]["tags"]), record)
    renditions = record["resize"]["renditions"]
    stored = case.cloud.client("s3").list_objects_v2(Bucket=case.outputs["Bucket"], Prefix=f"renditions/{image}/")
    holds("each rendition is stored", stored["KeyCount"] == len(renditions) > 0, stored)
    for rendition in renditions:
        status, content = answers(f"http://{WEB}{rendition['url']}")
        holds(f"{rendition} is there", (status, len(content)) == (200, rendition["bytes"]), status)
    terminates(case)
    log = case.machine.read("/var/log/decouple/worker.log")
    holds("it finished before the machine went down", '"stopped"' in log.splitlines()[-1], log)


def terminates(case):
    """Auto Scaling announces the end of the instance; the worker has it go on with that, and ends with the system."""
    with metadata.announced("autoscaling/target-lifecycle-state", "Terminated"):
        until("the hook to be completed", lambda: "hook is completed" in case.machine.read("/var/log/decouple/worker.log"))
    case.machine.shut_down()


def told_why(case, reason):
    events = until("the reason in the log group", lambda: case.cloud.log("process", f"{metadata.INSTANCE}/boot"))
    holds("the reason is in the log group", events == [f"FAILED: {reason}"], events)


def main():
    base, work, decouple = [pathlib.Path(argument).absolute() for argument in sys.argv[1:4]]
    # As the first process of its namespace it would not be told otherwise.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    metadata.start()
    # Whatever is started here has its credentials from the role.
    for name in [name for name in os.environ if name.startswith(("AWS_", "PG"))]:
        del os.environ[name]
    cases = {"a healthy worker": a_healthy_worker, "a worker that ends": a_worker_that_ends}
    cases["a bundle that is not the one"] = a_bundle_that_is_not_the_one
    if len(sys.argv) > 4:
        files = parts(pathlib.Path(sys.argv[4]))
        cases["a photo"] = lambda case: a_photo(case, files)
    failed = 0
    for name, prove in cases.items():
        begun = time.monotonic()
        try:
            with Case(base, work, decouple, name.replace(" ", "-")) as case:
                prove(case)
            print(f"ok      {name} ({time.monotonic() - begun:.0f} s)", flush=True)
        except Exception as error:  # the others are proven all the same
            failed += 1
            print(f"FAILED  {name}: {error!r}", flush=True)
    print(f"{len(cases) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
