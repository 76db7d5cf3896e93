"""The mail kept on disk where no mail server is set: newest first, each to be opened and read."""

from dataclasses import dataclass
from datetime import UTC, datetime
from email import message_from_binary_file
from email.message import EmailMessage
from email.policy import default
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

PAGE = 50
SHOWN = ("From", "To", "Subject", "Date", "Reply-To", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post")


@dataclass(frozen=True, slots=True)
class Kept:
    """A file of the outbox, as a line of the list."""

    name: str
    at: datetime
    to: str
    subject: str


def _files() -> list[Path]:
    """The outbox, newest first."""
    folder = Path(settings.OUTBOX_DIR)
    if not folder.is_dir():
        return []
    found = [path for path in folder.iterdir() if path.suffix in (".eml", ".sms") and not path.name.startswith(".")]
    return sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def _line(path: Path) -> Kept:
    at = localtime(datetime.fromtimestamp(path.stat().st_mtime, UTC))
    if path.suffix == ".sms":
        to, _empty, text = path.read_text(encoding="utf-8").partition("\n\n")
        return Kept(path.name, at, to.removeprefix("To: "), text[:80])
    mail = _open(path)
    return Kept(path.name, at, str(mail["To"] or ""), str(mail["Subject"] or ""))


def _open(path: Path) -> EmailMessage:
    with path.open("rb") as file:
        return message_from_binary_file(file, policy=default)  # type: ignore[return-value]


def _part(mail: EmailMessage, kind: str) -> str:
    body = mail.get_body((kind,))
    return body.get_content() if body is not None else ""


def listing(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """The list, 50 a page: only their headers are read."""
    _check(model_admin, request)
    page = Paginator(_files(), PAGE).get_page(request.GET.get("page"))
    context = {"title": _("Outbox on disk"), "page": page, "kept": [_line(path) for path in page]}
    return _answer(model_admin, request, "campaigns/admin/outbox.html", context)


def reading(model_admin: ModelAdmin, request: HttpRequest, name: str) -> HttpResponse:
    """One mail or text message: its headers, how it looks, and its plain text."""
    _check(model_admin, request)
    path = next((path for path in _files() if path.name == name), None)  # a name from outside never makes a path
    if path is None:
        raise Http404
    line = _line(path)
    context: dict[str, Any] = {"line": line, "title": line.subject}
    if path.suffix == ".sms":
        context["text"] = path.read_text(encoding="utf-8").partition("\n\n")[2]
    else:
        mail = _open(path)
        context["headers"] = [(header, str(mail[header]).strip()) for header in SHOWN if mail[header]]
        context["html"], context["text"] = _part(mail, "html"), _part(mail, "plain")
    return _answer(model_admin, request, "campaigns/admin/outbox_file.html", context)


def _check(model_admin: Any, request: HttpRequest) -> None:
    if not model_admin.has_outbox_permission(request):
        raise PermissionDenied


def _answer(model_admin: ModelAdmin, request: HttpRequest, template: str, context: dict[str, Any]) -> HttpResponse:
    request.current_app = model_admin.admin_site.name  # type: ignore[attr-defined]
    site = model_admin.admin_site.each_context(request)
    return TemplateResponse(request, template, {**site, "opts": model_admin.opts, **context})
