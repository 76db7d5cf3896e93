"""Which answers open a case."""

from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import override

from members.models import PRESENT, Member
from surveys.definition import Question, said
from surveys.enums import TEXTS, QuestionKind
from surveys.enums_cases import CaseChannel, CaseKind, CaseSource, Severity
from surveys.logic import in_words, piped
from surveys.models import Case, CaseRule, Response
from surveys.queries import given_in, reading
from surveys.services.answering import DETRACTOR
from surveys.services.cases.opening import MOST, open_case

_WEIGHT = [Severity.LOW, Severity.NORMAL, Severity.HIGH, Severity.URGENT]


@transaction.atomic
def open_by_rules(*, response_id: int, at: datetime) -> Case | None:
    """Opens a case, one for each response at most, by the rule of the highest severity that its answers fit. None where
    none fits, or nobody is known."""
    response = Response.objects.select_related("survey", "member").get(pk=response_id)
    member_id = response.member_id
    if member_id is None or not Member.objects.filter(PRESENT, pk=member_id).exists():
        return None
    begun = Q(since=None) | Q(since__lte=response.completed_at or at)
    rules = CaseRule.objects.filter(begun, Q(survey=None) | Q(survey=response.survey_id), active=True)
    read, given = reading(response.version_id), given_in(response)
    hits: list[tuple[int, CaseRule, int, Question]] = []
    for rule in rules:
        for question in read.questions():
            number = given[question.id].number if question.id in given else None
            limit = (
                rule.at_most
                if rule.question == question.id
                else None
                if rule.question
                else DETRACTOR.get(QuestionKind(question.kind))
            )
            if number is not None and limit is not None and number <= limit:
                hits.append((_WEIGHT.index(Severity(rule.severity)), rule, int(number), question))
                break
    if not hits:
        return None
    _weight, rule, score, asked = max(hits, key=lambda hit: (hit[0], hit[1].survey_id is not None, -hit[1].pk))
    language = response.member.language if response.member else response.language
    name = response.member.name if response.member else ""
    with override(language):
        words = [
            piped(said(question.title, language), read, given, language=language, name=name)
            + f"\n{in_words(question, given[question.id], language)}"
            for question in read.questions()
            if question.id in given and (given[question.id].text or given[question.id].number is not None)
        ]
        own = next(
            (given[q.id].text for q in read.questions() if q.kind in TEXTS and q.id in given and given[q.id].text), ""
        )
        # The member sees it: never what the survey is called in the office.
        title = piped(said(asked.title, language), read, given, language=language, name=name)
        subject = own[:80] or f"{title[:150]} · {in_words(asked, given[asked.id], language)}"
    return open_case(
        kind=CaseKind.COMPLAINT,
        text="\n\n".join(words)[:MOST],
        subject=" ".join(subject.split()),
        source=CaseSource.SURVEY,
        channel=CaseChannel.SURVEY,
        member_id=member_id,
        severity=rule.severity,
        category_id=rule.category_id,
        owner_id=rule.owner_id,
        purchase_id=response.purchase_id if response.purchase and response.purchase.member_id == member_id else None,
        response_id=response.pk,
        score=score,
        question=asked.id,
        score_kind=asked.kind,
        store=str(response.traits.get("store", ""))[:80],
        key=f"response:{response.pk}",
        at=at,
    )
