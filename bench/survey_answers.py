"""Answers to a survey, posted to two web processes as production runs them: a hundred a second without an error.

Here "by hand" is the time that a hundred a second would take.
"""

import subprocess
import sys
from collections.abc import Iterator

from bench.base import Row

SECONDS, CLIENTS, ASKED = 20, 16, 100


def run(server: str) -> Iterator[Row]:
    from django.utils import timezone

    from drills.stage import stage
    from surveys.models import Response
    from surveys.services.publishing import make_survey, move

    with stage(server, "survey_answers") as stand:
        at = timezone.now()
        asked = [{"id": "q1", "kind": "nps", "required": True}]
        asked += [{"id": f"q{n}", "kind": "csat"} for n in range(2, 10)] + [{"id": "q10", "kind": "long"}]
        for one in asked:
            one["title"] = {"en": "How?", "zh-hans": "如何？"}  # type: ignore[assignment]
        definition = {"sections": [{"id": "s1", "questions": asked}]}
        survey = make_survey(name="Bench", definition=definition, at=at, ways=["api"])
        move(survey_id=survey.pk, to="open", at=at)
        command = [sys.executable, "-m", "bench._calls", str(stand.port), stand.key, str(CLIENTS), str(SECONDS)]
        done = subprocess.run([*command, survey.code, "1"], capture_output=True, text=True, check=False)
        if done.returncode:
            raise SystemExit(f"bench: an answer was refused: {done.stderr}{done.stdout}")
        posted, took = done.stdout.split()
        kept = Response.objects.filter(state="complete").count()
        if kept != int(posted):
            raise SystemExit(f"bench: {posted} answers were taken, {kept} are there")
    rate = kept / float(took)
    note = f"{rate:.0f} a second with 10 questions each, no error"
    yield Row("answers to a survey", kept, float(took), kept / ASKED, 1.0, note=note)
