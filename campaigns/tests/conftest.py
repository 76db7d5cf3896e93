import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from campaigns.models import Sender
from campaigns.tests.smtp import Sink, SinkServer


@pytest.fixture
def sink(settings) -> Sink:
    """Mail goes by SMTP to a server of this test, which may misbehave."""
    server = SinkServer()
    server.start()
    settings.EMAIL_BACKEND = "common.mail.SmtpBackend"
    settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_TIMEOUT = server.hostname, server.port, 1
    yield server.sink
    server.stop()


class _Provider(BaseHTTPRequestHandler):
    def do_POST(self):
        server = self.server
        server.asked.append(
            (self.path, dict(self.headers), json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
        )
        status, headers = server.answer
        if status == 0:
            server.stop.wait(5)  # takes the call, and hangs
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(server.said)

    def log_message(self, *_told):
        pass


@pytest.fixture
def provider(settings):
    """A provider inside our own network, which the settings allow; `answer` and `said` are what it says."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Provider)
    server.asked, server.answer, server.stop = [], (200, {}), threading.Event()
    server.said = b'{"data": {"id": "their-1"}}'
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    settings.MESSAGE_HOSTS_INSIDE = ["127.0.0.1"]
    yield server
    server.stop.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def app(provider) -> Sender:
    """An app of which the shop knows its members' numbers."""
    body = '{"touser": "{{ to }}", "text": "{{ text }}", "stop": "{{ unsubscribe }}", "id": "{{ id }}"}'
    sender = Sender.objects.create(
        label="WeChat", channel="webhook", transport="http", is_default=True, goes_to="identity",
        goes_to_system="wechat", url=f"http://127.0.0.1:{provider.server_port}/push", timeout=1, body=body,
    )  # fmt: skip
    sender.provider = provider
    return sender
