"""Any mail backend of Django: providers by their HTTP interface (django-anymail), the outbox on disk, a test's."""

from typing import Any

from anymail.exceptions import AnymailAPIError, AnymailRecipientsRefused, AnymailRequestsAPIError
from django.core.mail import get_connection
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from campaigns.channels import Begin, Fate, Outgoing, Refusal
from campaigns.channels.answers import asked, of_exception, of_status
from common.mail import SmtpBackend


class BackendLine:
    """The mail backend of the settings. A provider that takes a key for it is given the message's own id."""

    def __init__(self) -> None:
        self.backend: Any = get_connection()
        self.harmless = getattr(self.backend, "idempotent", False)
        self.provider = str(getattr(self.backend, "esp_name", ""))

    def open(self) -> None:
        try:
            self.backend.open()
        except Exception as error:
            said = of_exception(error)
            said.about_server = True
            raise said from error

    def close(self) -> None:
        self.backend.close()

    def send(self, message: Outgoing, begin: Begin, following: Outgoing | None = None) -> str:
        mail = message.mail()
        mail.metadata = {"message": message.uid}  # type: ignore[attr-defined]  # anymail hands it back in webhooks
        self._key(mail, message.uid)
        begin()
        try:
            self.backend.send_messages([mail])
        except AnymailRecipientsRefused as error:
            raise Refusal(str(error), Fate.NEVER) from error
        except AnymailRequestsAPIError as error:
            if _taken_before(error):
                return ""
            if (refusal := _answer(error)) is not None:
                raise refusal from error
            raise
        status = getattr(mail, "anymail_status", None)
        if status is not None and status.status == {"unknown"}:
            raise AnymailAPIError(f"{self.provider} did not say whether it took the message")
        return str(status.message_id or "") if status is not None and isinstance(status.message_id, str) else ""

    def _key(self, mail: Any, uid: str) -> None:
        """Each provider's own way to know the same message again; the header is there for the others to read."""
        mail.extra_headers["X-Idempotency-Key"] = uid
        if self.provider == "Brevo":
            mail.extra_headers["idempotencyKey"] = uid
        if self.provider == "Resend":
            if self.backend.session is None:
                self.backend.open()
            self.backend.session.headers["Idempotency-Key"] = uid


def _taken_before(error: Any) -> bool:
    """Brevo's word for a key that it knows: the message is there."""
    return error.status_code == 400 and '"duplicate_parameter"' in error.response.text


def _answer(error: Any) -> Refusal | None:
    """What a provider said, or that it was never reached; None where it may have taken the message: the call ended
    without a word, or something in front of the provider broke."""
    reason = getattr(next(iter(getattr(error.__cause__, "args", ())), None), "reason", None)
    if isinstance(reason, ConnectTimeoutError | NewConnectionError):
        return Refusal(f"{type(reason).__name__}: {reason}", about_server=True)
    answer = error.response
    if answer is None or (answer.status_code >= 500 and answer.status_code != 503) or answer.ok:
        return None
    words = f"{answer.status_code} {' '.join(answer.text.split())[:300]}"
    return of_status(answer.status_code, words, asked(answer.headers.get("Retry-After", "")))


def speaks_smtp() -> bool:
    """Whether mail goes by SMTP, where our own client is faster and knows when a mail leaves."""
    return isinstance(get_connection(), SmtpBackend)
