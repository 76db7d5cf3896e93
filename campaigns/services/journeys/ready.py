"""Taking a ready journey: its templates and offers are made, and belong to the shop from then on."""

from collections.abc import Callable
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.utils.translation import gettext, gettext_noop, override

from campaigns.content.ready import READY as TEMPLATES
from campaigns.enums import TemplateKind
from campaigns.journeys.ready import READY
from campaigns.models import Journey, Template
from campaigns.services.journeys.definitions import save_journey
from campaigns.services.templates import save_template
from common.money import to_minor
from members.queries import get_programme
from rewards.enums import OfferKind, OfferState
from rewards.models import Offer
from rewards.services.coupons.offers import save_offer, set_state

OFFER_NAME = gettext_noop("%(percent)d %% off")
VALID_DAYS = 30


@transaction.atomic
def take_ready(*, key: str, at: datetime, actor_id: int | None = None) -> Journey:
    """A draft of a ready journey. A template or an offer that was made for one before is used again. KeyError."""
    ready = READY[key]

    def template(name: str) -> int:
        title = str(TEMPLATES[name].name)
        found = Template.objects.filter(name=title, archived_at=None).order_by("pk").first()
        if found is not None:
            return found.pk
        version = save_template(
            template_id=None, name=title, kind=TemplateKind.MARKETING, content=TEMPLATES[name].content,
            actor_id=actor_id, at=at,
        )  # fmt: skip
        return version.template_id

    definition = _filled(deepcopy(ready.definition), {"ready": template, "percent": _offer, "money": _minor})
    _gifts(definition)
    return save_journey(
        journey_id=None, name=str(ready.name), purpose=ready.purpose, definition=definition, at=at, actor_id=actor_id
    )


def _offer(percent: int) -> int:
    """An offer in percent with codes of each member's own: it gives nothing to anybody until somebody gives it."""
    names: dict[str, Any] = {}
    for language, field in (("en", "name_en"), ("zh-hans", "name_zh_hans")):
        with override(language):
            names[field] = gettext(OFFER_NAME) % {"percent": percent}
    found = Offer.objects.filter(
        kind=OfferKind.PERCENT, state=OfferState.LIVE, shared_code=None, name_en=names["name_en"]
    ).first()
    if found is None:
        found = save_offer(kind=OfferKind.PERCENT, definition={"percent": str(percent)}, valid_days=VALID_DAYS, **names)
        set_state(offer_id=found.pk, state=OfferState.LIVE)
    return found.pk


def _minor(amount: int) -> int:
    return to_minor(Decimal(amount), get_programme().currency)


def _filled(value: Any, makers: dict[str, Callable[[Any], int]]) -> Any:
    """The definition with each {"ready": key}, {"percent": n} and {"money": n} made."""
    if isinstance(value, list):
        return [_filled(each, makers) for each in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1 and (name := next(iter(value))) in makers:
        return makers[name](value[name])
    return {name: _filled(each, makers) for name, each in value.items()}


def _gifts(definition: dict[str, Any]) -> None:
    """Titles of tasks stand in the language of who takes the journey; reasons of gifts are translated when shown."""
    for step in definition["steps"]:
        if step["kind"] == "task":
            step["title"] = gettext(step["title"])
