"""Making one member's mail from a template, beside putting a mail that was already written into its envelope.

Ours looks up what the member's fields say, writes subject, text and HTML and encodes all of it; Python's EmailMessage
and Django's EmailMultiAlternatives get ready strings of the same mail and only encode them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from email.message import EmailMessage

from bench.base import Row, seconds, side_by_side

MAILS = 1_000
AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
HEADERS = {
    "From": "Corner Café <hello@example.com>",
    "To": "mei@example.com",
    "Message-ID": "<0c6f5b3e@example.com>",
    "Date": "Tue, 12 May 2026 09:00:00 +0000",
    "List-Unsubscribe": "<https://example.com/u/abc/>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


def run(server: str) -> Iterator[Row]:
    from django.core.mail import EmailMultiAlternatives

    from campaigns.content.compiled import Compiled
    from campaigns.content.look import Look
    from campaigns.content.ready import READY
    from campaigns.models import Brand
    from members.models import Programme

    shop = Look(Brand(), Programme(name="Corner Café", postal_address="1 High St\nTown", contact_email="a@example.com"))
    values = {
        "member": {"name": "Mei Lin"},
        "programme": {"name": "Corner Café", "url": "https://example.com", "contact_email": "a@example.com"},
        "gift": {"points": 100, "expires_on": "11 July 2026"},
        "links": {"unsubscribe": "https://example.com/u/abc/", "preferences": "https://example.com/u/abc/choices/"},
    }

    for language in ("en", "zh-hans"):
        made = Compiled(READY["birthday"].content, language, "marketing", shop, AT)
        ready, size = made.render(values), len(made.mime(values, HEADERS))

        def ours(made: Compiled = made) -> None:
            for _ in range(MAILS):
                made.mime(values, HEADERS)

        def by_python(ready=ready) -> None:
            for _ in range(MAILS):
                mail = EmailMessage()
                for name, value in HEADERS.items():
                    mail[name] = value
                mail["Subject"] = ready.subject
                mail.set_content(ready.text)
                mail.add_alternative(ready.html, subtype="html")
                mail.as_bytes()

        def by_django(ready=ready) -> None:
            rest = {name: value for name, value in HEADERS.items() if name not in ("From", "To")}
            for _ in range(MAILS):
                mail = EmailMultiAlternatives(ready.subject, ready.text, HEADERS["From"], [HEADERS["To"]], headers=rest)
                mail.attach_alternative(ready.html, "text/html")
                mail.message().as_bytes()

        note = f"{language}, {size / 1000:.1f} kB a mail"
        for name, other in (("EmailMessage", by_python), ("Django's mail", by_django)):
            mine, theirs = side_by_side(lambda: seconds(ours), lambda other=other: seconds(other))
            yield Row(f"render: birthday mail, beside {name}", MAILS, mine, theirs, 1.5, note=note)
