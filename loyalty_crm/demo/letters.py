"""What the café writes with: ready templates made its own, a snippet that they share, and one with a history."""

from copy import deepcopy
from datetime import datetime, timedelta

from django.utils.translation import override

from campaigns.content.ready import READY
from campaigns.content.ready.shape import both
from campaigns.enums import TemplateKind
from campaigns.services.templates import save_snippet, save_template
from members.models import User

_OWN = (
    "welcome",
    "points-expire",
    "win-back-1",
    "win-back-2",
    "mid-autumn",
    "spring-festival",
    "new-arrivals",
    "thanks",
)
_HOURS = {
    "type": "text",
    "text": both(
        "**We are open** every day from 8 in the morning to 7 in the evening.", "**营业时间：** 每天上午8点至晚上7点。"
    ),
}


def write(at: datetime, marketer: User) -> None:
    """Saves them as a marketer would have, some weeks ago."""
    snippet, _none = save_snippet(
        snippet_id=None, name="Opening hours", content={"blocks": [_HOURS]}, actor_id=marketer.pk, at=at
    )
    for place, key in enumerate(reversed(_OWN)):
        begun = at - timedelta(days=40 - place)
        content = deepcopy(READY[key].content)
        with override("en"):
            name = str(READY[key].name)
        version = save_template(
            template_id=None, name=name, kind=TemplateKind.MARKETING, content=content, actor_id=marketer.pk, at=begun
        )
        if key not in ("welcome", "new-arrivals"):
            continue
        content["blocks"].append({"type": "snippet", "snippet": snippet.pk})
        save_template(
            template_id=version.template_id,
            name=name,
            kind=TemplateKind.MARKETING,
            content=content,
            actor_id=marketer.pk,
            at=begun + timedelta(days=9),
            note="Opening hours at the end",
        )
