"""Themes are kept, and texts are read: their words and their themes are written beside them.

A text is read once, when its answer is finished (of an anonymous survey: mixed). When the words of a theme change, the
texts that are read already are looked through for that theme alone. All of it is one worker's at a time.
"""

from datetime import datetime
from typing import Any

from django.db import transaction

from common.sql import execute, fetch_all, lock
from surveys.enums_cases import CaseChannel, MessageKind
from surveys.models import Answer, Case, CaseMessage, Theme
from surveys.ready_themes import THEMES
from surveys.wording import Dictionary, cutter, terms_of, words_of

TEXTS, CASES = 2000, 500  # in one transaction
_SEPARATOR = "\x1f"

_UNREAD = """
SELECT answer.id, answer.text
FROM surveys_answer AS answer
JOIN surveys_response AS response ON response.id = answer.response_id
JOIN surveys_survey AS survey ON survey.id = response.survey_id
WHERE answer.words IS NULL AND answer.text <> '' AND response.state <> 'started'
  AND (response.mixed_at IS NOT NULL OR NOT survey.anonymous)
ORDER BY answer.id LIMIT %(most)s
FOR UPDATE OF answer SKIP LOCKED
"""
_WRITE = """
UPDATE surveys_answer AS answer
SET words = coalesce(string_to_array(nullif(told.words, ''), E'\\x1f'), '{}'), themes = told.themes::bigint[]
FROM unnest(%(ids)s::bigint[], %(words)s::text[], %(themes)s::text[]) AS told (id, words, themes)
WHERE answer.id = told.id
"""
_READ = """
SELECT id, text, themes @> ARRAY[%(theme)s::bigint]
FROM surveys_answer
WHERE id > %(after)s AND words IS NOT NULL AND text <> ''
ORDER BY id LIMIT %(most)s
"""
_TAG = """
UPDATE surveys_answer SET themes = CASE WHEN themes @> ARRAY[%(theme)s::bigint]
    THEN array_remove(themes, %(theme)s) ELSE array_append(themes, %(theme)s) END
WHERE id = ANY(%(ids)s) AND text <> ''
"""


@transaction.atomic
def save_theme(theme: Theme, *, at: datetime) -> Theme:
    """Keeps a theme; where its words are new, all texts are looked through for them again."""
    before = Theme.objects.select_for_update().filter(pk=theme.pk).values_list("terms", flat=True).first()
    if before is None or terms_of(before) != terms_of(theme.terms):
        theme.changed_at, theme.settled = at, False
    theme.save()
    return theme


@transaction.atomic
def add_ready(*, at: datetime) -> int:
    """Adds the ready themes that are not there; how many."""
    made = [
        Theme(name_en=one.en, name_zh_hans=one.zh, terms="\n".join(terms_of(one.terms)), ready=key, changed_at=at)
        for key, one in THEMES.items()
    ]
    before = Theme.objects.count()
    Theme.objects.bulk_create(made, ignore_conflicts=True)
    return Theme.objects.count() - before


def read_due() -> int:
    """Reads what was not read, and looks for themes whose words changed; how many texts were read anew."""
    read = 0
    if Theme.objects.filter(settled=False).exists():  # cases are few: they are read whole again
        Case.objects.exclude(themes=None).update(themes=None)
    while _read_cases() == CASES:
        pass
    while some := _read_some():
        read += some
    for theme_id, since in Theme.objects.filter(settled=False).values_list("pk", "changed_at"):
        after: int | None = 0
        while after is not None:
            after = _look_further(theme_id, since, after)
    return read


@transaction.atomic
def _read_some() -> int:
    lock("surveys.themes")
    texts = fetch_all(_UNREAD, {"most": TEXTS})
    if not texts:
        return 0
    dictionary = Dictionary({theme.pk: terms_of(theme.terms) for theme in Theme.objects.all()})
    cut = cutter()
    told: dict[str, list[Any]] = {
        "ids": [pk for pk, _text in texts],
        "words": [_SEPARATOR.join(words_of(text, cut)) for _pk, text in texts],
        "themes": [f"{{{','.join(map(str, dictionary.themes_in(text)))}}}" for _pk, text in texts],
    }
    execute(_WRITE, told)
    return len(texts)


@transaction.atomic
def _read_cases() -> int:
    """Notes the themes of the next cases by what the member said: in their answers where a survey opened it, for the
    first message has the questions, too; else in their messages. How many were read."""
    lock("surveys.themes")
    waiting = Case.objects.select_for_update(skip_locked=True, no_key=True).filter(themes=None).order_by("pk")
    cases = {case.pk: case for case in waiting.only("pk", "themes", "response_id")[:CASES]}
    texts: dict[int, list[str]] = {pk: [] for pk in cases}
    said = CaseMessage.objects.filter(case__in=cases, kind=MessageKind.IN).exclude(channel=CaseChannel.SURVEY)
    answered = Answer.objects.filter(response__case__in=cases).exclude(text="")
    for pk, text in [*said.values_list("case", "text"), *answered.values_list("response__case", "text")]:
        texts[pk].append(text)
    dictionary = Dictionary({theme.pk: terms_of(theme.terms) for theme in Theme.objects.all()})
    for pk, case in cases.items():
        case.themes = dictionary.themes_in("\n".join(texts[pk]))
    Case.objects.bulk_update(cases.values(), ["themes"])
    return len(cases)


@transaction.atomic
def _look_further(theme_id: int, since: datetime, after: int) -> int | None:
    """Marks the next texts that hold a theme, and those that no longer do. How far it looked; None at the end. A theme
    whose words change behind it is not settled, and looked for again."""
    lock("surveys.themes")
    theme = Theme.objects.filter(pk=theme_id, changed_at=since).first()
    if theme is None:
        return None
    texts = fetch_all(_READ, {"theme": theme_id, "after": after, "most": TEXTS})
    dictionary = Dictionary({theme_id: terms_of(theme.terms)})
    changed = [pk for pk, text, has in texts if bool(dictionary.themes_in(text)) is not has]
    if changed:
        execute(_TAG, {"theme": theme_id, "ids": changed})
    if len(texts) == TEXTS:
        return texts[-1][0]
    Theme.objects.filter(pk=theme_id, changed_at=since).update(settled=True)
    return None
