"""What the member page says of what a member answered: never what was answered anonymously, for that is nobody's."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _

from members.panels import MAIN, register
from surveys.definition import said
from surveys.enums import QuestionKind, ResponseState
from surveys.logic import in_words, piped
from surveys.models import Response
from surveys.queries import given_of, reading

if TYPE_CHECKING:
    from members.models import Member

NEWEST = 5
MOST: dict[str, int] = {QuestionKind.NPS: 10, QuestionKind.CSAT: 5, QuestionKind.CES: 7, QuestionKind.STARS: 5}


def _answers(member: "Member", at: datetime, request: HttpRequest) -> dict[str, Any]:
    done = Response.objects.filter(member=member, state=ResponseState.COMPLETE)
    newest = done.select_related("survey", "case").prefetch_related("answers").order_by("-completed_at", "-pk")[:NEWEST]
    return {"n": done.count(), "told": [{"response": one, **_in_words(one, member.name)} for one in newest]}


def _in_words(response: Response, name: str) -> dict[str, Any]:
    """Question and answer, in the order of the survey; what was passed over is left out. `score` is the first one."""
    language, read = get_language() or "en", reading(response.version_id)
    given = {answer.question: given_of(answer) for answer in response.answers.all()}
    told = [(one, in_words(one, given[one.id], language)) for one in read.questions() if one.id in given]
    scores = [(given[one.id].number, MOST[one.kind]) for one, _words in told if one.kind in MOST]
    return {
        "answers": [
            {"question": piped(said(one.title, language), read, given, language=language, name=name), "answer": words}
            for one, words in told
            if words
        ],
        "score": next(((number, most) for number, most in scores if number is not None), None),
    }


def register_all() -> None:
    """Called once, when the app is ready."""
    register(
        "answers", _("Survey answers"), 33, "surveys/admin/panel_answers.html", _answers, "surveys.view_survey", MAIN
    )
