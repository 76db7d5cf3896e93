"""The editor: what the page begins with, and what it asks while somebody writes."""

import json
from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.templatetags.static import static
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe
from django.utils.timezone import now
from django.utils.translation import gettext, gettext_noop, ngettext
from django.utils.translation import gettext_lazy as _
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.content import blocks, places, sms
from campaigns.content.blocks import BadContent, Problem
from campaigns.content.compiled import Compiled
from campaigns.content.look import look, picture_path
from campaigns.content.reading import parse
from campaigns.enums import TemplateKind
from campaigns.models import Snippet
from campaigns.services.templates import add_picture, known
from campaigns.services.trying import shown, values_for
from members.enums import AccessAction, Language
from members.models import PRESENT, Member, PurchaseLine
from members.queries import search
from members.services.access import log_access
from rewards.models import Offer, Reward
from rewards.services.pictures import PictureRefused
from surveys.models import Survey

FOUND = 8
MOST_BYTES = 102_400  # where Gmail cuts a mail off
_CHOICES = 300

_WORDS = {
    "add": _("Add a block"),
    "add_inside": _("Add a block inside"),
    "up": _("Move up"),
    "down": _("Move down"),
    "copy": _("Make a copy"),
    "remove": _("Remove"),
    "moved": _("Moved."),
    "removed": _("Removed."),
    "choose": _("Choose…"),
    "none": _("None"),
    "optional": _("may stay empty"),
    "empty": _("Nothing here yet. Add the first block."),
    "too_deep": _("Blocks cannot be nested deeper."),
    "upload": _("Upload a picture"),
    "uploading": _("Uploading…"),
    "insert": _("Insert a field"),
    "search_field": _("Search fields"),
    "place": _("A page of ours"),
    "address": _("Another address"),
    "offline": _("The server did not answer. What you wrote is still here; the next change asks again."),
    "hint": _("An empty line begins a paragraph. **bold**, [words](address), lines that begin with - make a list."),
    "nobody": _("Nobody found"),
    "leave": _("What you changed is not saved yet."),
}


def script_words() -> dict[str, str]:
    return {key: str(text) for key, text in _WORDS.items()}


def kinds() -> list[dict[str, Any]]:
    """The table of blocks as the script reads it."""
    return [
        {
            "name": name,
            "label": str(kind.label),
            "icon": kind.icon,
            "parts": [
                {
                    "name": part.name,
                    "label": str(part.label),
                    "shape": part.shape,
                    "choices": [[value, str(label)] for value, label in part.choices],
                    "required": part.is_required,
                    "most": part.most,
                    "help": str(part.help),
                    "only_if": part.only_if,
                }
                for part in kind.parts
            ],
        }
        for name, kind in blocks.KINDS.items()
    ]


def settings_of(page: str, **more: Any) -> dict[str, Any]:
    """What the script needs to know; `page` is "template" or "snippet"."""
    lines = PurchaseLine.objects.exclude(category="").order_by("category").values_list("category", flat=True)
    snippets = Snippet.objects.filter(archived_at=None) if page == "template" else Snippet.objects.none()
    return {
        "preview_url": reverse("admin:campaigns_template_preview"),
        "members_url": reverse("admin:campaigns_template_members"),
        "upload_url": reverse("admin:campaigns_template_upload"),
        "picture_url": picture_path("NAME"),
        "languages": [[code, str(label)] for code, label in Language.choices],
        "depth": blocks.MOST_DEPTH,
        "places": [[name, str(label)] for name, label in places.places().items()],
        "rewards": [[one.pk, str(one)] for one in Reward.objects.order_by("pk")[:_CHOICES]],
        "offers": [[one.pk, str(one)] for one in Offer.objects.order_by("-pk")[:_CHOICES]],
        "surveys": [[one.pk, one.name] for one in Survey.objects.filter(number__gt=0).order_by("-pk")[:_CHOICES]],
        "categories": list(lines.distinct()[:_CHOICES]),
        "snippets": [[one.pk, one.name] for one in snippets],
        "fields": [[name, str(field.label), str(field.sample)] for name, field in merge.fields().items()],
        "only_blocks": page == "snippet",
        "heads": {
            "subject": gettext("Subject"),
            "preheader": gettext("Preheader, shown beside the subject"),
            "sms": gettext("Short text, for SMS and apps"),
        },
        "as_label": gettext("As a member: name, card or e-mail"),
        **more,
    }


def problems_of(problems: list[Problem]) -> list[dict[str, Any]]:
    return [{"path": list(one.path), "language": one.language, "sentence": str(one.sentence)} for one in problems]


def _language(wanted: Any) -> str:
    return wanted if wanted in Language.values else Language.ENGLISH.value


def judged(given: Mapping[str, Any], *, may_see_members: bool) -> dict[str, Any]:
    """What a content is like: its problems, or the message as somebody would get it.

    `given`: content, kind, language, member (its key or None), dark, only_blocks.
    """
    only_blocks, language = bool(given.get("only_blocks")), _language(given.get("language"))
    try:
        content = parse(given.get("content"), known(), only_blocks=only_blocks)
    except BadContent as bad:
        return {"problems": problems_of(bad.problems), "notes": []}
    if only_blocks:
        name = {code: gettext("Snippet") for code in Language.values}
        content = {"subject": name, "preheader": {}, "sms": {}, **content}
    kind = TemplateKind.SERVICE if given.get("kind") == TemplateKind.SERVICE else TemplateKind.MARKETING
    key = given.get("member")
    member = Member.objects.filter(PRESENT, pk=key).first() if may_see_members and type(key) is int else None
    if not blocks.complete_languages(content):
        return {"problems": [], "notes": notes(content, None, language)}
    made = Compiled(content, language, kind, look(), now())
    try:
        values = values_for(made, member, now())
        message, inapp, short = made.render(values), made.inapp(values), made.sms(values)
    except LiquidError as error:
        sentence = gettext("It cannot be made for this reader: %(error)s") % {"error": error}
        return {"problems": problems_of([Problem((), made.language, sentence)]), "notes": []}
    return {
        "problems": [],
        "notes": notes(content, made, language),
        "language": made.language,
        "subject": message.subject,
        "preheader": message.preheader,
        "html": shown(message, dark=bool(given.get("dark"))),
        "text": message.text,
        "inapp": on_our_pages(message.subject, inapp, made.language, dark=bool(given.get("dark"))),
        "sms": short,
        "sms_size": sms_words(short),
        "member": str(member) if member else "",
    }


def on_our_pages(subject: str, inapp: str, language: str, *, dark: bool) -> str:
    """How a message looks among those of the members' pages, as a page of its own with their styles."""
    sheets = [static("portal/portal.css"), reverse("brand_styles")]
    return format_html(
        '<!doctype html><html lang="{}" style="color-scheme: {}"><meta charset="utf-8">{}<body>'
        '<main class="narrow-page"><article class="message stack"><h1>{}</h1><div class="panel">{}</div></article>'
        "</main></body></html>",
        language,
        "dark" if dark else "light",
        format_html_join("", '<link rel="stylesheet" href="{}">', ((sheet,) for sheet in sheets)),
        subject,
        mark_safe(inapp),  # noqa: S308  # escaped where it was made
    )


def sms_words(text: str) -> str:
    """ "62 characters, one SMS" """
    if not text:
        return gettext("No short text.")
    found = sms.size(text)
    return ngettext(
        "%(n)d characters (%(alphabet)s): %(parts)d SMS",
        "%(n)d characters (%(alphabet)s): %(parts)d SMS, each charged",
        found.parts,
    ) % {"n": found.units, "alphabet": found.alphabet, "parts": found.parts}


def notes(content: Mapping[str, Any], made: Compiled | None, wanted: str) -> list[str]:
    """What to know although nothing is wrong: a language that is not complete, a mail that is too long."""
    found = []
    for code, label in Language.choices:
        gaps = blocks.missing(content, code)
        if gaps:
            text = gettext("%(language)s is not complete: %(where)s. Who reads it gets the other language.")
            found.append(text % {"language": label, "where": ", ".join(label for _path, label in gaps[:4])})
    if made and made.language != wanted:
        found.append(gettext("Shown in %(language)s.") % {"language": dict(Language.choices)[made.language]})
    if made and made.size > MOST_BYTES:
        found.append(gettext("The mail is larger than 100 kB: Gmail would cut it off."))
    return found


def preview(request: HttpRequest) -> HttpResponse:
    """The content as it stands in the editor, judged and shown."""
    given: Any = {}
    if request.method == "POST":
        try:
            given = json.loads(request.body)
        except (ValueError, RecursionError):
            given = {}
    may_see = request.user.has_perm("members.view_member")
    answer = judged(given if isinstance(given, dict) else {}, may_see_members=may_see)
    if answer.get("member"):
        what = gettext_noop("a message as a member would get it")
        log_access(actor_id=request.user.pk, action=AccessAction.VIEWED, what=what, members=1, at=now())
    return JsonResponse(answer)


def members(request: HttpRequest) -> HttpResponse:
    """Members by name, card or e-mail, to look at a message as one of them."""
    text = request.GET.get("q", "").strip()[:100]
    if not text or not request.user.has_perm("members.view_member"):
        return JsonResponse([], safe=False)
    found = search(text, Member.objects.filter(PRESENT))[:FOUND]
    return JsonResponse(
        [{"id": one.pk, "name": str(one), "card": one.card_number_grouped, "language": one.language} for one in found],
        safe=False,
    )


def upload(request: HttpRequest) -> HttpResponse:
    """A picture for a block: its name, or why not."""
    if request.method != "POST":  # only looked at
        return JsonResponse({})
    file = request.FILES.get("picture")
    if file is None:
        return JsonResponse({"problem": gettext("Please upload a picture.")}, status=400)
    try:
        picture = add_picture(file=file, at=now())
    except PictureRefused as refused:
        return JsonResponse({"problem": str(refused.args[0])}, status=400)
    return JsonResponse({"picture": picture.name, "width": picture.width, "height": picture.height})
