"""The post of the demo café: every mail is taken and none delivered."""

import logging
from datetime import datetime, time, timedelta
from smtplib import SMTPRecipientsRefused, SMTPServerDisconnected

from django.core.mail.backends.base import BaseEmailBackend
from django.test.utils import override_settings

from campaigns.enums import MessageState
from campaigns.models import Message
from campaigns.services.birthdays import plan
from campaigns.services.delivery import deliver
from loyalty_crm.demo import data

NOON = time(12)
PENDING = (MessageState.QUEUED, MessageState.CLAIMED, MessageState.HANDING_OVER)


class Postman(BaseEmailBackend):
    """A mail server that knows some addresses to be wrong, and goes away in the middle of a mail."""

    def send_messages(self, email_messages) -> int:
        for email in email_messages:
            for address in email.to:
                if address == data.UNSURE_ADDRESS:
                    raise SMTPServerDisconnected("Connection unexpectedly closed")
                if address in data.WRONG_ADDRESSES:
                    raise SMTPRecipientsRefused({address: (550, b"5.1.1 No such mailbox here")})
        return len(email_messages)


def greet(start: datetime, end: datetime) -> None:
    """The birthday greetings from one moment to another, looked after every noon as the clock would have done."""
    noon = datetime.combine(start.date(), NOON, tzinfo=start.tzinfo)
    log = logging.getLogger("campaigns.services.delivery")
    level = log.level
    log.setLevel(logging.ERROR)  # the line that drops is part of the story, and would alarm who starts the demo
    with override_settings(EMAIL_BACKEND=f"{__name__}.Postman"):
        while noon < end:
            # On most days there is no birthday, and nothing that waits for another try.
            if noon >= start and (plan(at=noon) or Message.objects.filter(state__in=PENDING).exists()):
                deliver(clock=lambda noon=noon: noon)  # type: ignore[misc]
            noon += timedelta(days=1)
    log.setLevel(level)
