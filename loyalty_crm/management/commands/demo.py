"""Fills an empty database with a believable shop."""

from datetime import timedelta
from decimal import Decimal
from random import Random

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.utils.timezone import now

from api.models import ApiKey
from api.services.keys import digest
from loyalty_crm.demo import data
from members.models import ConsentWording, Member, Programme, User

MONTHS, GUESTS, SEED = 14, 398, 7


class Command(BaseCommand):
    help = "Fills an empty database with a café, 400 members and a year of purchases."

    def add_arguments(self, parser) -> None:
        parser.add_argument("--if-empty", action="store_true", help="do nothing where there are members already")
        parser.add_argument("--accounts", action="store_true", help="only list the demo's accounts, if it is there")

    def handle(self, *args, **options) -> None:
        if options["accounts"]:
            self.accounts()
            return
        if Member.objects.exists() or User.objects.exists():
            if options["if_empty"]:
                return
            raise CommandError("There are members or users already: the demo is for an empty database.")
        with transaction.atomic():
            self.fill()
        if not options["if_empty"]:
            self.accounts()

    def fill(self) -> None:
        from analytics.services.scores import score_all
        from campaigns.services.greeting import get_greeting, save_greeting
        from loyalty_crm.demo import (
            benefits,
            calendar,
            calls,
            cases,
            desk,
            files,
            friends,
            gifts,
            letters,
            news,
            offers,
            privacy,
            rules,
            surveys,
            till,
            ways,
            wishes,
        )
        from loyalty_crm.demo.desk import make_till_key
        from loyalty_crm.demo.doubles import make_doubles
        from loyalty_crm.demo.people import make_guests, make_staff
        from loyalty_crm.demo.rewards import fill_catalogue, leave_work
        from loyalty_crm.demo.segments import Watch
        from loyalty_crm.demo.shop import live, visits
        from members.services.consent import publish_wording
        from members.services.summaries import recompute
        from rewards.models import Tier
        from rewards.queries import balances
        from rewards.services.rules import publish_rule

        random, at = Random(SEED), now()  # noqa: S311  the same shop each time
        start = at - timedelta(days=30 * MONTHS)
        self.stdout.write("Demo: opening the café")
        Programme.objects.update_or_create(
            pk=1,
            defaults={
                "name": data.PROGRAMME,
                "currency": data.CURRENCY,
                "time_zone": data.TIME_ZONE,
                "postal_address": data.ADDRESS,
                "contact_email": data.CONTACT,
            },
        )
        for rank, (threshold, multiplier, english, chinese) in enumerate(data.TIERS):
            values = {"multiplier": Decimal(multiplier), "name_en": english, "name_zh_hans": chinese}
            Tier.objects.update_or_create(rank=rank, defaults={**values, "threshold": threshold})
        benefits.open_benefits()
        publish_rule(currency=data.CURRENCY, points_per_unit=Decimal(1), valid_months=12, at=start)
        if not ConsentWording.objects.exists():
            for purpose, (english, chinese) in data.WORDINGS.items():
                publish_wording(purpose=purpose, text_en=english, text_zh_hans=chinese)
        greeting = get_greeting()
        greeting.active, greeting.gift_points = True, data.BIRTHDAY_GIFT
        save_greeting(greeting=greeting, at=start)
        staff = make_staff()
        rules.open_programme(start, at, staff["Marketer"])
        calendar.keep_days(at, staff["Marketer"])
        self.stdout.write(f"Demo: {GUESTS + 2} members")
        guests = make_guests(random, at, MONTHS, GUESTS)
        desk.define_what_to_ask()
        desk.know_guests(Random(SEED), guests)  # noqa: S311  of its own: what follows stays as it was
        made = fill_catalogue(start)
        purchases = visits(random, guests, at)

        def progress(posted: int) -> None:
            if posted * 5 // len(purchases) > progress.said:  # type: ignore[attr-defined]
                progress.said = posted * 5 // len(purchases)  # type: ignore[attr-defined]
                self.stdout.write(f"Demo: {posted} of {len(purchases)} purchases")

        progress.said = 0  # type: ignore[attr-defined]
        live(
            random, guests, purchases, until=at, staff=staff, made=made, progress=progress, weekly=Watch(at, staff).week
        )
        held = balances([guest.member.pk for guest in guests], at)
        leave_work(Random(SEED), guests, made, held, at, staff["Marketer"])  # noqa: S311
        desk.work(Random(SEED), guests, at, staff)  # noqa: S311
        benefits.enjoy(Random(SEED), guests, at, staff)  # noqa: S311
        gifts.give(guests, at, staff)
        till.open_till(at, staff["Manager"])
        offers.run_offers(Random(SEED), guests, at, staff)  # noqa: S311
        privacy.ask(Random(SEED), guests, at, staff)  # noqa: S311
        files.carry(at, staff)
        letters.write(at, staff["Marketer"])
        news.broadcast(at, staff["Marketer"])
        ways.lead(at, staff["Marketer"])
        rules.try_out(at, staff["Marketer"])
        wishes.keep_wishes(at, SEED)
        surveys.ask(Random(SEED), guests, at, staff)  # noqa: S311
        cases.keep_cases(at, SEED)
        ways.win_back(at, staff["Marketer"])
        friends.bring_friends(at, friends.givers([guest.member.pk for guest in guests]))
        make_doubles(at, staff["Marketer"])
        make_till_key(staff["Manager"])
        calls.call(Random(SEED), guests, at)  # noqa: S311
        benefits.take_anew(at, staff["Marketer"])
        recompute()
        score_all(at=at)

    def accounts(self) -> None:
        """One line per account of the demo; nothing where it is not there."""
        roles = {email: f"staff, {role.lower()}" for email, _first, _family, role in data.STAFF}
        roles |= dict.fromkeys(data.MEMBERS, "member")
        here = set(User.objects.filter(email__in=roles).values_list("email", flat=True))
        for email, role in roles.items():
            if email in here:
                self.stdout.write(f"  {email:<24} {role:<16} password: {data.PASSWORD}")
        if ApiKey.objects.filter(digest=digest(data.API_KEY), revoked_at=None).exists():
            self.stdout.write(f"  {'API (/api/v1/docs)':<24} {'a till':<16} key: {data.API_KEY}")
