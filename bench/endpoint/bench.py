"""Starts the endpoint and its peers, puts each under the same load in turns, and prints tables."""

import argparse
import contextlib
import json
import os
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import time

KEYS = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
MEBIBYTE = 1024 * 1024
TICKS = os.sysconf("SC_CLK_TCK")


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A process that serves on a port of its own, and its directory."""

    def __init__(self, name, work, command, environment):
        self.name, self.port = name, free_port()
        self.directory = tempfile.mkdtemp(dir=work)
        command = [part.format(port=self.port, directory=self.directory) for part in command]
        environment = {key: value.format(port=self.port, directory=self.directory) for key, value in environment.items()}
        self.log = open(pathlib.Path(work) / f"{name}.log", "w")
        begun = time.monotonic()
        self.process = subprocess.Popen(
            command, env=os.environ | KEYS | environment, cwd=self.directory, stdout=self.log, stderr=self.log
        )
        self.wait()
        self.started = time.monotonic() - begun

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    def wait(self):
        """Until it answers a request, whatever it says."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            if self.process.poll() is not None:
                sys.exit(f"{self.name} ended; see {self.log.name}")
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as one:
                one.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                if one.recv(1):
                    return
            time.sleep(0.002)
        sys.exit(f"{self.name} does not answer; see {self.log.name}")

    def memory(self):
        """Its resident memory in MiB, without files that it has mapped."""
        status = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        [line] = [line for line in status.splitlines() if line.startswith("RssAnon:")]
        return int(line.split()[1]) / 1024

    def cpu(self):
        """The CPU seconds that it has used."""
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICKS

    def end(self):
        self.process.kill()
        self.process.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def load(options, server, scenario, concurrency, amount):
    command = [options.examples / "load", server.url, scenario, str(concurrency), str(amount)]
    ran = subprocess.run(command, env=os.environ | KEYS, capture_output=True, text=True)
    if ran.returncode:
        last = ran.stderr.strip().splitlines()[-1:] or ["no reason given"]
        return {"failed": last[0][:200]}
    return json.loads(ran.stdout)


def flushes(work, seconds=3):
    """How often a second the disk makes 4 KiB durable."""
    path = pathlib.Path(work) / "flushes"
    with open(path, "w+b", buffering=0) as file:
        file.write(bytes(4 * MEBIBYTE))
        os.fsync(file.fileno())
        count, begun = 0, time.monotonic()
        while time.monotonic() - begun < seconds:
            os.pwrite(file.fileno(), bytes(4096), count % 1024 * 4096)
            os.fdatasync(file.fileno())
            count += 1
        rate = count / (time.monotonic() - begun)
    path.unlink()
    return rate


def disk_speed(work, mebibytes):
    """How many MiB a second the disk writes and makes durable, and reads again."""
    path = pathlib.Path(work) / "large"
    chunk = b"\7" * MEBIBYTE
    with open(path, "w+b", buffering=0) as file:
        begun = time.monotonic()
        for _ in range(mebibytes):
            file.write(chunk)
        os.fsync(file.fileno())
        written = mebibytes / (time.monotonic() - begun)
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        file.seek(0)
        begun = time.monotonic()
        while file.read(MEBIBYTE):
            pass
        read = mebibytes / (time.monotonic() - begun)
    path.unlink()
    return written, read


def row(*cells):
    print("| " + " | ".join(str(cell) for cell in cells) + " |", flush=True)


def head(*cells):
    row(*cells)
    print("|" + "---|" * len(cells), flush=True)


def shown(result, key="rate"):
    return result[key] if "failed" not in result else None


def compare(options, servers, title, scenarios):
    print(f"\n{title}\n")
    names = [server.name for server in servers]
    head("", *names, *[f"{names[0]} / {name}" for name in names[1:]], "p50, p99 of ours")
    for name, scenario, concurrency, amount, key in scenarios:
        results = [load(options, server, scenario, concurrency, amount) for server in servers]
        for server, result in zip(servers, results):
            if "failed" in result:
                print(f"bench: {server.name}, {name}: {result['failed']}", file=sys.stderr)
        ours, *peers = [shown(result, key) for result in results]
        cells = [f"{value:,.0f}" if value else "failed" for value in (ours, *peers)]
        ratios = [f"{ours / peer:.1f}" if ours and peer else "" for peer in peers]
        times = f"{results[0]['p50_ms']:.1f} ms, {results[0]['p99_ms']:.1f} ms" if "p50_ms" in results[0] else ""
        row(name, *cells, *ratios, times)


def queues(options, servers):
    seconds = options.seconds
    before = flushes(options.work)
    one = [(f"one message, {n} connections", "roundtrip", n, seconds, "rate") for n in (1, 8, 64)]
    many = [(f"batches of ten, {n} connections", "batches", n, seconds, "rate") for n in (1, 8, 64)]
    compare(options, servers, "Messages sent, received and deleted, a second", one + many)
    rates = sorted([before, flushes(options.work)])
    print(f"\nThe disk makes {rates[0]:,.0f} to {rates[1]:,.0f} writes durable a second, one after another. By them alone one connection")
    print(f"could send, receive and delete {rates[0] / 3:,.0f} to {rates[1] / 3:,.0f} messages a second, and more of them more.")


def objects(options, servers):
    seconds = options.seconds
    small = [(f"{what} of 4 KiB, {n} connections", what, n, seconds, "rate") for what in ("put", "get") for n in (1, 64)]
    compare(options, servers, "Small objects, a second", small)
    size = options.mebibytes
    written, read = disk_speed(options.work, size)
    large = [(f"{what} of {size} MiB", f"large-{what}", 1, size, "mib_per_s") for what in ("put", "get")]
    compare(options, servers, "Large objects, MiB a second", large)
    print(f"\nThe disk itself writes {written:,.0f} MiB a second, durably, and reads {read:,.0f}.")


def idle(options, servers):
    print("\nAfter all that, with nothing to do for ten seconds\n")
    head("", "started in", "CPU", "memory")
    begun = [server.cpu() for server in servers]
    time.sleep(10)
    for server, before in zip(servers, begun):
        row(server.name, f"{server.started * 1000:.0f} ms", f"{(server.cpu() - before) * 10:.1f} %", f"{server.memory():.0f} MiB")


def starts(options, _):
    """How long programs take from their start to their first answer; the median of ten, each with a new directory."""
    programs = [("example `serve`, release", [str(options.examples / "serve"), "{directory}", "{port}"])]
    for profile in ("release", "debug"):
        program = options.examples.parent.parent / profile / "decouple"
        command = [str(program), "endpoint", "--port", "{port}", "--data-dir", "{directory}"]
        programs += [(f"`decouple endpoint`, {profile}", command)] if program.exists() else []
    print("\nFrom the start to the first answer\n")
    head("", "median", "slowest")
    for name, command in programs:
        times = []
        for _ in range(10):
            server = Server("start", options.work, command, {})
            times.append(server.started * 1000)
            server.end()
        row(name, f"{sorted(times)[5]:.0f} ms", f"{max(times):.0f} ms")


def million(options, servers):
    server = servers[0]
    print("\nA queue that fills up (ours)\n")
    head("messages", "memory", "receive, p50", "p99")
    sent = 0
    for goal in (1000, options.messages):
        filled = load(options, server, "fill", 10, goal - sent)
        sent = goal
        received = load(options, server, "receive", 1, options.seconds)
        if "failed" in filled or "failed" in received:
            print(f"bench: {filled} {received}", file=sys.stderr)
            return
        row(f"{goal:,}", f"{server.memory():.0f} MiB", f"{received['p50_ms']:.1f} ms", f"{received['p99_ms']:.1f} ms")


PARTS = {"queues": queues, "objects": objects, "idle": idle, "starts": starts, "million": million}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=pathlib.Path, required=True)
    parser.add_argument("--work", type=pathlib.Path, required=True)
    parser.add_argument("--seconds", type=int, default=3, help="how long to measure each")
    parser.add_argument("--mebibytes", type=int, default=512, help="size of the large object")
    parser.add_argument("--messages", type=int, default=1_000_000, help="messages of the queue that fills up")
    parser.add_argument("--only", action="append", choices=PARTS, help="a part; may be repeated")
    parser.add_argument("--alone", action="store_true", help="ours, without peers")
    options = parser.parse_args()
    python = pathlib.Path(sys.executable).parent
    ministack = {"GATEWAY_PORT": "{port}", "BIND_HOST": "127.0.0.1", "MINISTACK_HOST": "127.0.0.1", "IOT_MTLS_ENABLED": "0"}
    sides = [("decouple", [str(options.examples / "serve"), "{directory}", "{port}"], {})]
    if not options.alone:
        sides += [
            ("ministack", [str(python / "ministack")], ministack),
            ("moto", [str(python / "moto_server"), "-H", "127.0.0.1", "-p", "{port}"], {}),
        ]
    servers = []
    try:
        for side in sides:
            servers.append(Server(side[0], options.work, *side[1:]))
        for name, part in PARTS.items():
            if not options.only or name in options.only:
                part(options, servers)
    finally:
        for server in servers:
            server.end()


if __name__ == "__main__":
    main()
