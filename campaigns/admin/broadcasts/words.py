"""Broadcasts said in words."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.formats import date_format, number_format, time_format
from django.utils.translation import gettext, ngettext

from campaigns.enums import BroadcastWhen, Medium, Metric
from campaigns.experiments import Arm
from campaigns.models import Broadcast, BroadcastVariant
from campaigns.queries_measure import Lift
from campaigns.services.broadcasts.audience import Estimate, NoDate, timing_of
from common.intervals import wilson
from common.moments import format_moment
from common.money import format_money
from members.queries import get_programme


def number(n: int) -> str:
    return number_format(n, force_grouping=True)


def percent(share: float) -> str:
    return gettext("%(n)s %%") % {"n": number_format(round(100 * share, 1), 1)}


def amount(minor: float | Decimal, currency: str) -> str:
    """Money, with a minus from which no line breaks."""
    return format_money(round(minor), currency).replace("-", "\N{MINUS SIGN}\N{WORD JOINER}")


def members(n: int) -> str:
    return ngettext("%(shown)s member", "%(shown)s members", n) % {"shown": number(n)}


def put_off_words(found: Estimate) -> list[str]:
    """What becomes of those who are over a limit of messages, in sentences; none where nobody is."""
    if not found.put_off.members:
        return []
    told = [gettext("They are not left out: theirs waits until there is room.")]
    if n := found.put_off.too_late:
        text = ngettext(
            "For %(shown)s of them that is later than it may be: as things are now, this one is left out then.",
            "For %(shown)s of them that is later than it may be: as things are now, these are left out then.",
            n,
        )
        told.append(text % {"shown": number(n)})
    return told


def when_words(broadcast: Broadcast, *, at: datetime) -> str:
    """When it goes out, in a sentence."""
    try:
        timing = timing_of(broadcast, at=at)
    except (NoDate, ValueError) as error:
        return str(error)
    if broadcast.when == BroadcastWhen.NOW:
        return gettext("It goes out at once.")
    if broadcast.when == BroadcastWhen.MOMENT:
        there = timing.start.astimezone(ZoneInfo(get_programme().time_zone))
        return gettext("It goes out on %(moment)s.") % {"moment": format_moment(there)}
    words = {
        "day": date_format(timing.day) if timing.day else "",
        "hour": time_format(broadcast.hour, "TIME_FORMAT") if broadcast.hour else "",
        "occasion": broadcast.occasion,
    }
    if broadcast.when == BroadcastWhen.LOCAL:
        return gettext("It goes out on %(day)s at %(hour)s, by each member's own clock.") % words
    n = abs(broadcast.days_after)
    if broadcast.days_after == 0:
        return gettext("It goes out on %(occasion)s, %(day)s, at %(hour)s, by each member's own clock.") % words
    if broadcast.days_after < 0:
        text = ngettext(
            "It goes out %(n)d day before %(occasion)s, on %(day)s at %(hour)s, by each member's own clock.",
            "It goes out %(n)d days before %(occasion)s, on %(day)s at %(hour)s, by each member's own clock.",
            n,
        )
    else:
        text = ngettext(
            "It goes out %(n)d day after %(occasion)s, on %(day)s at %(hour)s, by each member's own clock.",
            "It goes out %(n)d days after %(occasion)s, on %(day)s at %(hour)s, by each member's own clock.",
            n,
        )
    return text % {**words, "n": n}


def pace_words(broadcast: Broadcast) -> list[str]:
    """What holds it up on the way, in sentences; none where nothing does."""
    campaign, said = broadcast.campaign, []
    if campaign.quiet_from and campaign.quiet_until:
        hours = {
            "start": time_format(campaign.quiet_from, "TIME_FORMAT"),
            "end": time_format(campaign.quiet_until, "TIME_FORMAT"),
        }
        said.append(gettext("It waits from %(start)s to %(end)s, by each member's own clock.") % hours)
    if n := campaign.rate_per_minute:
        said.append(
            ngettext("%(shown)s message a minute at most.", "%(shown)s messages a minute at most.", n)
            % {"shown": number(n)}
        )
    return said


def who_words(broadcast: Broadcast) -> str:
    """Whom it means, in a sentence."""
    if broadcast.follows_id is not None:
        return gettext("Those who did not get “%(name)s”.") % {"name": broadcast.follows}
    named = [str(one) for name in ("segments", "lists", "tags") for one in getattr(broadcast, name).all()]
    out = [str(one) for name in ("segments_out", "lists_out", "tags_out") for one in getattr(broadcast, name).all()]
    join = gettext(", ")
    if broadcast.everybody:
        text = gettext("Everybody")
    elif named:
        text = gettext("Members in %(groups)s") % {"groups": join.join(named)}
    else:
        return gettext("Nobody is chosen yet.")
    if out:
        return gettext("%(who)s, but not in %(groups)s.") % {"who": text, "groups": join.join(out)}
    return gettext("%(who)s.") % {"who": text}


def way_words(broadcast: Broadcast) -> str:
    """By which channels, in their order, in a sentence."""
    labels = [str(Medium(one).label) for one in broadcast.campaign.channels]
    return gettext("By: %(channels)s.") % {"channels": gettext(", otherwise ").join(labels)}


def gift_words(broadcast: Broadcast) -> str:
    """What comes with it; "" for nothing."""
    said = []
    if broadcast.gift_points:
        text = ngettext("%(n)s point", "%(n)s points", broadcast.gift_points)
        said.append(text % {"n": number(broadcast.gift_points)})
    if broadcast.offer_id:
        said.append(gettext("a coupon of “%(offer)s”") % {"offer": broadcast.offer})
    if not said:
        return ""
    return gettext("With it each member gets %(gifts)s, once.") % {"gifts": gettext(" and ").join(said)}


def test_words(broadcast: Broadcast, variants: list[BroadcastVariant]) -> str:
    """How versions are tested; "" for one version."""
    if len(variants) < 2:
        return ""
    words = {
        "n": len(variants),
        "share": broadcast.test_percent,
        "hours": broadcast.test_hours,
        "minimum": number(broadcast.minimum),
    }
    if broadcast.test_percent == 100:
        return gettext("%(n)d versions are compared; the result after %(hours)d hours is a report.") % words
    if broadcast.metric == Metric.OPENS:
        return (
            gettext(
                "%(n)d versions go to %(share)d %% of them. After %(hours)d hours the others get version A: opens"
                " decide nothing."
            )
            % words
        )
    return (
        gettext(
            "%(n)d versions go to %(share)d %% of them. After %(hours)d hours the others get the better one; where none"
            " is clearly better, or one has fewer than %(minimum)s members, version A."
        )
        % words
    )


_REASONS = {
    "too_few": lambda: gettext("Not enough data: at least one version reached too few members."),
    "no_difference": lambda: gettext("No winner: such differences come by chance alone."),
    "only_reported": lambda: gettext("Opens decide nothing: many programs open mails by themselves."),
}


def verdict_words(broadcast: Broadcast) -> str:
    """How the test of versions ended."""
    verdict = broadcast.verdict
    if not verdict:
        return gettext("The versions have not been compared yet.")
    if verdict["winner"]:
        letter = "ABCD"[verdict["winner"] - 1]
        p = verdict["p"]
        shown = f"< {number_format(0.001, 3)}" if p < 0.001 else f"= {number_format(round(p, 3), 3)}"
        said = gettext("Version %(letter)s is better (p %(shown)s).") % {"letter": letter, "shown": shown}
    else:
        said = _REASONS[verdict["reason"]]()
    if broadcast.test_percent == 100:
        return said
    rest = {"said": said, "letter": "ABCD"[verdict["rest"] - 1]}
    return gettext("%(said)s The others get version %(letter)s.") % rest


def arm_words(arm: Arm) -> str:
    low, high = wilson(arm.successes, arm.trials)
    return gettext("%(rate)s (between %(low)s and %(high)s)") % {
        "rate": percent(arm.rate),
        "low": percent(low),
        "high": percent(high),
    }


def lift_words(found: Lift, *, at: datetime) -> list[str]:
    """What it brought beside the hold-out, in sentences; or that this cannot be said."""
    if not found.held.members:
        return [gettext("Nobody was held out: what it brought cannot be told from what was bought anyway.")]
    if not found.enough or found.difference is None:
        return [gettext("Not enough data to tell what it brought from what was bought anyway.")]

    def money(minor: float) -> str:
        return amount(minor, found.currency)

    gap = found.difference
    each = gettext("Who got it spent %(got)s each, who was held out %(held)s.") % {
        "got": money(found.got.sample.mean),
        "held": money(found.held.sample.mean),
    }
    words = {"gap": money(gap.estimate), "low": money(gap.low), "high": money(gap.high)}
    said = gettext("A difference of %(gap)s a member, between %(low)s and %(high)s (95 %%).") % words
    if gap.clear:
        last = gettext("All together that is %(sum)s.") % {"sum": money(gap.estimate * found.got.members)}
    else:
        last = gettext("That may be chance: the interval holds zero.")
    sentences = [each, said, last]
    if found.until and found.until > at:
        sentences.append(gettext("Purchases until %(moment)s still count.") % {"moment": format_moment(found.until)})
    return sentences
