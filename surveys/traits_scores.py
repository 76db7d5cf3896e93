"""Traits for segments: what a member said of us last. Anonymous answers are nobody's, so in none of them."""

from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from psycopg.sql import SQL, Composable, Identifier, Literal

from members.segments.compile import Query
from members.segments.kinds import Choice, Flag, Moment, Number
from members.segments.traits import Group, Trait, register
from members.segments.tree import Leaf
from surveys.enums import SCALES, QuestionKind
from surveys.queries_care import FOLLOWED


class Stance(models.TextChoices):
    """The groups of NPS (Reichheld 2003)."""

    PROMOTER = "promoter", pgettext_lazy("nps", "Promoter (9 or 10)")
    PASSIVE = "passive", pgettext_lazy("nps", "Passive (7 or 8)")
    DETRACTOR = "detractor", pgettext_lazy("nps", "Detractor (0 to 6)")


# The newest answer of each member to any question of a kind; of several in one survey the one that stands last.
_NEWEST = """
SELECT DISTINCT ON (response.member_id) response.member_id, answer.number::int AS score
FROM (
    SELECT version.id, question ->> 'id' AS question, place
    FROM surveys_surveyversion AS version, jsonb_path_query(
        version.definition, '$.sections[*].questions[*]'
    ) WITH ORDINALITY AS asked (question, place)
    WHERE question ->> 'kind' = {kind}
) AS asked
JOIN surveys_response AS response ON response.version_id = asked.id
JOIN surveys_answer AS answer ON answer.response_id = response.id AND answer.question = asked.question
WHERE response.state = 'complete' AND answer.number IS NOT NULL AND response.member_id IS NOT NULL
  AND {scope} AND {window}
ORDER BY response.member_id, response.completed_at DESC, response.id DESC, asked.place DESC
"""
_COMPLETE = "surveys_response AS response WHERE response.state = 'complete' AND response.member_id IS NOT NULL AND {}"
# Whether a member bought within so many days after a complaint of theirs was put right.
_CAME_BACK = """
SELECT one.member_id, bool_or(EXISTS (
    SELECT FROM members_purchase AS bought
    WHERE bought.member_id = one.member_id AND bought.purchased_at > one.resolved_at
      AND bought.purchased_at <= one.resolved_at + make_interval(days => {days}))) AS came_back
FROM surveys_case AS one
WHERE one.kind = 'complaint' AND one.state IN ('resolved', 'closed') AND {scope}
GROUP BY one.member_id
"""


def _newest(kind: QuestionKind, query: Query, leaf: Leaf) -> Identifier:
    def rows() -> Composable:
        return SQL(_NEWEST).format(
            kind=Literal(kind.value),
            scope=query.scope(SQL("response.member_id")),
            window=query.within(leaf, SQL("response.completed_at")),
        )

    return query.relation(("newest score", kind.value, leaf.within), rows)


def _score(kind: QuestionKind, label: Any, clause: Any, found: Any) -> Trait:
    least, most = SCALES[kind]
    return Trait(
        f"survey.{kind.value}",
        label,
        Group.SCORES,
        Number(least=least, most=most, nullable=True),
        lambda query, leaf: SQL("{}.score").format(_newest(kind, query, leaf)),
        clause,
        found=found,
        nothing=_("has not been asked, or did not say"),
        window="past",
        profiling=True,
    )


def _stance(query: Query, leaf: Leaf) -> Composable:
    return SQL(
        "CASE WHEN {0}.score >= 9 THEN 'promoter' WHEN {0}.score >= 7 THEN 'passive'"
        " WHEN {0}.score >= 0 THEN 'detractor' END"
    ).format(_newest(QuestionKind.NPS, query, leaf))


def _last_answered(query: Query, leaf: Leaf) -> Composable:
    def rows() -> Composable:
        return SQL(_COMPLETE).format(query.scope(SQL("response.member_id")))

    grouped = query.grouped(("answered surveys",), member=SQL("response.member_id"), rows=rows)
    return grouped.column(SQL("max(response.completed_at)"))


def _came_back(query: Query, leaf: Leaf) -> Composable:
    def rows() -> Composable:
        return SQL(_CAME_BACK).format(days=Literal(FOLLOWED), scope=query.scope(SQL("one.member_id")))

    return SQL("{}.came_back").format(query.relation(("came back",), rows))


register(
    _score(
        QuestionKind.NPS,
        _("latest recommendation (NPS, 0 to 10)"),
        _("whose latest recommendation%(window)s is %(test)s"),
        _("recommendation %(value)s of 10"),
    ),
    _score(
        QuestionKind.CSAT,
        _("latest satisfaction (CSAT, 1 to 5)"),
        _("whose latest satisfaction%(window)s is %(test)s"),
        _("satisfaction %(value)s of 5"),
    ),
    _score(
        QuestionKind.CES,
        _("latest ease (CES, 1 to 7)"),
        _("whose latest ease%(window)s is %(test)s"),
        _("ease %(value)s of 7"),
    ),
    Trait(
        "survey.stance",
        _("promoter, passive or detractor"),
        Group.SCORES,
        Choice(nullable=True),
        _stance,
        _("who by their latest recommendation%(window)s are: %(test)s"),
        found=_("by their latest recommendation: %(value)s"),
        nothing=_("has not been asked, or did not say"),
        choices=lambda: dict(Stance.choices),
        window="past",
        profiling=True,
    ),
    Trait(
        "survey.last_answered",
        _("last survey answered"),
        Group.MESSAGES,
        Moment(nullable=True),
        _last_answered,
        _("who answered their last survey %(test)s"),
        found=_("last survey answered %(value)s"),
        nothing=_("has answered no survey"),
    ),
    Trait(
        "case.recovered",
        _("came back after a complaint"),
        Group.MESSAGES,
        Flag(),
        _came_back,
        _("who bought again within 60 days after a complaint of theirs was put right"),
        clauses={"no": _("who did not buy again within 60 days after a complaint, or had none put right")},
        found=_("bought again after a complaint: %(value)s"),
        nothing=_("had no complaint put right"),
        profiling=True,
    ),
)
