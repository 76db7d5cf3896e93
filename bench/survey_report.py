"""The report of a survey with 1,000,000 answers by segment, beside one hand-written statement of the same.

10 questions of nine kinds, 100,000 people (BENCH_PEOPLE sets another number), a third of them in the segment.
"""

import os
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg

from bench.base import Row, migrated, most_memory, product_on, seconds, side_by_side

AT = datetime(2026, 5, 12, 9, tzinfo=UTC)
KINDS = ("nps", "csat", "ces", "stars", "slider", "single", "multiple", "ranking", "matrix", "long")
AB = [{"id": key, "title": {"en": key, "zh-hans": key}} for key in "abcde"]
FILL = """
INSERT INTO members_member (name, email, phone, language, time_zone, city, birthday_calendar, birthday_month,
                            birthday_day, birthday_leap_month, leap_day_rule, joined_at)
    SELECT 'Member ' || n, 'm' || n || '@example.com', '', 'en', 'UTC', '', 'solar', 1 + n %% 12, 1 + n %% 28, false,
           'feb28', timestamptz '2024-01-01' FROM generate_series(1, %(people)s) AS n;
INSERT INTO members_segmentmember (segment_id, member_id, entered_at)
    SELECT %(segment)s, id, %(at)s FROM members_member WHERE id %% 3 = 0;
INSERT INTO surveys_response (uid, survey_id, version_id, member_id, key, way, language, state, fits, traits,
                              started_at, changed_at, completed_at)
    SELECT gen_random_uuid(), %(survey)s, %(version)s, id, '', 'public', 'en', 'complete', '{}', '{}',
           %(at)s, %(at)s, %(at)s::timestamptz + id * interval '1 minute' FROM members_member ORDER BY id;
INSERT INTO surveys_answer (response_id, question, number, choices, rows, text)
    SELECT response.id, 'q' || n,
           CASE n WHEN 1 THEN dice %% 11 WHEN 2 THEN 1 + dice %% 5 WHEN 3 THEN 1 + dice %% 7 WHEN 4 THEN 1 + dice %% 5
                  WHEN 5 THEN dice %% 101 END,
           CASE n WHEN 6 THEN ARRAY[substr('abcde', 1 + dice %% 5, 1)]
                  WHEN 7 THEN ARRAY['a', substr('bcde', 1 + dice %% 4, 1)]
                  WHEN 8 THEN CASE dice %% 3 WHEN 0 THEN '{a,b,c,d,e}'::text[] WHEN 1 THEN '{b,a,e,d,c}'
                                             ELSE '{e,d,c,b,a}' END END,
           CASE n WHEN 9 THEN jsonb_build_object('a', substr('abcde', 1 + dice %% 5, 1),
                                                 'b', substr('abcde', 1 + dice / 8 %% 5, 1)) END,
           CASE n WHEN 10 THEN 'Good coffee ' || response.id ELSE '' END
    FROM surveys_response AS response, generate_series(1, 10) AS n,
         LATERAL (SELECT hashint4((response.id * 16 + n)::int) & 65535 AS dice) AS thrown
"""
BY_HAND = """
WITH said AS MATERIALIZED (
    SELECT inside.member_id IS NOT NULL AS inside, answer.question, answer.number, answer.choices, answer.rows,
           count(*) AS asked,
           count(*) FILTER (WHERE answer.number IS NOT NULL OR answer.choices IS NOT NULL OR answer.rows IS NOT NULL
                            OR answer.text <> '' OR answer.day IS NOT NULL OR answer.upload_id IS NOT NULL) AS answered
    FROM surveys_response AS response
    JOIN surveys_answer AS answer ON answer.response_id = response.id
    LEFT JOIN members_segmentmember AS inside
           ON inside.segment_id = %(segment)s AND inside.member_id = response.member_id
    WHERE response.survey_id = %(survey)s AND response.state = 'complete'
    GROUP BY 1, 2, 3, 4, 5
)
SELECT inside, question, 'asked', '', sum(asked) FROM said GROUP BY 1, 2
UNION ALL SELECT inside, question, 'answered', '', sum(answered) FROM said GROUP BY 1, 2
UNION ALL SELECT inside, question, 'number', number::float8::text, sum(asked) FROM said
          WHERE number IS NOT NULL GROUP BY 1, 2, 4
UNION ALL SELECT inside, question, 'choice', choice, sum(asked) FROM said, unnest(choices) AS choice GROUP BY 1, 2, 4
UNION ALL SELECT inside, question, 'place', choice, sum(asked * place)
          FROM said, unnest(choices) WITH ORDINALITY AS ranked (choice, place) GROUP BY 1, 2, 4
UNION ALL SELECT inside, question, 'row', pair.key || '=' || pair.value, sum(asked)
          FROM said, jsonb_each_text(rows) AS pair GROUP BY 1, 2, 4
UNION ALL SELECT inside.member_id IS NOT NULL, '', 'size', '', count(*) FROM surveys_response AS response
          LEFT JOIN members_segmentmember AS inside
                 ON inside.segment_id = %(segment)s AND inside.member_id = response.member_id
          WHERE response.survey_id = %(survey)s AND response.state = 'complete' GROUP BY 1
"""


def run(server: str) -> Iterator[Row]:
    from common.sql import execute, fetch_all
    from members.models import Segment
    from surveys.models import Answer
    from surveys.queries_report import Asked, report
    from surveys.services.publishing import make_survey, move

    people = int(os.environ.get("BENCH_PEOPLE", "100000"))
    with migrated(server, "bench_survey_report") as url, product_on(url):
        survey = make_survey(name="Bench", definition=_definition(), at=AT)
        move(survey_id=survey.pk, to="open", at=AT)
        segment = Segment.objects.create(name="Third", definition={})
        params = {"survey": survey.pk, "segment": segment.pk}
        for statement in FILL.split(";\n"):
            execute(statement, params | {"version": survey.versions.get().pk, "people": people, "at": AT})
        with psycopg.connect(url, autocommit=True) as resting:
            resting.execute("VACUUM ANALYZE")
        told: dict[str, dict] = {}

        def ours() -> None:
            told["ours"] = _flat(*report(Asked(survey.pk, by=f"segment:{segment.pk}")))

        def by_hand() -> None:
            found = fetch_all(BY_HAND, params)
            told["by hand"] = {(who, question, what, value): int(n) for who, question, what, value, n in found}

        ours(), by_hand()  # each warmed
        mine, theirs = side_by_side(lambda: seconds(ours), lambda: seconds(by_hand))
        answers = Answer.objects.count()
    if told["ours"] != told["by hand"]:
        raise SystemExit(f"bench: {set(told['ours'].items()) ^ set(told['by hand'].items())}")
    note = f"{len(told['ours'])} figures of {people:,} people"
    yield Row("survey report by segment", answers, mine, theirs, 1 / 1.3, most_memory(), note)


def _definition() -> dict:
    more = {kind: {"choices": AB} for kind in ("single", "multiple", "ranking")}
    more["matrix"] = {"choices": AB, "rows": AB[:2]}
    questions = [
        {"id": f"q{n}", "kind": kind, "title": {"en": kind, "zh-hans": kind}, **more.get(kind, {})}
        for n, kind in enumerate(KINDS, 1)
    ]
    return {"sections": [{"id": "s1", "questions": questions}]}


def _flat(found: dict, sizes: dict) -> dict:
    """A report as the statement by hand tells it."""
    flat: dict = {(who == "in", "", "size", ""): n for who, n in sizes.items()}
    for who, tallies in found.items():
        for question, tally in tallies.items():
            start = (who == "in", question)
            flat |= {(*start, "asked", ""): tally.asked, (*start, "answered", ""): tally.answered}
            flat |= {(*start, "number", f"{value:g}"): n for value, n in tally.numbers.items()}
            flat |= {(*start, "choice", key): n for key, n in tally.choices.items()}
            flat |= {(*start, "place", key): n for key, n in tally.places.items()}
            flat |= {(*start, "row", "=".join(pair)): n for pair, n in tally.rows.items()}
    return flat
