"""All that is held on a member, as a file for them: JSON for programs and a page for people, in one archive."""

import io
import json
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import structlog
from babel.dates import get_timezone_location
from django.core.files.base import ContentFile
from django.core.serializers.json import DjangoJSONEncoder
from django.db import transaction
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.formats import date_format, number_format
from django.utils.translation import get_language, gettext, override, to_locale

from common.doorbell import ring
from members.enums import JobState
from members.models import PRESENT, DataExport, Member, TimelineEvent
from members.privacy import export_sections
from members.privacy.labels import WORDS, label
from members.queries import get_programme
from members.rules import country_name
from members.services.profile import MemberGone

log = structlog.get_logger(__name__)
KEPT = timedelta(days=7)
AT_ONCE = 500  # events of a timeline up to which the file is made while its reader waits


def everything_about(member_id: int) -> dict[str, Any]:
    """All sections by name, in the active language, as plain values for JSON. Money is in major units, as strings."""
    return {section.name: section.rows(member_id) for section in export_sections()}


@transaction.atomic
def request_export(*, member_id: int, at: datetime, actor_id: int | None = None) -> DataExport:
    """Asks for the file. A short history is written at once, a long one by the worker. MemberGone.

    One that waits already is given again, so that an impatient finger makes one file.
    """
    member = Member.objects.select_for_update(no_key=True).filter(PRESENT, pk=member_id).first()
    if member is None:
        raise MemberGone
    known = DataExport.objects.filter(member=member, actor_id=actor_id, state=JobState.QUEUED).first()
    if known is not None:
        return known
    export = DataExport.objects.create(
        member=member, actor_id=actor_id, language=member.language, requested_at=at, expires_at=at + KEPT
    )
    if TimelineEvent.objects.filter(member=member).order_by()[AT_ONCE:].exists():
        ring("members.tasks.write_data_exports")
    else:
        _write(export, at)
    return export


def write_due(*, clock: Callable[[], datetime] = timezone.now) -> int:
    """Writes the files that wait; how many. One that fails does not stop the others."""
    written = 0
    for pk in DataExport.objects.filter(state=JobState.QUEUED).order_by("pk").values_list("pk", flat=True):
        try:
            with transaction.atomic():
                waiting = DataExport.objects.select_for_update(skip_locked=True, of=("self",))
                export = waiting.select_related("member").filter(pk=pk, state=JobState.QUEUED).first()
                if export is not None:
                    _write(export, clock())
                    written += 1
        except Exception:
            log.exception("data export failed", export=pk)
            DataExport.objects.filter(pk=pk).update(state=JobState.FAILED, finished_at=clock())
    return written


def delete_expired(*, at: datetime) -> int:
    """Deletes the files whose time is over, and the failed; how many."""
    deleted = 0
    for export in DataExport.objects.filter(expires_at__lte=at).iterator():
        if export.file:
            export.file.delete(save=False)
        export.delete()
        deleted += 1
    return deleted


def _write(export: DataExport, at: datetime) -> None:
    member = export.member
    with override(export.language), timezone.override(get_programme().time_zone):
        archive = make_archive(member, at)
    export.file.save(f"{member.card_number}.zip", ContentFile(archive), save=False)
    export.state, export.finished_at, export.size = JobState.DONE, at, len(archive)
    export.save(update_fields=["file", "state", "finished_at", "size"])


def make_archive(member: Member, at: datetime) -> bytes:
    """The archive: data.json, and a page in the active language that needs nothing else."""
    told = everything_about(member.pk)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        text = json.dumps(told, cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)
        archive.writestr("data.json", text)
        name = gettext("my-data")
        archive.writestr(f"{name}.html", page(member, told, at))
    return buffer.getvalue()


def page(member: Member, told: dict[str, Any], at: datetime) -> str:
    """The page for people: a heading for each section, tables for lists, all in the active language."""
    # What happened is told in sentences; kind and details beside them are for programs.
    said = [{key: event[key] for key in ("at", "what")} for event in told["timeline"]]
    shown = {**told, "timeline": said}
    sections = [(section.label, _readable(shown[section.name])) for section in export_sections()]
    context = {"member": member, "sections": sections, "at": at, "programme": get_programme()}
    return render_to_string("members/data_export.html", context)


def _readable(value: Any, key: str = "") -> dict[str, Any]:
    """What the template draws: a table, a list of pairs, plain values, or nothing."""
    if key == "country" and value:
        return {"text": country_name(value)}
    if key == "time_zone" and value:
        return {"text": get_timezone_location(value, locale=to_locale(get_language() or "en"), return_city=True)}
    if key == "what" and value:  # of whoever looked
        return {"text": gettext(value)}
    if isinstance(value, dict):
        return {"pairs": [(label(key), _readable(part, key)) for key, part in value.items()]}
    if isinstance(value, (list, tuple)) and value and all(isinstance(row, dict) for row in value):
        columns = list(dict.fromkeys(key for row in value for key in row))
        rows = [[_readable(row.get(key), key) for key in columns] for row in value]
        return {"columns": [label(key) for key in columns], "rows": rows}
    if isinstance(value, (list, tuple)):
        return {"list": [_readable(part) for part in value]}
    return {"text": _text(value)}


def _text(value: Any) -> str:
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return gettext("yes") if value else gettext("no")
    if isinstance(value, datetime):
        return date_format(timezone.localtime(value), "DATETIME_FORMAT")
    if isinstance(value, date):
        return date_format(value, "DATE_FORMAT")
    if isinstance(value, int):
        return number_format(value)
    return str(WORDS.get(str(value), value))
