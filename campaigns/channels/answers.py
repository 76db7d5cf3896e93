"""What the answers of mail servers mean (RFC 5321, enhanced codes by RFC 3463), Microsoft's and Google's included."""

import re
import smtplib
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from liquid.exceptions import LiquidError

from campaigns.channels import Fate, Refusal

_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")
# Words by which large providers say that it is we who are not wanted, or too fast, and not the recipient who is wrong.
_POLICY = re.compile(
    r"\b(?:4|5)\.7\.\d+|unusual rate|rate limit|too many (?:messages|connections|recipients|emails)"
    r"|try again later.*quota"
    r"|blocked using|spamhaus|block ?list|blacklist|banned sending ip|S3140|S3150|RP-00[123]|IP reputation"
    r"|not authenticated|unauthenticated email|DMARC|sender policy|temporarily deferred due to|TSS0[1-9]",
    re.IGNORECASE,
)


def refusal(code: int, said: bytes | str, *, about_us: bool = False) -> Refusal:
    """An answer of 400 or more. `about_us`: it was to our name, password or sender, which is for the operator to mend
    and until then no reason to lose a message."""
    text = said.decode(errors="replace") if isinstance(said, bytes) else said
    words = f"{code} {' '.join(text.split())}"
    if _POLICY.search(words):
        return Refusal(words, Fate.POLICY, about_server=True)
    if about_us or code == 421 or code < 400:
        return Refusal(words, Fate.LATER, about_server=about_us or code == 421)
    if code < 500:
        return Refusal(words, Fate.LATER)
    found = _ENHANCED.search(words)
    no_such_address = found is not None and found[2] == "1" and found[3] in ("1", "2", "3", "6", "10")
    return Refusal(words, Fate.BAD_ADDRESS if no_such_address else Fate.NEVER)


def of_status(status: int, words: str, wait: timedelta | None = None) -> Refusal:
    """An answer over HTTP that is no success. What is wrong with our account or address there loses no message."""
    if status in (408, 425, 429) or status >= 500:
        return Refusal(words, Fate.LATER, about_server=True, wait=wait)
    about_us = status < 400 or status in (401, 402, 403, 404, 405)
    return Refusal(words, Fate.LATER if about_us else Fate.NEVER, about_server=about_us)


def asked(said: str) -> timedelta | None:
    """How long Retry-After asks to wait, in seconds or until a date (RFC 9110 10.2.3); six hours at most."""
    try:
        wait = timedelta(seconds=int(said)) if said.isdecimal() else parsedate_to_datetime(said) - datetime.now(UTC)
    except (ValueError, TypeError, OverflowError):
        return None
    return min(max(wait, timedelta()), timedelta(hours=6))


def of_exception(error: Exception) -> Refusal:
    """What went wrong before anything left our hands, or what a server said."""
    if isinstance(error, Refusal):
        return error
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return refusal(code, said)
    if isinstance(error, smtplib.SMTPSenderRefused):
        return refusal(error.smtp_code, error.smtp_error, about_us=True)
    if isinstance(error, smtplib.SMTPDataError):
        return refusal(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPResponseException):
        return refusal(error.smtp_code, error.smtp_error, about_us=True)
    text = f"{type(error).__name__}: {error}"
    # An address, or values, that no mail can be made for.
    if isinstance(error, (ValueError, LiquidError, smtplib.SMTPNotSupportedError)):
        return Refusal(text, Fate.NEVER)
    return Refusal(text, about_server=isinstance(error, OSError))


def is_an_answer(error: Exception) -> bool:
    """Whether the server spoke: its word counts even after the last dot."""
    return isinstance(error, (Refusal, smtplib.SMTPRecipientsRefused, smtplib.SMTPSenderRefused, smtplib.SMTPDataError))
