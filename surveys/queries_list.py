"""How surveys stand: who was asked, who began, who finished."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Count, Q

from surveys.enums import InvitationState, ResponseState
from surveys.models import Invitation, Response


@dataclass(slots=True)
class Standing:
    """`begun` counts every answer, `complete` those that count; `asked` and `answered` are invitations."""

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
    answered = Count("pk", filter=Q(state=InvitationState.ANSWERED))
    # Who comes through the portal without being asked has an invitation of their own making.
    asked = Invitation.objects.filter(survey__in=found).exclude(key="open").order_by().values("survey")
    for each in asked.annotate(asked=Count("pk"), answered=answered):
        found[each["survey"]].asked, found[each["survey"]].answered = each["asked"], each["answered"]
    return found
