"""A survey's first question in a mail: who clicks a number lands on the page with that number chosen, and sends it
there. The links write nothing, however often a mail service opens them."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _

from campaigns.content import blocks
from campaigns.content.blocks import Kind, Part
from campaigns.content.frame import Drawn, Page, box, labelled, mail_text, register_drawing
from campaigns.merge import Field, Number, Recipient, day, register, register_family
from surveys.definition import Survey as Definition
from surveys.definition import said
from surveys.enums import SCALES, QuestionKind
from surveys.links import Asked, invitation_url, member_url
from surveys.logic import pipes
from surveys.models import Invitation, Survey
from surveys.queries import reading

NOTHING: Mapping[str, Any] = {
    "url": "", "ask": "", "scale": [], "question": "", "low": "", "high": "", "points": 0, "until": "",
}  # fmt: skip


def sample() -> dict[str, Any]:
    """What the block shows where nobody is asked anything."""
    return {
        **NOTHING,
        "url": "#",
        "ask": "q1",
        "scale": list(range(11)),
        "question": gettext("How likely are you to recommend us to a friend?"),
        "low": gettext("Not at all"),
        "high": gettext("Very likely"),
        "points": Number(20),
    }


def values_of(read: Definition, url: str, points: int = 0, until: str = "") -> dict[str, Any]:
    """What the block says of a survey, in the active language. Only scales are answered by a click."""
    language = get_language() or "en"
    first = next((one for one in read.questions() if one.kind != QuestionKind.STATEMENT), None)
    if first is None:
        return dict(NOTHING)
    told = {**NOTHING, "url": url, "question": said(first.title, language), "points": Number(points), "until": until}
    if pipes(told["question"]):
        told["question"] = gettext("May we ask you something?")
    if first.kind in SCALES and next(iter(read.questions())) is first:
        low, high = SCALES[first.kind]
        ends = [said(texts, language) for texts in first.ends]
        told |= {"ask": first.id, "scale": list(range(low, (first.high or high) + 1)), "low": ends[0], "high": ends[1]}
    return told


def _invited(recipients: Sequence[Recipient]) -> list[Mapping[str, Any]]:
    """`survey`: the one that the message invites to."""
    ids = [one.invitation_id for one in recipients if one.invitation_id]
    asked = Invitation.objects.select_related("survey").in_bulk(ids)
    reads = {one.survey_id: _newest(one.survey) for one in asked.values()}
    told: list[Mapping[str, Any]] = []
    for one in recipients:
        invitation = asked.get(one.invitation_id or 0)
        if invitation is None:
            told.append(NOTHING)
            continue
        until = day(invitation.expires_at.date()) if invitation.expires_at else ""
        survey = invitation.survey
        told.append(values_of(reads[survey.pk], invitation_url(invitation.uid), survey.thanks_points, until))
    return told


def _chosen(recipients: Sequence[Recipient], what: str) -> list[Mapping[str, Any]]:
    """`survey_12`: a personal link to that survey, in whatever mail."""
    survey = Survey.objects.filter(pk=int(what), state="open").first() if what.isdecimal() else None
    if survey is None or survey.number == 0:
        return [NOTHING] * len(recipients)
    read = _newest(survey)
    return [
        values_of(
            read,
            member_url(Asked(survey.pk, one.member.pk, f"open:{one.at:%Y-%m-%d}")) if one.member.pk else "#",
            survey.thanks_points,
        )
        for one in recipients
    ]


def _newest(survey: Survey) -> Definition:
    return reading(survey.versions.values_list("pk", flat=True).get(number=survey.number))


@register_drawing("survey_question")
def _draw(block: Mapping[str, Any], page: Page) -> Drawn:
    space = f"survey_{block['survey']}" if block["survey"] else "survey"
    light = page.look.light
    there, scale = f"{space}.question != ''", f"{space}.scale"
    question, url = page.put(f"{space}.question"), page.put(f"{space}.url")
    step, whole = (escape(page.tags.hide(page.links.survey(space, step=one)), quote=True) for one in (True, False))
    style = (
        f"display:inline-block;min-width:26px;padding:8px 5px;margin:0 2px 6px;text-align:center;font-weight:600;"
        f"text-decoration:none;border-radius:{min(page.look.brand.radius, 8)}px;border:1px solid {light.accent};"
        f"color:{light.accent}"
    )
    begin = gettext("Answer")
    one = f'<a class="survey-step" href="{step}" style="{style}">{page.put("n")}</a>'
    low, high = page.put(f"{space}.low"), page.put(f"{space}.high")
    ends = page.when(
        f"{space}.low != ''",
        f'<div class="label" style="font-size:13px;color:{light.quiet}">{low} → {high}</div>',
    )
    points = page.when(
        f"{space}.points > 0",
        f'<div class="label" style="font-size:14px;color:{light.quiet};padding-top:8px">'
        + gettext("%(points)s points as a thank-you, whatever you answer.") % {"points": page.put(f"{space}.points")}
        + "</div>",
    )
    button = f'<a class="survey-step" href="{whole}" style="{style};padding:10px 22px">{begin}</a>'
    steps = page.when(f"{scale}.size > 0", page.each("n", scale, one) + ends)
    steps += page.when(f"{scale}.size == 0", button)
    body = f'<div class="words" style="font-size:18px;font-weight:600;padding-bottom:12px;color:{light.text}">'
    body += f"{question}</div><div>{steps}</div>{points}"
    link = f'<p><a class="button" href="{url}">{begin}</a></p>'
    inapp = f'<div class="letter-box"><p><strong>{question}</strong></p>{link}</div>'
    return Drawn(
        mail_text(page.when(there, box(page, body))),
        page.when(there, f"{question}\n{labelled(begin, page.tags.hide(page.links.survey(space, step=False)))}\n\n"),
        page.when(there, inapp),
    )


def register_all() -> None:
    """Called once, when the app is ready."""
    survey = Part(
        "survey", _("survey"), "survey", is_required=False, help=_("Empty: the survey that the message invites to.")
    )
    blocks.register_kind("survey_question", Kind(_("Survey question"), "reviews", (survey,)))
    words = {
        "url": Field(_("link to the survey that it invites to"), "https://example.com/s/"),
        "question": Field(_("first question of the survey"), "How likely are you to recommend us?"),
        "points": Field(_("points as thanks for answers"), 20),
        "until": Field(_("last day to answer"), ""),
        "ask": Field(_("name of the first question"), "q1"),
    }
    register("survey", words, _invited)
    register_family("survey", _chosen)
