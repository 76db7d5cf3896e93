"""How surveys stand: who was asked, who began, who finished."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from surveys.enums import ResponseState
from surveys.models import Response
from surveys.reaching import handed_over


@dataclass(slots=True)
class Standing:
    """`begun` counts every answer, `complete` those that count; `asked` and `answered` are invitations
    that were handed over."""

    begun: int = 0
    complete: int = 0
    asked: int = 0
    answered: int = 0

    @property
    def rate(self) -> float | None:
        """Answered of 100 invitations; None where nobody was asked."""
        return 100 * self.answered / self.asked if self.asked else None


def standing(survey_ids: Iterable[int]) -> dict[int, Standing]:
    """By survey, in two queries."""
    found = {pk: Standing() for pk in survey_ids}
    complete = Count("pk", filter=Q(state=ResponseState.COMPLETE))
    responses = Response.objects.filter(survey__in=found).order_by().values("survey")
    for row in responses.annotate(begun=Count("pk"), complete=complete):
        found[row["survey"]].begun, found[row["survey"]].complete = row["begun"], row["complete"]
    for pk, (asked, answered) in handed_over(list(found)).items():
        found[pk].asked, found[pk].answered = asked, answered
    return found
