"""Templates and snippets: saved as versions that stay. docs/templates.md."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import partial
from typing import IO, Any
from uuid import uuid4

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.content.blocks import BadContent, Known, Problem, complete_languages, walk
from campaigns.content.compiled import Compiled
from campaigns.content.look import look
from campaigns.content.reading import parse
from campaigns.content.sources import sample_values
from campaigns.content.survey_block import sample as survey_sample
from campaigns.models import BirthdayGreeting, Link, MailPicture, Snippet, Template, TemplateVersion
from campaigns.queries_journeys import journeys_that_send
from members.queries import get_programme
from rewards.models import Offer, Reward
from rewards.services.pictures import encode_for_mail
from surveys.models import Survey

MOST_LINK = 2000  # characters; a longer one is not counted


PICTURE_WAITS, MOST_REMOVED = timedelta(days=1), 1000


def known() -> Known:
    """What blocks may refer to, as it is now."""
    return Known(
        rewards=lambda key: Reward.objects.filter(pk=key).exists(),
        offers=lambda key: Offer.objects.filter(pk=key).exists(),
        surveys=lambda key: Survey.objects.filter(pk=key).exists(),
        pictures=lambda name: MailPicture.objects.filter(name=name).exists(),
        snippets=lambda key: Snippet.objects.filter(pk=key).values_list("blocks", flat=True).first(),
    )


def check(given: Any, kind: str, at: datetime) -> dict[str, Any]:
    """The content, tidy; each complete language was made once with sample values. BadContent."""
    return _checked(given, kind, at)[0]


def _checked(given: Any, kind: str, at: datetime) -> tuple[dict[str, Any], set[str]]:
    """The content, and where its links lead."""
    content = parse(given, known())
    style, values, links = look(), example(), set[str]()
    for language in complete_languages(content):
        try:
            made = Compiled(content, language, kind, style, at)
            made.render(values)
            made.inapp(values)
            made.sms(values)
            links |= made.links
        except LiquidError as error:
            text = gettext("It cannot be made: %(error)s") % {"error": error}
            raise BadContent([Problem((), language, text)]) from error
    return content, links


def example() -> dict[str, Any]:
    """Values to make a message with where there is no member, in the active language, of this shop."""
    values: dict[str, Any] = {**merge.samples(), **sample_values()}
    for path in _DAYS:
        space, _dot, name = path.partition(".")
        values[space][name] = merge.day(date(2026, 7, 11))
    programme = get_programme()
    values["programme"] |= {"name": programme.name, "url": settings.SITE_URL, "contact_email": programme.contact_email}
    for key in Offer.objects.values_list("pk", flat=True):
        values[f"offer_{key}"] = values["coupon"]
    values["survey"] = survey_sample()
    for key in Survey.objects.values_list("pk", flat=True):
        values[f"survey_{key}"] = values["survey"]
    return {**values, "links": {"unsubscribe": "#", "preferences": "#"}}


_DAYS = ("birthday.date", "gift.expires_on", "points.expires_on", "award.on", "tier.kept_until", "membership.until",
         "coupon.expires_on", "member.joined_on")  # fmt: skip


def in_short(source: str, values: Mapping[str, Any]) -> str:
    """A line as it reads with these values, for lists; as it was written where it cannot be read."""
    try:
        return " ".join(merge.environment.from_string(source).render(**values).split())
    except LiquidError:
        return source


@transaction.atomic
def save_template(
    *,
    template_id: int | None,
    name: str,
    kind: str,
    content: Any,
    actor_id: int | None,
    at: datetime,
    note: str = "",
) -> TemplateVersion:
    """Saves what was changed, as a new version where the content is another; the newest version. BadContent;
    Template.DoesNotExist."""
    tidy, links = _checked(content, kind, at)
    if template_id is None:
        template = Template.objects.create(name=name, kind=kind, created_at=at, changed_at=at)
        return _version(template, 1, tidy, links, actor_id, at, note)
    template = Template.objects.select_for_update().get(pk=template_id)
    if (template.name, template.kind) != (name, kind):
        template.name, template.kind, template.changed_at = name, kind, at
        template.save(update_fields=["name", "kind", "changed_at"])
    newest = newest_version(template.pk)
    if newest.content == tidy:
        return newest
    Template.objects.filter(pk=template.pk).update(changed_at=at)
    return _version(template, newest.number + 1, tidy, links, actor_id, at, note)


def newest_version(template_id: int) -> TemplateVersion:
    """What a template says now. TemplateVersion.DoesNotExist."""
    return TemplateVersion.objects.select_related("template").filter(template=template_id).latest("number")


def _version(
    template: Template,
    number: int,
    content: Mapping[str, Any],
    links: set[str],
    actor_id: int | None,
    at: datetime,
    note: str,
) -> TemplateVersion:
    version = TemplateVersion.objects.create(
        template=template, number=number, **content, note=note, created_at=at, created_by_id=actor_id
    )
    Link.objects.bulk_create(Link(version=version, url=url) for url in sorted(links) if len(url) <= MOST_LINK)
    return version


def copy_template(*, template_id: int, name: str, actor_id: int | None, at: datetime) -> TemplateVersion:
    """Another template that says the same. BadContent where it could not be saved today."""
    source = newest_version(template_id)
    return save_template(
        template_id=None, name=name, kind=source.template.kind, content=source.content, actor_id=actor_id, at=at
    )


def restore_version(*, template_id: int, number: int, actor_id: int | None, at: datetime) -> TemplateVersion:
    """An older version once more, as the newest. BadContent; TemplateVersion.DoesNotExist."""
    older = TemplateVersion.objects.select_related("template").get(template=template_id, number=number)
    note = gettext("Version %(n)d again") % {"n": number}
    return save_template(
        template_id=template_id,
        name=older.template.name,
        kind=older.template.kind,
        content=older.content,
        actor_id=actor_id,
        at=at,
        note=note,
    )


class TemplateInUse(Exception):
    """Journeys that live send it: their names."""

    def __init__(self, journeys: list[str]) -> None:
        super().__init__(journeys)
        self.journeys = journeys


class TemplateOfGreeting(Exception):
    """The birthday greeting says it."""


@transaction.atomic
def archive_template(*, template_id: int, at: datetime | None) -> Template:
    """Out of the lists; None brings it back. What was sent by it can still be made. TemplateInUse where a journey that
    lives sends it; TemplateOfGreeting; Template.DoesNotExist."""
    template = Template.objects.select_for_update().get(pk=template_id)
    if at and (journeys := journeys_that_send(template_id)):
        raise TemplateInUse(journeys)
    if at and BirthdayGreeting.objects.filter(template=template_id).exists():
        raise TemplateOfGreeting
    template.archived_at = at
    template.save(update_fields=["archived_at"])
    return template


# --- snippets ------------------------------------------------------------------------------------------------------
@transaction.atomic
def save_snippet(
    *, snippet_id: int | None, name: str, content: Any, actor_id: int | None, at: datetime
) -> tuple[Snippet, list[TemplateVersion]]:
    """Saves the blocks of a snippet, and gives each template that shows it a version that says the same with them.
    BadContent also where one of those would not hold any more; Snippet.DoesNotExist."""
    blocks = parse(content, known(), only_blocks=True)["blocks"]
    if any(block["type"] == "snippet" for _path, block in walk(blocks)):
        raise BadContent([Problem(("blocks",), "", gettext("A snippet cannot hold another."))])
    if snippet_id is None:
        return Snippet.objects.create(name=name, blocks=blocks, created_at=at, changed_at=at), []
    snippet = Snippet.objects.select_for_update().get(pk=snippet_id)
    is_other = snippet.blocks != blocks
    snippet.name, snippet.blocks, snippet.changed_at = name, blocks, at
    snippet.save(update_fields=["name", "blocks", "changed_at"])
    note = gettext("Snippet “%(name)s” changed") % {"name": name}
    made = []
    for version in using(snippet_id) if is_other else []:
        again = partial(save_template, template_id=version.template_id, kind=version.template.kind, note=note)
        made.append(again(name=version.template.name, content=version.content, actor_id=actor_id, at=at))
    return snippet, made


def using(snippet_id: int) -> list[TemplateVersion]:
    """The newest versions that show a snippet, of templates in use, by template."""
    newest = Template.objects.filter(archived_at=None).annotate(n=Max("versions__number")).order_by("pk")
    versions = TemplateVersion.objects.select_related("template").filter(template__in=[t.pk for t in newest])
    latest = versions.order_by("template_id", "-number").distinct("template_id")
    return [
        version
        for version in latest
        if any(block["type"] == "snippet" and block["snippet"] == snippet_id for _path, block in walk(version.blocks))
    ]


@transaction.atomic
def archive_snippet(*, snippet_id: int, at: datetime | None) -> Snippet:
    """No longer offered; templates that show it go on. Snippet.DoesNotExist."""
    snippet = Snippet.objects.select_for_update().get(pk=snippet_id)
    snippet.archived_at = at
    snippet.save(update_fields=["archived_at"])
    return snippet


# --- pictures ------------------------------------------------------------------------------------------------------
@transaction.atomic
def add_picture(*, file: IO[bytes], at: datetime) -> MailPicture:
    """A picture for templates, made small and written anew. rewards.services.pictures.PictureRefused."""
    data, ending, (width, height) = encode_for_mail(file)
    name = f"{uuid4().hex}.{ending}"
    default_storage.save(f"mail/{name}", ContentFile(data))
    return MailPicture.objects.create(name=name, width=width, height=height, created_at=at)


def remove_unused_pictures(*, at: datetime) -> int:
    """Takes away pictures that no version, no snippet and no older message can show, put up more than a day ago: the
    editor may still hold newer ones. How many."""
    used = """
        SELECT 1 FROM campaigns_templateversion AS version
        WHERE strpos(version.blocks::text, campaigns_mailpicture.name) > 0
        UNION ALL SELECT 1 FROM campaigns_snippet AS snippet
        WHERE strpos(snippet.blocks::text, campaigns_mailpicture.name) > 0
    """
    old = MailPicture.objects.filter(created_at__lt=at - PICTURE_WAITS)
    found = old.extra(where=[f"NOT EXISTS ({used})"])  # noqa: S610
    names = list(found.values_list("name", flat=True)[:MOST_REMOVED])
    # The row first: a file without a row is only waste, a row without its file a broken picture.
    MailPicture.objects.filter(name__in=names).delete()
    for name in names:
        default_storage.delete(f"mail/{name}")
    return len(names)
