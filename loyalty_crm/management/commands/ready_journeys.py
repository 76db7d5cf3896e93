"""Walks members through each ready journey with a moved clock, delivers their mails to a folder, and keeps them."""

from base64 import b64encode
from collections.abc import Iterator
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

from django.core.management.base import BaseCommand
from django.db import transaction
from django.test.utils import override_settings
from django.utils.timezone import now

from campaigns.enums import CampaignState
from campaigns.journeys.ready import READY
from campaigns.models import Campaign, JourneyLog, Message, Sender, Template
from members.models import Member, TimelineEvent
from members.queries import get_programme
from rewards.models import Tier

DAY = timedelta(days=1)
DAYS = 45  # the longest of them is over by then
NAMES = {"en": "Anna Fischer", "zh-hans": "陈美玲"}


class Command(BaseCommand):
    help = "Runs the ready journeys by a clock that leaps, and writes the mails to a folder. Nothing else is kept."

    def add_arguments(self, parser) -> None:
        parser.add_argument("folder", type=Path)
        parser.add_argument("--journey", choices=list(READY), action="append", help="only this one; may be repeated")

    def handle(self, *, folder: Path, journey: list[str] | None, **options) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        for key in journey or READY:
            with TemporaryDirectory() as outbox, transaction.atomic():
                with override_settings(EMAIL_BACKEND="common.mail.OutboxBackend", OUTBOX_DIR=outbox):
                    self.show(key, folder, Path(outbox))
                transaction.set_rollback(True)

    def show(self, key: str, folder: Path, outbox: Path) -> None:
        from campaigns.services.delivery import deliver
        from campaigns.services.journeys.definitions import publish_journey
        from campaigns.services.journeys.ready import take_ready
        from campaigns.services.journeys.running import run

        zone = ZoneInfo(get_programme().time_zone)
        start = (now().astimezone(zone) + DAY).replace(hour=8, minute=0, second=0, microsecond=0)
        if key == "festival":
            start = self.before_festival(start, zone)
        Campaign.objects.update(state=CampaignState.PAUSED)  # nothing of the shop's own leaves
        Sender.objects.filter(channel="email").update(paused_at=None, open_until=None)
        Template.objects.filter(archived_at=None).update(archived_at=start)  # as they come, not as the shop made them
        made = take_ready(key=key, at=start)
        made.campaign.holdout_percent = 0
        made.campaign.save(update_fields=["holdout_percent"])
        publish_journey(journey_id=made.pk, at=start)
        ids = [self.somebody(key, language, start).pk for language in NAMES]
        for at in hours(start, zone):
            self.live(key, ids, start, at)
            run(at=at)
            deliver(clock=lambda at=at: at)  # type: ignore[misc]
        self.stdout.write(f"{key}:")
        notes = JourneyLog.objects.filter(run__journey=made, run__member__in=ids).select_related("run")
        for note in notes.order_by("run__member", "id"):
            if note.what not in ("waits", "went"):
                why = note.why.get("reason") or note.why.get("points") or ""
                language = list(NAMES)[ids.index(note.run.member_id)]
                when = note.at.astimezone(zone)
                self.stdout.write(f"  {language:8} {when:%Y-%m-%d %H:%M}  {note.step or '-':10} {note.what} {why}")
        steps = {str(uid): why["step"] for uid, why in Message.objects.values_list("uid", "why") if "step" in why}
        for mail in outbox.glob("*.eml"):
            self.keep(mail.read_bytes(), key, steps, folder)

    def before_festival(self, start: datetime, zone: ZoneInfo) -> datetime:
        from campaigns.queries_occasions import next_date

        coming = next_date("mid-autumn", start.date() + 5 * DAY)
        return datetime.combine(coming.day - 3 * DAY, start.time(), zone) if coming else start

    def somebody(self, key: str, language: str, start: datetime) -> Member:
        """A member for whom the journey begins within two days."""
        from members.services.consent import state_consent
        from members.services.profile import create_member
        from members.services.purchases import NewPurchase
        from members.services.summaries import recompute
        from rewards.services.gifts import Gift, give_points
        from rewards.services.purchases import post_purchases

        begun = start if key == "welcome" else start.replace(year=start.year - 1, day=1) - 30 * DAY
        profile = {"email": f"{key}.{language}@example.com", "name": NAMES[language], "language": language}
        birthday = start.date() + DAY
        member = create_member(
            at=begun + timedelta(minutes=5),
            profile={**profile, "birthday_month": birthday.month, "birthday_day": birthday.day,
                     "time_zone": get_programme().time_zone},
            source="shown",
        )  # fmt: skip
        if key == "anniversary":
            Member.objects.filter(pk=member.pk).update(joined_at=start.replace(year=start.year - 2) + DAY)
        for purpose in ("offers", "greetings"):
            state_consent(
                member_id=member.pk, channel="email", purpose=purpose, granted=True, source="shown", at=begun + DAY / 24
            )
        expires = (start + 32 * DAY).replace(hour=0)
        give_points(
            gifts=[Gift(member_id=member.pk, amount=1240, key=f"shown:{member.pk}", reason="Gift", expires_at=expires,
                        why={})],
            at=begun + DAY / 24,
        )  # fmt: skip
        if key == "win-back":  # came every ten days, and is missed twenty days after the last time
            bought = [NewPurchase(member.pk, "shown", f"{language}{n}", start - (19 + 10 * n) * DAY,
                                  get_programme().currency, 1200) for n in range(4)]  # fmt: skip
            post_purchases(purchases=bought, at=start)
            recompute(member_ids=[member.pk])
        return member

    def live(self, key: str, ids: list[int], start: datetime, at: datetime) -> None:
        """What the members do by then, and what the journeys hear of it."""
        from campaigns.services.journeys.entering import hear
        from members.events import record
        from members.services.purchases import NewPurchase
        from rewards.services.purchases import post_purchases
        from rewards.services.tier_lifts import lift_tier

        hour = int((at - start) / timedelta(hours=1))
        buys = {"welcome": 50, "thanks": 3, "festival": 75}.get(key)
        if hour == buys:
            for pk in ids[:1] if key == "welcome" else ids:
                told = NewPurchase(pk, "shown", f"b{pk}", at, get_programme().currency, 2350)
                post_purchases(purchases=[told], at=at)
        if key == "tier" and hour == 3:
            tier = Tier.objects.filter(rank__gt=0).order_by("rank").last()
            for pk in ids:
                if tier is not None:
                    last = (at + 2 * DAYS * DAY).date()
                    lift_tier(member_id=pk, tier_id=tier.pk, last_day=last, reason="Shown", key=f"shown:{pk}", at=at,
                              actor_id=None)  # fmt: skip
                    continue
                data = {"from": 1, "to": 2, "up": True, "name": {"en": "Gold", "zh-hans": "金卡"}}
                record(member_id=pk, kind="tier.changed", at=at, data=data)
        events = TimelineEvent.objects.filter(member__in=ids, at__gt=at - timedelta(hours=1), at__lte=at)
        hear(events=list(events.order_by("at", "id")), at=at)

    def keep(self, raw: bytes, key: str, steps: dict[str, str], folder: Path) -> None:
        """A mail as it came, and what it shows, with its pictures in it."""
        mail = message_from_bytes(raw, policy=default)
        step = steps[mail["Message-ID"].strip("<>").partition("@")[0]]
        name = f"{key}-{step}-{mail['To'].partition('@')[0].partition('.')[2]}"
        parts = {part.get_content_type(): part for part in mail.walk()}
        html = parts["text/html"].get_content()
        for part in mail.walk():
            if part.get_content_type() == "image/png":
                image, png = part["Content-ID"].strip("<>"), b64encode(part.get_content()).decode()
                html = html.replace(f"cid:{image}", f"data:image/png;base64,{png}")
        (folder / f"{name}.eml").write_bytes(raw)
        (folder / f"{name}.html").write_text(html)
        (folder / f"{name}.txt").write_text(f"{mail['Subject']}\n\n{parts['text/plain'].get_content()}")


def hours(start: datetime, zone: ZoneInfo) -> Iterator[datetime]:
    """The hours of day from nine to noon in the programme's time zone; of the first three days all."""
    for n in range(1, DAYS * 24):
        at = start + n * timedelta(hours=1)
        if n < 80 or at.astimezone(zone).hour in (9, 10, 11):
            yield at
