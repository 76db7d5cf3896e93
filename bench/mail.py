"""A broadcast of personal mails from the tables to a mail server, with the promise kept, beside a bare smtplib loop
that sends the same ready bytes, and beside django-post_office sending one of these mails to all.

Ours claims, asks consent, suppression and limits, fills in the template, marks and hands over each mail, and writes
what became of it and each member's timeline. One process and one connection each, the same server in the same run.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from bench._bare_smtp import bare_loop, batches_of, written
from bench._post_office import post_office
from bench._sink import running
from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, 30, tzinfo=UTC)
MAILS = int(os.environ.get("BENCH_MAILS", 3_000))
TIMES = 5

_FILL = f"""
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar,
                            birthday_leap_month, leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', CASE WHEN n % 3 = 0 THEN 'zh-hans' ELSE 'en' END,
           'Europe/Berlin', 'Hamburg', 'solar', false, 'feb28', '2024-01-01'
    FROM generate_series(1, {MAILS}) AS n;
INSERT INTO members_consent (member_id, channel, purpose, granted, source, at)
    SELECT id, 'email', 'offers', true, 'bench', '2024-01-01' FROM members_member;
"""
_PLAN = """
INSERT INTO campaigns_message (uid, campaign_id, occurrence, channel, member_id, address, sender_id, version_id, due_at,
                               expires_at, next_try_at, state, changed_at)
SELECT gen_random_uuid(), %(campaign)s, '', 'email', id, md5(lower(email))::uuid, %(sender)s, %(version)s, %(at)s,
       timestamptz %(at)s + interval '1 day', %(at)s, 'queued', %(at)s
FROM members_member
"""


def run(server: str) -> Iterator[Row]:
    import logging

    logging.disable(logging.WARNING)
    with migrated(server, "bench_mail") as url, product_on(url), running() as port, mail_to(port):
        with tempfile.TemporaryDirectory(prefix="bench-") as folder:
            yield from _measure(server, url, port, Path(folder) / "mails")


def _measure(server: str, url: str, port: int, mails: Path) -> Iterator[Row]:
    from campaigns.services.delivery import deliver
    from common.sql import execute
    from loyalty_crm.celery import settle_down

    # In a process of its own: who sends does not compile templates, and its memory is what is told here.
    argv = [sys.executable, "-W", "ignore", "-m", "bench.mail", str(mails)]
    subprocess.run(argv, env={**os.environ, "DATABASE_URL": url}, check=True)
    size = sum(len(frame) for batch in batches_of(mails) for _to, frame in batch) / MAILS
    settle_down()

    def ours() -> float:
        _plan(_version())
        execute("VACUUM ANALYZE campaigns_message", None)
        execute("CHECKPOINT", None)
        took = seconds(lambda: deliver(clock=lambda: AT))
        from campaigns.models import Message

        sent = Message.objects.filter(campaign_id=_last_campaign(), state="sent").count()
        assert sent == MAILS, f"{sent} of {MAILS} were sent"
        return took

    def bare() -> float:
        return bare_loop(mails, port)

    ours(), bare()  # warm: a template is compiled once, not for each broadcast
    mine, by_hand = side_by_side(ours, bare, TIMES)
    note = f"{MAILS / mine:,.0f} mails/s of {size / 1000:.1f} kB, bare loop {MAILS / by_hand:,.0f}"
    yield Row("mail: personal, promise kept / bare loop", MAILS, mine, by_hand, 0.5, most_memory(), note)
    theirs = post_office(server, port, MAILS, next(batches_of(mails))[0][1])
    if theirs is not None:
        note = f"the same mail to all, {MAILS / theirs:,.0f}/s"
        yield Row("mail: the same / django-post_office 3.12", MAILS, mine, theirs, 1.5, most_memory(), note)


@contextmanager
def mail_to(port: int) -> Iterator[None]:
    """Django's mail goes by SMTP to a port of this machine."""
    from django.test.utils import override_settings

    server = {"EMAIL_HOST": "127.0.0.1", "EMAIL_PORT": port, "EMAIL_USE_TLS": False, "EMAIL_USE_SSL": False}
    user = {"EMAIL_HOST_USER": "", "EMAIL_HOST_PASSWORD": ""}
    with override_settings(EMAIL_BACKEND="common.mail.SmtpBackend", **server, **user):
        yield


def _version() -> int:
    from campaigns.models import TemplateVersion

    return TemplateVersion.objects.values_list("pk", flat=True).get()


def _last_campaign() -> int:
    from campaigns.models import Campaign

    return Campaign.objects.order_by("-pk").values_list("pk", flat=True)[0]


def _plan(version: int) -> int:
    """A campaign whose messages wait."""
    from campaigns.models import Broadcast, BroadcastVariant, Campaign
    from campaigns.services.senders import default_sender
    from common.sql import execute

    campaign = Campaign.objects.create(kind="broadcast", name="Bench", purpose="offers", state="running")
    broadcast = Broadcast.objects.create(campaign=campaign, everybody=True)
    BroadcastVariant.objects.create(broadcast=broadcast, number=1, version_id=version)
    params = {"campaign": campaign.pk, "sender": default_sender("email").pk, "version": version, "at": AT}
    execute(_PLAN, params)
    return campaign.pk


def _plan_and_make() -> Iterator[list[tuple[str, bytes]]]:
    """Address and ready bytes of each mail of a campaign that is then taken away."""
    from uuid import uuid4

    from campaigns.content.ready import READY
    from campaigns.models import Broadcast, BroadcastVariant, Campaign, Message
    from campaigns.services.claims import LEASE, claim
    from campaigns.services.content import freeze
    from campaigns.services.senders import default_sender
    from campaigns.services.templates import save_template

    content = READY["welcome"].content
    save_template(template_id=None, name="Bench", kind="marketing", content=content, actor_id=None, at=AT)
    campaign, token, sender = _plan(_version()), uuid4(), default_sender("email")
    while ids := claim(sender_id=sender.pk, token=token, at=AT, limit=200):
        ready = freeze(ids=ids, token=token, at=AT, lease=AT + LEASE, sender=sender)
        yield [(message.to, message.frame()) for message in ready]
    Message.objects.all().delete()
    BroadcastVariant.objects.all().delete()
    Broadcast.objects.all().delete()
    Campaign.objects.filter(pk=campaign).delete()


def make(mails: Path) -> None:
    """Members, a template, and the mails that it makes for them."""
    from common.sql import execute

    execute(_FILL, None)
    written(mails, _plan_and_make())


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "loyalty_crm.settings")
    import django

    django.setup()
    make(Path(sys.argv[1]))
