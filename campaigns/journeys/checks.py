"""What is checked of a journey as a whole, once each of its steps can be read: where its ways lead, what they cost."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from django.utils.translation import gettext

from campaigns.journeys.definition import END, WAITS, Journey, Known, Problem, Step, StepKind


def ways(journey: Journey) -> Iterator[Problem]:
    """No circle without a wait, none without a way out, and no step that nobody comes to."""
    reached = _reached(journey.steps, [journey.first])
    for step in journey.steps.values():
        if step.id not in reached:
            yield Problem(step.path, gettext("Nobody ever comes to this step."))
    for step in journey.steps.values():
        if step.kind is not StepKind.GO_TO:
            continue
        if step.id in _reached(journey.steps, step.exits.values(), through=lambda one: one.kind not in WAITS):
            yield Problem(step.path, gettext("This goes in a circle without ever waiting."))
        elif END not in _reached(journey.steps, [step.id]) and journey.goal is None and not journey.exits:
            yield Problem(step.path, gettext("Nobody ever gets out: give a goal, or a way that ends."))


def costs(journey: Journey, known: Known) -> Iterator[Problem]:
    """A cap in money can be kept only where it is known what each coupon costs."""
    if journey.cap_cost_minor is None:
        return
    for step in journey.steps.values():
        if step.kind is StepKind.COUPON and known.costs.get(step.told["offer"]) is None:
            words = {"offer": known.offers.get(step.told["offer"], "?")}
            sentence = gettext("Please say at the offer “%(offer)s” what one use costs the shop: the cap needs it.")
            yield Problem(f"{step.path}/offer", sentence % words)


def _reached(steps: Mapping[str, Step], first: Iterable[str], through: Any = lambda step: True) -> set[str]:
    """The ids that can be come to from some, END among them; only on through steps that `through` lets pass."""
    rest, seen = list(first), set()
    while rest:
        name = rest.pop()
        if name in seen:
            continue
        seen.add(name)
        if name != END and through(steps[name]):
            rest.extend(steps[name].exits.values())
    return seen
