"""A clean machine with a systemd of its own, in which a script runs as at an instance's first boot.

It is a container on top of a base that stays as it is: whatever a run writes is gone with the machine. It shares the network of
whoever boots it.
"""

import contextlib
import json
import pathlib
import shutil
import subprocess

from waiting import until

FILES = pathlib.Path(__file__).with_name("files")
WORKER = "/opt/decouple/decouple-worker"


class Machine:
    def __init__(self, base, work):
        self.work = work
        self.root = work / "root"
        layers = [work / "upper", work / "overlay"]
        for directory in [self.root, *layers]:
            directory.mkdir(parents=True)
        options = f"lowerdir={base},upperdir={layers[0]},workdir={layers[1]}"
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, self.root], check=True)
        self.process = None

    def put(self, path, text, mode=0o644):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        file.chmod(mode)

    def bring(self, name, path):
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(FILES / name, file)

    def read(self, path):
        file = self.root / path.lstrip("/")
        return file.read_text(errors="replace") if file.exists() else ""

    def prepare(self, script, emulator, hosts, agent):
        """What Amazon Linux has and this machine has not, the script, and where the emulator is."""
        self.bring("aws", "/usr/local/bin/aws")
        self.bring("cfn-signal", "/opt/aws/bin/cfn-signal")
        self.bring("dnf", "/usr/local/bin/dnf")
        if agent:
            self.bring("agent-ctl", "/usr/local/lib/agent-ctl")
        self.put("/etc/emulator", emulator)
        self.put("/etc/hosts", hosts)
        # On AWS the worker needs no such word.
        self.put(
            "/etc/systemd/system/decouple-worker.service.d/emulator.conf",
            f"[Service]\nEnvironment=AWS_ENDPOINT_URL={emulator}\n",
        )
        self.put("/var/lib/user-data", script, 0o755)
        self.bring("user-data.service", "/etc/systemd/system/user-data.service")
        wanted = self.root / "etc/systemd/system/multi-user.target.wants"
        wanted.mkdir(exist_ok=True)
        (wanted / "user-data.service").symlink_to("/etc/systemd/system/user-data.service")

    def boot(self):
        command = ["systemd-nspawn", "-q", "-D", self.root, "--register=no", "--keep-unit", "--console=read-only", "-b"]
        with open(self.work / "console", "wb") as console:
            self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)

    def console(self):
        return (self.work / "console").read_text(errors="replace")

    def signals(self):
        return [json.loads(line) for line in self.read("/var/lib/signals").splitlines()]

    def signal(self, patience):
        """Returns the first signal that CloudFormation would have got."""
        def arrived():
            ended = self.process.poll()
            return self.signals() or (ended is not None and [{"success": f"the machine ended with {ended}"}])

        return until("a signal to CloudFormation", arrived, patience)[0]

    def processes(self):
        """Returns the directories in /proc of this machine's processes."""
        for directory in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                mounted = (directory / "mountinfo").read_text()
            except OSError:
                continue
            # The overlay's upper directory is this machine's alone. Ours has it too, below another place than `/`.
            if any(f"upperdir={self.work / 'upper'}" in line and line.split()[4] == "/" for line in mounted.splitlines()):
                yield directory

    def worker(self):
        """Returns the directory in /proc of the worker's own process, not of one that it started."""
        for directory in self.processes():
            with contextlib.suppress(OSError):
                if (directory / "cmdline").read_bytes().split(b"\0")[:-1][-1:] == [WORKER.encode()]:
                    return directory
        return None

    def inside(self, path):
        """Returns a path as the machine's first process sees it: what lies in memory is not in the root directory."""
        def started(directory):
            return int((directory / "stat").read_text().rsplit(") ", 1)[1].split()[19])

        return min(self.processes(), key=started) / "root" / path

    def shut_down(self):
        """Shuts the machine down in the orderly way, in which services are told to stop."""
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def stop(self):
        self.shut_down()
        subprocess.run(["umount", self.root], check=False)
