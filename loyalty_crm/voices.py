"""How the dashboard tells what customers say: each score with its interval, and whether a change is more than noise."""

from collections.abc import Callable, Mapping

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext

from analytics.periods import Period
from analytics.voices import Voices
from loyalty_crm.telling import Stat, list_of, number, percent
from surveys.behind import ANSWERS, url
from surveys.queries_given import SMALLEST
from surveys.rates import per_thousand
from surveys.scores import SCORES, Score, change, share
from surveys.words_cases import minutes_words


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + _one(value)


def _one(value: float) -> str:
    return formats.number_format(round(value, 1), 1, use_l10n=True)  # it would cut off, not round


def _whole(value: float) -> str:
    return percent(value / 100)


# Kind of question → how its score is written.
_WRITTEN: dict[str, Callable[[float], str]] = {"nps": _signed, "csat": _whole, "ces": _one}


def stats(voices: Voices, *, bought: tuple[int, int], period: Period) -> list[Stat]:
    """The tiles. `bought` are the purchases now and before. A score that nobody gave has none: it is not 0."""
    found, days = [], period.days
    for kind, write in _WRITTEN.items():
        if kind not in voices.scores:
            continue
        given = voices.scores[kind]
        now, before = (
            SCORES[kind]({int(n): people for n, people in given[when].items()}) for when in ("now", "before")
        )
        found.append(_score(str(ANSWERS[kind]), now, before, write, days, url(kind, period.start, period.at)))
    if voices.complaints[0] or voices.complaints[1]:
        link = url("complaints", period.start, period.at)
        found.append(_complaints(voices.complaints, bought, days, link))
    if voices.givers:
        rate = share("referral-rate:1", voices.givers, voices.active)
        note = gettext("%(givers)s of %(active)s who bought brought a customer")
        words = {"givers": number(voices.givers), "active": number(voices.active)}
        link = reverse("admin:referrals_programme_figures")
        found.append(Stat(gettext("Referral rate"), _whole(rate.value or 0), "", "", "", note % words, link, ""))
    return found


def _score(
    title: str, now: Score, before: Score, write: Callable[[float], str], days: int, link: str, good: bool = True
) -> Stat:
    if now.value is None or now.n < SMALLEST:
        needed = {"n": now.n, "least": SMALLEST}
        few = gettext("too few answers: %(n)d, and at least %(least)d are needed") % needed
        return Stat(title, "–", "", "", "", few, link, "")
    note = gettext("%(n)s answers") % {"n": number(now.n)}
    if now.low is not None and now.high is not None:
        words = {"n": number(now.n), "low": write(now.low), "high": write(now.high)}
        note = gettext("between %(low)s and %(high)s, %(n)s answers") % words
    moved = change(before, now)
    if moved is None:
        told, direction = gettext("not enough data to compare"), ""
    elif not moved.clear:
        told, direction = gettext("no clear change on %(days)d days before") % {"days": days}, ""
    else:
        told = gettext("%(was)s in the %(days)d days before") % {"was": write(before.value or 0), "days": days}
        direction = "up" if moved.value > 0 else "down"
    tone = "" if not direction else "good" if (direction == "up") == good else "bad"
    return Stat(title, write(now.value), told, direction, tone, note, link, "")


def desk(care: Mapping[str, float | None], *, period: Period, undone: int, overdue: int) -> list[Stat]:
    """The tiles of the service desk: what is open and late now, and how soon people were answered in the period. None
    where there never was a case."""
    cases, unhappy = int(care["cases"] or 0), int(care["unhappy"] or 0)
    if not (undone or cases or unhappy):
        return []
    late_note = gettext("somebody should have acted by now")
    moment = gettext("at this moment")
    found = [
        Stat(gettext("Open cases"), number(undone), "", "", "", moment, list_of("surveys_case", desk="open"), ""),
        Stat(
            gettext("Overdue cases"),
            number(overdue),
            late_note if overdue else "",
            "",
            "bad" if overdue else "",
            moment,
            list_of("surveys_case", desk="late"),
            "",
        ),
    ]
    if cases:
        words = {"answered": number(int(care["answered"] or 0)), "n": number(cases)}
        note = gettext("median of business hours; %(answered)s of %(n)s were answered") % words
        link = url("opened", period.start, period.at)
        found.append(
            Stat(gettext("Time to the first answer"), minutes_words(care["median"]), "", "", "", note, link, "")
        )
    if unhappy and care["heard"] is not None:
        note = gettext("of %(n)s who were unhappy in a survey") % {"n": number(unhappy)}
        link = url("unhappy", period.start, period.at)
        title = gettext("Detractors answered within a day")
        found.append(Stat(title, _whole(care["heard"]), "", "", "", note, link, ""))
    return found


def _complaints(complaints: list[int], bought: tuple[int, int], days: int, link: str) -> Stat:
    title = gettext("Complaints per 1,000 purchases")
    now, before = (per_thousand(n, base) for n, base in zip(complaints, bought, strict=True))
    counted = gettext("%(n)s complaints") % {"n": number(complaints[0])}
    if now.value is None or now.low is None or now.high is None:
        return Stat(title, "–", "", "", "", counted, link, "")
    words = {"low": _one(now.low), "high": _one(now.high), "complaints": counted}
    note = gettext("between %(low)s and %(high)s, %(complaints)s") % words
    if before.low is None or before.high is None or before.value is None:
        return Stat(title, _one(now.value), gettext("not enough data to compare"), "", "", note, link, "")
    # Intervals that do not touch: more careful than a test of the difference.
    direction = "up" if now.low > before.high else "down" if now.high < before.low else ""
    if not direction:
        told = gettext("no clear change on %(days)d days before") % {"days": days}
    else:
        told = gettext("%(was)s in the %(days)d days before") % {"was": _one(before.value), "days": days}
    tone = {"up": "bad", "down": "good"}.get(direction, "")
    return Stat(title, _one(now.value), told, direction, tone, note, link, "")
