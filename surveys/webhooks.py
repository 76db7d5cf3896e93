"""Mail to the shop's mailbox for cases, as django-anymail reads it from the provider's inbound webhook. It checks the
provider's signature, or the secret of the address."""

from typing import Any

from anymail.signals import inbound
from django.dispatch import receiver
from django.utils.timezone import now

from surveys.mail_text import words_of
from surveys.services.cases.files import Sent
from surveys.services.cases.hearing import mail_arrives


@receiver(inbound, dispatch_uid="surveys.case_mail")
def arrived(sender: type, event: Any, esp_name: str, **kwargs: Any) -> None:
    """A mail that a program sent by itself (out of office, a bounce) is none of a person's."""
    message = event.message
    if str(message.get("Auto-Submitted", "no")).lower() != "no" or message.get("Precedence", "") in ("bulk", "junk"):
        return
    recipients = [message.envelope_recipient or "", *(str(address.addr_spec) for address in message.to)]
    text = str(message.stripped_text or message.text or "")
    if not text.strip() and message.html:
        text = words_of(str(message.html))
    files = [
        Sent(str(part.get_filename() or part.get_content_type()), part.get_payload(decode=True) or b"")
        for part in message.walk()
        if part.is_attachment() or part.get_content_maintype() not in ("text", "multipart")
    ]
    mail_arrives(
        recipients=[address for address in recipients if address],
        sender=str(message.from_email.addr_spec if message.from_email else message.envelope_sender or ""),
        subject=str(message.subject or "")[:200],
        text=text,
        files=files,
        message_id=str(message.get("Message-ID", "") or event.event_id or ""),
        at=now(),
    )
