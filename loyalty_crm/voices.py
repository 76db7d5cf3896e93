"""How the dashboard tells what customers say: each score with its interval, and whether a change is more than noise."""

from collections.abc import Callable, Mapping

from django.urls import reverse
from django.utils import formats
from django.utils.translation import gettext

from analytics.voices import Voices
from loyalty_crm.telling import Stat, list_of, number, percent
from surveys.rates import per_thousand
from surveys.scores import Score, ces, change, csat, nps, share

SMALLEST = 5  # of fewer answers nothing is told: surveys may be anonymous


def _signed(value: float) -> str:
    return ("+" if value > 0 else "") + _one(value)


def _one(value: float) -> str:
    return formats.number_format(round(value, 1), 1, use_l10n=True)  # it would cut off, not round


def _whole(value: float) -> str:
    return percent(value / 100)


# Kind of question → what the score is called, how it is reckoned and how it is written.
_SCORES: dict[str, tuple[Callable[[], str], Callable[[Mapping[int, int]], Score], Callable[[float], str]]] = {
    "nps": (lambda: gettext("Recommendation (NPS)"), nps, _signed),
    "csat": (lambda: gettext("Satisfaction (CSAT)"), csat, _whole),
    "ces": (lambda: gettext("Ease (CES, 1 to 7)"), ces, _one),
}


def stats(voices: Voices, *, bought: tuple[int, int], days: int) -> list[Stat]:
    """The tiles. `bought` are the purchases now and before. A score that nobody gave has none: it is not 0."""
    found = []
    for kind, (title, reckon, write) in _SCORES.items():
        if kind not in voices.scores:
            continue
        now, before = (
            reckon({int(score): n for score, n in voices.scores[kind][when].items()}) for when in ("now", "before")
        )
        found.append(_score(title(), now, before, write, days, list_of("surveys_survey")))
    if voices.complaints[0] or voices.complaints[1]:
        found.append(_complaints(voices.complaints, bought, days))
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
        return Stat(title, "–", "", "", "", gettext("too few answers"), link, "")
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


def _complaints(complaints: list[int], bought: tuple[int, int], days: int) -> Stat:
    title, link = gettext("Complaints per 1,000 purchases"), reverse("admin:surveys_case_figures")
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
