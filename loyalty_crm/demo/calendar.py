"""The café's calendar: the festivals of two countries, days of its own, and one that was moved."""

from datetime import datetime, timedelta

from campaigns.models import Occasion
from campaigns.queries_occasions import next_date, shop_day
from campaigns.services.occasions import choose_countries, keep_calendar, move, save_own
from members.models import User


def keep_days(at: datetime, marketer: User) -> None:
    """As the marketer leaves it on the day of the demo."""
    today = shop_day(at)
    keep_calendar(at=at)
    choose_countries(codes=["CN", "DE"], at=at)
    opened = Occasion(name_en="Day we opened", name_zh_hans="开业纪念日", kind="own", rule="solar", month=3, day=21)
    save_own(occasion=opened, at=at, actor_id=marketer.pk)
    tasting = Occasion(name_en="Tasting evening", name_zh_hans="品鉴之夜", kind="own", rule="dated")
    evenings = [today + timedelta(days=days) for days in (9, 37, 65)]
    save_own(occasion=tasting, days=evenings, at=at, actor_id=marketer.pk)
    if lantern := next_date("lantern", today):
        move(
            date_id=lantern.pk,
            day=lantern.day + timedelta(days=(5 - lantern.day.weekday()) % 7 or 7),
            takes_place=True,
            note="The lanterns of our street are lit that Saturday",
            at=at,
            actor_id=marketer.pk,
        )
