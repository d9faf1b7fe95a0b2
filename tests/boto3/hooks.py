"""Subscriptions by a server on this machine."""

import http.server
import json
import queue
import threading
import urllib.request

from support import check, equal, new_topic, sns


class Hook(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.received.put((self.headers["x-amz-sns-message-type"], body))
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_):
        pass


@check("sns: a server confirms its subscription by the link it is sent, and gets what is published")
def _():
    topic = new_topic("hook")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hook)
    server.received = queue.Queue()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/hook"
        equal("the answer", sns.subscribe(TopicArn=topic, Protocol="http", Endpoint=url)["SubscriptionArn"], "pending confirmation")
        kind, body = server.received.get(timeout=20)
        equal("the first message", kind, "SubscriptionConfirmation")
        with urllib.request.urlopen(json.loads(body)["SubscribeURL"]) as answer:
            equal("status of the link", answer.status, 200)
        sns.publish(TopicArn=topic, Message="hello")
        kind, body = server.received.get(timeout=20)
        equal("the second message", (kind, json.loads(body)["Message"]), ("Notification", "hello"))
        elsewhere = sns.subscribe(TopicArn=topic, Protocol="http", Endpoint="http://example.com/")
        equal("a server elsewhere, which is sent nothing", elsewhere["SubscriptionArn"], "pending confirmation")
    finally:
        server.shutdown()
        server.server_close()
