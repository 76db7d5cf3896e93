"""How long the content of messages is kept, if a manager says so."""

from datetime import UTC, datetime
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from campaigns.enums import MessageState
from campaigns.models import Message, TrackEvent
from campaigns.services.erasure import empty_messages
from members.privacy import Retention, register_retention

_ENDED = (MessageState.SENT, MessageState.FAILED, MessageState.MISSED, MessageState.SKIPPED)
SAMPLE = 5


def _written(before: datetime) -> QuerySet[Message]:
    return Message.objects.filter(state__in=_ENDED, changed_at__lt=before).exclude(
        to="", subject="", text="", values={}
    )


def _sample(before: datetime) -> list[str]:
    return [message.subject for message in _written(before).order_by("pk")[:SAMPLE]]


def _forget(before: datetime, limit: int) -> int:
    ids = list(_written(before).order_by("pk").values_list("pk", flat=True)[:limit])
    empty_messages(Message.objects.filter(pk__in=ids))
    return len(ids)


def _mails(before: datetime) -> list[Path]:
    folder = Path(settings.OUTBOX_DIR)
    files = sorted(path for path in folder.iterdir() if path.is_file()) if folder.is_dir() else []
    return [path for path in files if datetime.fromtimestamp(path.stat().st_mtime, UTC) < before]


def _forget_mails(before: datetime, limit: int) -> int:
    old = _mails(before)[:limit]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def _tracks(before: datetime) -> QuerySet[TrackEvent]:
    return TrackEvent.objects.filter(at__lt=before, rules__gt=0)


def _forget_tracks(before: datetime, limit: int) -> int:
    old = _tracks(before).order_by("at").values("pk")[:limit]
    return TrackEvent.objects.filter(pk__in=old).delete()[0]


def register_all() -> None:
    register_retention(
        Retention(
            "tracks",
            _("What was opened and clicked"),
            _("Each request for a picture or a link of a mail. That a message was opened or clicked, and when, stays."),
            180,
            lambda before: _tracks(before).count(),
            lambda before: [],
            _forget_tracks,
        )
    )
    register_retention(
        Retention(
            "message_contents",
            _("What messages said"),
            _("Address, subject and text of messages sent. That a message was sent, when and why, stays."),
            365,
            lambda before: _written(before).count(),
            _sample,
            _forget,
        )
    )
    register_retention(
        Retention(
            "outbox",
            _("Mail kept on disk"),
            _("Mails and text messages in the outbox on disk, where no mail server is set."),
            90,
            lambda before: len(_mails(before)),
            lambda before: [],
            _forget_mails,
        )
    )
