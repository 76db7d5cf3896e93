"""Where a person leaves traces that no foreign key leads to: files on disk, sessions, the admin's log of changes."""

import html
import json
from collections.abc import Iterable, Iterator, Sequence
from email import message_from_binary_file
from email.policy import default
from io import BytesIO
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.models import Session
from django.core.files.storage import Storage, storages
from django.db.models import CharField, FileField, ForeignKey, Model
from django.db.models.functions import Cast
from django.utils.text import get_valid_filename

from members.enums import JobState
from members.models import Identity, Member, User
from members.queries import accounts_of

PIECE = 1 << 20
_OPEN = (JobState.QUEUED, JobState.RUNNING)


class FileInUse(Exception):
    """A file that names the person is being read, or an export is being written that may; `args[0]` is its name.
    Afterwards it can go."""


def names_of(member_ids: Sequence[int]) -> list[str]:
    """What these members can be known by in a text: names, addresses, numbers, in small letters."""
    found: set[str] = set()
    known = Member.objects.filter(pk__in=member_ids, erased_at=None)  # an erased one's card number was never anybody's
    for row in known.values_list("name", "email", "phone", "card_number"):
        found |= {str(value or "") for value in row}
        found.add(str(row[2] or "").removeprefix("+"))
    found |= set(Identity.objects.filter(member_id__in=member_ids).values_list("value", flat=True))
    found |= set(accounts_of(member_ids).values_list("email", flat=True))
    # "Li" and "42" stand in every file: only what is longer (two Chinese characters are six bytes) tells persons apart.
    return sorted(name.lower() for name in found if len(name.encode()) >= 5)


def remove_files(names: Iterable[str]) -> int:
    """Deletes every kept upload, export and mail that holds one of `names`; how many. FileInUse, before any goes.

    A file that was brought in has served its purpose, so that it goes as a whole, with the other people in it.
    """
    wanted = [*names]
    needles = _needles(wanted)
    private, in_use = storages["private"], _in_use()
    found = [name for name in _walk(private) if _named(name, wanted) or _stored_holds(private, name, needles)]
    if held := sorted(set(found) & in_use):
        raise FileInUse(Path(held[0]).name)
    mails = [path for path in _outbox() if _mail_holds(path, wanted, needles)]
    for name in found:
        private.delete(name)
    for model, field in _file_fields():
        model._default_manager.filter(**{f"{field}__in": found}).update(**{field: ""})
    for path in mails:
        path.unlink(missing_ok=True)
    return len(found) + len(mails)


def _in_use() -> set[str]:
    """Stored files that a job is reading or about to read. FileInUse while one is being written."""
    names: set[str] = set()
    for model, field in _file_fields():
        if any(other.name == "state" for other in model._meta.fields):
            names |= set(model._default_manager.filter(state__in=_OPEN).values_list(field, flat=True))
            if "" in names:
                raise FileInUse(str(model._meta.verbose_name))
    return names


def _file_fields() -> list[tuple[type[Model], str]]:
    models = apps.get_models()
    return [(model, field.name) for model in models for field in model._meta.fields if isinstance(field, FileField)]


def _named(path: str, names: Sequence[str]) -> bool:
    """Whether a file is called by one of the names, as storage spells them."""
    return any(get_valid_filename(name) in path.lower() for name in names)


def _walk(storage: Storage, folder: str = "") -> Iterator[str]:
    try:
        folders, files = storage.listdir(folder)
    except FileNotFoundError:
        return
    yield from (f"{folder}{name}" for name in files)
    for name in folders:
        yield from _walk(storage, f"{folder}{name}/")


def _outbox() -> list[Path]:
    folder = Path(settings.OUTBOX_DIR)
    return [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []


def _needles(names: Iterable[str]) -> list[bytes]:
    """The names as the bytes that a file may hold them in."""
    spelt = {spelling for name in names for spelling in (name, html.escape(name), json.dumps(name)[1:-1])}
    return sorted({word.encode(code, "ignore") for word in spelt for code in ("utf-8", "utf-16-le", "gb18030")} - {b""})


def _stored_holds(storage: Storage, name: str, needles: list[bytes]) -> bool:
    with storage.open(name, "rb") as stored:
        try:
            archive = ZipFile(stored)
        except BadZipFile:
            stored.seek(0)
            return _holds(stored, needles)
        for entry in archive.infolist():  # a workbook is an archive of XML
            with archive.open(entry) as part:
                if _holds(part, needles):
                    return True
    return False


def _holds(stream: IO[bytes], needles: list[bytes]) -> bool:
    """Whether one of the needles stands in the stream, read piece by piece."""
    overlap = max(map(len, needles), default=1)
    tail = b""
    while piece := stream.read(PIECE):
        text = (tail + piece).lower()
        if any(needle in text for needle in needles):
            return True
        tail = text[-overlap:]
    return False


def _mail_holds(path: Path, names: Sequence[str], needles: list[bytes]) -> bool:
    if path.suffix != ".eml":
        with path.open("rb") as file:
            return _holds(file, needles)
    with path.open("rb") as file:
        mail = message_from_binary_file(file, policy=default)
    texts = [str(mail[header]) for header in ("To", "Reply-To", "Subject") if mail[header]]
    texts += [part.get_content() for part in mail.walk() if part.get_content_maintype() == "text"]
    whole = "\n".join(texts).lower()
    return any(name in whole for name in names) or _holds(BytesIO(whole.encode()), needles)


def end_sessions(user_ids: Iterable[int], names: Iterable[str]) -> int:
    """Ends the sessions of these users, and those in which one of `names` was typed while signing in; how many."""
    users, wanted = {str(pk) for pk in user_ids}, [json.dumps(name)[1:-1] for name in names]
    ended = []
    for session in Session.objects.iterator():
        data = session.get_decoded()
        text = json.dumps(data, default=str).lower()
        if data.get("_auth_user_id") in users or any(name in text for name in wanted):
            ended.append(session.pk)
    Session.objects.filter(pk__in=ended).delete()
    return len(ended)


def clear_admin_log(member_ids: Sequence[int], user_ids: Sequence[int]) -> None:
    """Blanks what the admin's log of changes calls these members, their users, and all that belongs to them."""
    _blank(Member, member_ids)
    _blank(User, user_ids)
    for model in apps.get_models():
        for field in model._meta.fields:
            if isinstance(field, ForeignKey) and field.related_model is Member:
                rows = model._default_manager.filter(**{f"{field.name}__in": member_ids})
                _blank(model, rows.annotate(log_key=Cast("pk", CharField())).values("log_key"))


def _blank(model, keys) -> None:
    keys = [str(key) for key in keys] if not hasattr(keys, "query") else keys
    of_model = LogEntry.objects.filter(content_type=ContentType.objects.get_for_model(model), object_id__in=keys)
    of_model.update(object_repr="", change_message="")
