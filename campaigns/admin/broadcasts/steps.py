"""The steps of a draft: to whom, what, when; then all of it in words, with the estimate, before anybody says yes."""

from typing import Any

from django.core.exceptions import ValidationError
from django.db import DatabaseError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.timezone import now
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from campaigns.admin.broadcasts.words import (
    gift_words,
    number,
    pace_words,
    put_off_words,
    test_words,
    way_words,
    when_words,
    who_words,
)
from campaigns.admin.templates.editor import sms_words
from campaigns.content.compiled import Compiled
from campaigns.content.look import look
from campaigns.enums import CampaignState, Medium
from campaigns.forms_broadcasts import AudienceForm, ContentForm, Step, WhenForm
from campaigns.merge import Number
from campaigns.models import Broadcast, BroadcastVariant
from campaigns.services.broadcasts import control
from campaigns.services.broadcasts.audience import Estimate
from campaigns.services.trying import shown, values_for
from common.admin import changed_meanwhile, found_or_404, rehearse
from members.enums import Language
from members.models import Member

STEPS: dict[str, tuple[Any, type[Step] | None]] = {
    "audience": (_("To whom"), AudienceForm),
    "content": (pgettext_lazy("broadcast", "What"), ContentForm),
    "when": (_("When"), WhenForm),
    "check": (_("Check and send"), None),
}
ORDER = list(STEPS)


def broadcast_or_404(pk: object) -> Broadcast:
    rows = Broadcast.objects.select_related("campaign", "occasion", "offer", "follows__campaign")
    return found_or_404(rows, pk)


def url(name: str, pk: int) -> str:
    return reverse(f"admin:campaigns_broadcast_{name}", args=[pk])


def add(model_admin: Any, request: HttpRequest) -> HttpResponse:
    """A new draft begins with its name and its audience."""
    form = AudienceForm(request.POST or None, initial={"purpose": "offers"})
    if request.method == "POST" and form.is_valid():
        changes = form.changes()
        made = control.create(
            name=changes["campaign"]["name"], actor_id=request.user.pk, purpose=changes["campaign"]["purpose"]
        )
        control.edit(campaign_id=made.pk, **changes)
        return redirect(url("content", made.pk))
    return _page(model_admin, request, "audience", form, None)


def step(model_admin: Any, request: HttpRequest, object_id: int, name: str) -> HttpResponse:
    """One step of a draft. What is saved goes on to the next one."""
    broadcast = broadcast_or_404(object_id)
    if broadcast.campaign.state != CampaignState.DRAFT:
        return redirect(url("change", broadcast.pk))
    kind = STEPS[name][1]
    assert kind is not None
    shown_now = kind.of(broadcast)
    form = kind(request.POST or None, initial=shown_now)
    clash = changed_meanwhile(request, form, shown_now)
    if request.method == "POST" and form.is_valid() and not clash:
        try:
            control.edit(campaign_id=broadcast.pk, **form.changes())
        except ValidationError as error:
            form.add_error(None, error)
        else:
            return redirect(url(ORDER[ORDER.index(name) + 1], broadcast.pk))
    return _page(model_admin, request, name, form, broadcast)


def _page(
    model_admin: Any, request: HttpRequest, name: str, form: Step | None, broadcast: Broadcast | None
) -> HttpResponse:
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": broadcast or gettext("New broadcast"),
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": broadcast,
        "broadcast": broadcast,
        "form": form,
        "step": name,
        "steps": [(key, label, url(key, broadcast.pk) if broadcast else "") for key, (label, _form) in STEPS.items()],
        "estimate_url": url("estimate", broadcast.pk) if broadcast else reverse("admin:campaigns_broadcast_count"),
    }
    return TemplateResponse(request, "campaigns/admin/broadcasts/step.html", context)


def check(model_admin: Any, request: HttpRequest, object_id: int) -> HttpResponse:
    """Everything in words, before it is sent off."""
    broadcast = broadcast_or_404(object_id)
    if broadcast.campaign.state != CampaignState.DRAFT:
        return redirect(url("change", broadcast.pk))
    at, variants = now(), list(broadcast.variants.select_related("version__template"))
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": broadcast,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "original": broadcast,
        "broadcast": broadcast,
        "step": "check",
        "steps": [(key, label, url(key, broadcast.pk)) for key, (label, _form) in STEPS.items()],
        "who": who_words(broadcast),
        "ways": way_words(broadcast),
        "when": when_words(broadcast, at=at),
        "paced": pace_words(broadcast),
        "gift": gift_words(broadcast),
        "test": test_words(broadcast, variants),
        "variants": [looked_at(variant, at) for variant in variants],
        "problems": control.problems(broadcast, at=at),
        "estimate_url": url("estimate", broadcast.pk),
    }
    return TemplateResponse(request, "campaigns/admin/broadcasts/check.html", context)


def looked_at(variant: BroadcastVariant, at: Any) -> BroadcastVariant:
    """A version with its subjects and its looks in both languages, as a made-up member gets it."""
    made: list[tuple[str, Any, Any]] = []
    said = variant.version.content
    said = {**said, "subject": {**said["subject"], **variant.subject}}
    has_short = not {Medium.SMS, Medium.WEBHOOK}.isdisjoint(variant.broadcast.campaign.channels)
    shorts = []
    for code, label in Language.choices:
        content = Compiled(said, code, variant.version.template.kind, look(), at)
        if content.language not in [one[0] for one in made]:
            values = values_for(content, None, at)
            values["gift"] = {**values["gift"], "points": Number(variant.broadcast.gift_points)}
            made.append((content.language, content.render(values), label))
            if has_short and (short := content.sms(values)):
                shorts.append((content.language, short, sms_words(short)))
    variant.shorts = shorts  # type: ignore[attr-defined]
    variant.subjects = [(code, content.subject) for code, content, _label in made]  # type: ignore[attr-defined]
    variant.looks = [(code, label, shown(content, dark=False)) for code, content, label in made]  # type: ignore[attr-defined]
    return variant


def estimate(model_admin: Any, request: HttpRequest, object_id: int | None = None) -> HttpResponse:
    """What a draft comes to, with what stands in the form of a step as if it were saved."""
    name = request.POST.get("step", "") if request.method == "POST" else ""
    kind = STEPS[name][1] if name in STEPS else None
    found: tuple[Estimate | None, list[str]] = (None, [])
    try:
        if kind is None and object_id is None:
            found = (None, [gettext("Fill in what is missing, then it is counted.")])
        elif kind is None:
            found = control.check(broadcast_or_404(object_id), at=now())
        else:
            form = kind(request.POST)
            if not form.is_valid() and not _only_unnamed(form):
                found = (None, [gettext("Fill in what is missing, then it is counted.")])
            else:
                found = rehearse(lambda: _as_if(form, object_id, request))
    except OperationalError:
        found = (None, [gettext("Counting took too long. Save, and look again in a moment.")])
    except (ValidationError, DatabaseError, control.WrongState):
        found = (None, [gettext("This cannot be counted now.")])
    return TemplateResponse(
        request, "campaigns/admin/broadcasts/estimate.html", {"problems": found[1], **told(found[0])}
    )


def _only_unnamed(form: Step) -> bool:
    """A draft without a name can be counted all the same."""
    if set(form.errors) == {"name"}:
        form.cleaned_data["name"] = "?"
        return True
    return False


def _as_if(form: Step, object_id: int | None, request: HttpRequest) -> tuple[Estimate | None, list[str]]:
    if object_id is None:
        object_id = control.create(name="?", actor_id=request.user.pk).pk
    control.edit(campaign_id=object_id, **form.changes())
    shown, problems = control.check(broadcast_or_404(object_id), at=now())
    return shown, [] if shown else problems


def told(found: Estimate | None) -> dict[str, Any]:
    """An estimate for a page: ten members beside each figure."""
    if found is None:
        return {"estimate": None}
    ids = {pk for why in found.whys for pk in why.some} | {*found.some, *found.put_off.some}
    known = Member.objects.in_bulk(ids)

    def ten(some: list[int]) -> list[Member]:
        return [known[pk] for pk in some if pk in known]

    return {
        "estimate": found,
        "rows": [(why.label, why.count, ten(why.some)) for why in found.whys],
        "some": ten(found.some),
        "put_off": put_off_words(found),
        "put_off_some": ten(found.put_off.some),
        "channels": [(Medium(channel).label, number(n)) for channel, n in found.channels.items()],
        "languages": [(Language(code).label, number(n)) for code, n in found.languages.items()],
        "variants": [("ABCD"[n - 1], number(count)) for n, count in found.variants.items() if n],
        "waits": number(found.reached - found.tests) if found.tests < found.reached else "",
        "approval": control.needs_approval(found.reached),
    }
