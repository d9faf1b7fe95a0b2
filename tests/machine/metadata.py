"""EC2's metadata service, as far as an instance of ours asks it, and in its second version alone: without a token nobody is answered."""

import contextlib
import http.server
import json
import threading

ADDRESS = ("169.254.169.254", 80)
INSTANCE = "i-0123456789abcdef0"
REGION = "us-east-1"
TOKEN = "a-token"
CREDENTIALS = {
    "Code": "Success",
    "Type": "AWS-HMAC",
    "AccessKeyId": "test",
    "SecretAccessKey": "test",
    "Token": "test",
    "LastUpdated": "2026-01-01T00:00:00Z",
    "Expiration": "2099-01-01T00:00:00Z",
}
ANSWERS = {
    "/latest/meta-data/instance-id": INSTANCE,
    "/latest/meta-data/placement/region": REGION,
    "/latest/meta-data/placement/availability-zone": f"{REGION}a",
    "/latest/meta-data/autoscaling/target-lifecycle-state": "InService",
    "/latest/meta-data/iam/security-credentials": "the-role",
    "/latest/meta-data/iam/security-credentials/the-role": json.dumps(CREDENTIALS),
}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_PUT(self):
        asked = self.path == "/latest/api/token" and "X-aws-ec2-metadata-token-ttl-seconds" in self.headers
        self.answer(TOKEN if asked else None, "X-aws-ec2-metadata-token-ttl-seconds")

    def do_GET(self):
        if self.headers.get("X-aws-ec2-metadata-token") != TOKEN:
            return self.answer(None, status=401)
        # Spot notices, for one, are not there until there is one.
        self.answer(ANSWERS.get(self.path.rstrip("/")))

    def answer(self, text, repeated=None, status=404):
        body = (text or "").encode()
        self.send_response(status if text is None else 200)
        if repeated and repeated in self.headers:
            self.send_header(repeated, self.headers[repeated])
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        """Nobody reads it."""


@contextlib.contextmanager
def announced(path, text):
    """Says something else for a while."""
    path = f"/latest/meta-data/{path}"
    before = ANSWERS.get(path)
    ANSWERS[path] = text
    try:
        yield
    finally:
        ANSWERS[path] = before


def start():
    server = http.server.ThreadingHTTPServer(ADDRESS, Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server
