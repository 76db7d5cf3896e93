import pytest

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
