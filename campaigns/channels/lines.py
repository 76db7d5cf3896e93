"""Which way a sender sends."""

from campaigns.channels import Line
from campaigns.channels.backend import BackendLine, speaks_smtp
from campaigns.channels.disk import DiskLine
from campaigns.channels.http import HttpLine
from campaigns.channels.inbox import InboxLine
from campaigns.channels.smtp import SmtpLine
from campaigns.enums import Transport
from campaigns.models import Sender


def line_of(sender: Sender) -> Line:
    """The way by which a sender sends."""
    if sender.transport == Transport.HTTP:
        return HttpLine(sender)
    if sender.transport == Transport.LOG:
        return DiskLine()
    if sender.transport == Transport.APP:
        return InboxLine()
    return SmtpLine() if speaks_smtp() else BackendLine()
