"""A PostgreSQL server as RDS gives one: it takes connections over TLS alone, with a password, under a certificate of an authority
that no system knows."""

import os
import pathlib
import pwd
import shutil
import signal
import subprocess

from waiting import Failed, until

ACCESS = "local all all trust\nhostssl all all all scram-sha-256\n"
DAYS = "2"


def program(name):
    found = shutil.which(name) or next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))), None)
    if not found:
        raise Failed(f"{name} is missing; install it: scripts/setup postgresql")
    return str(found)


class Authority:
    """Signs the server's certificate. A worker knows it from the bundle."""

    def __init__(self, work):
        self.work = work
        work.mkdir()
        self.openssl("-keyout", "authority.key", "-out", "authority.pem", "-subj", "/CN=Amazon RDS us-east-1 Root CA of a test")

    def openssl(self, *arguments):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", DAYS, *arguments]
        subprocess.run(command, cwd=self.work, check=True, capture_output=True)

    def certificate(self):
        return "# Amazon RDS us-east-1 Root CA of a test\n" + (self.work / "authority.pem").read_text()

    def sign(self, address):
        """Returns the paths of a certificate for a server and of its key."""
        self.openssl(
            "-keyout", "server.key", "-out", "server.pem", "-CA", "authority.pem", "-CAkey", "authority.key",
            "-subj", "/CN=a server", "-addext", f"subjectAltName=DNS:{address}",
            "-addext", "basicConstraints=critical,CA:FALSE",
        )
        return self.work / "server.pem", self.work / "server.key"


class Database:
    def __init__(self, work, authority, address, user, password):
        self.work = work
        work.mkdir()
        certificate, key = [shutil.copy(file, work) for file in authority.sign(address)]
        (work / "login").write_text(password)
        self.owner = {}
        if os.getuid() == 0:
            # PostgreSQL does not run as root.
            nobody = pwd.getpwnam("nobody")
            self.owner = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for file in [work, *work.iterdir()]:
                os.chown(file, nobody.pw_uid, nobody.pw_gid)
        self.run("initdb", "-D", "data", "-U", user, "--pwfile", "login", "--auth", "scram-sha-256", "--no-sync")
        (work / "data/pg_hba.conf").write_text(ACCESS)
        settings = {
            "listen_addresses": "127.0.0.1", "port": "5432", "unix_socket_directories": work, "fsync": "off",
            "ssl": "on", "ssl_cert_file": certificate, "ssl_key_file": key,
        }
        options = [f"--{name}={value}" for name, value in settings.items()]
        with open(work / "log", "wb") as log:
            command = [program("postgres"), "-D", "data", *options]
            self.server = subprocess.Popen(command, cwd=work, stdout=log, stderr=log, **self.owner)
        until("PostgreSQL to answer", lambda: self.run("pg_isready", "-h", work, check=False).returncode == 0)
        self.run("createdb", "-h", work, "-U", user, "photos")

    def run(self, name, *arguments, check=True):
        done = subprocess.run(
            [program(name), *arguments], cwd=self.work, capture_output=True, text=True, **self.owner
        )
        if check and done.returncode != 0:
            raise Failed(f"{name}: {done.stderr}")
        return done

    def stop(self):
        # Fast: connections are closed, not waited for.
        self.server.send_signal(signal.SIGINT)
        self.server.wait(60)
