"""How long the members app keeps what, if a manager says so: what is due, and how it goes."""

from datetime import datetime

import pgtrigger
from django.db.models import Exists, F, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce, Greatest
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from members.enums import ImportState
from members.models import (
    PRESENT,
    AccessLog,
    CardClaim,
    Consent,
    ConsentState,
    CustomerImport,
    CustomerProblem,
    ExportJob,
    ImportedMember,
    ImportProblem,
    Member,
    Purchase,
    PurchaseImport,
)
from members.privacy import Retention, register_retention
from members.services.erasure import erase_members

SAMPLE = 5
MONTH, YEAR = 30, 365  # days
_ENDED = (ImportState.DONE, ImportState.FAILED, ImportState.CANCELLED)


def name(member: Member, at: datetime) -> str:
    """A member in a sample: who, and since when nothing has happened."""
    return f"{member} · {date_format(timezone.localtime(at), 'DATE_FORMAT')}"


def _inactive(before: datetime) -> QuerySet[Member]:
    """Members with no sign of life since: no purchase, no sign-in, no word on consent, and joined before."""
    since = {"member": OuterRef("pk")}
    members = Member.objects.filter(PRESENT, joined_at__lt=before)
    members = members.exclude(Exists(Purchase.objects.filter(**since, purchased_at__gte=before)))
    members = members.exclude(Exists(Consent.objects.filter(**since, at__gte=before)))
    members = members.filter(Q(user=None) | Q(user__last_login=None) | Q(user__last_login__lt=before))
    return members.exclude(user__is_staff=True)


def _withdrawn(before: datetime) -> QuerySet[Member]:
    """Members who took back all that they had agreed to, bought nothing, and only said no since."""
    word = {"member": OuterRef("pk")}
    members = _inactive(before).filter(Exists(ConsentState.objects.filter(**word)))
    members = members.exclude(Exists(ConsentState.objects.filter(**word, granted=True)))
    return members.exclude(Exists(Purchase.objects.filter(**word)))


def _erase(members: QuerySet[Member], limit: int) -> int:
    ids = list(members.order_by("pk").values_list("pk", flat=True)[:limit])
    if ids:
        erase_members(member_ids=ids, at=timezone.now(), why="retention")
    return len(ids)


def _member_sample(members: QuerySet[Member]) -> list[str]:
    last = Greatest("joined_at", Coalesce(F("user__last_login"), "joined_at"))
    return [name(member, member.seen) for member in members.annotate(seen=last).order_by("pk")[:SAMPLE]]


def _delete(rows: QuerySet, limit: int) -> int:
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:limit])
    rows.model._default_manager.filter(pk__in=ids).delete()
    return len(ids)


def _claims(before: datetime) -> QuerySet[CardClaim]:
    return CardClaim.objects.filter(started_at__lt=before)


def _accesses(before: datetime) -> QuerySet[AccessLog]:
    return AccessLog.objects.filter(at__lt=before)


def _forget_accesses(before: datetime, limit: int) -> int:
    with pgtrigger.ignore("members.AccessLog:append_only"):
        return _delete(_accesses(before), limit)


def _uploads(before: datetime) -> list[QuerySet]:
    """Imports that have ended and still hold what was uploaded: the file, its bad rows, the way back."""
    bad = ImportProblem.objects.filter(purchase_import=OuterRef("pk"))
    worse = CustomerProblem.objects.filter(customer_import=OuterRef("pk"))
    journal = ImportedMember.objects.filter(customer_import=OuterRef("pk"))
    old = {"state__in": _ENDED, "created_at__lt": before}
    return [
        PurchaseImport.objects.filter(~Q(file="") | Exists(bad), **old),
        CustomerImport.objects.filter(~Q(file="") | Exists(worse) | Exists(journal), **old),
    ]


def _forget_uploads(before: datetime, limit: int) -> int:
    """The line that says what came of the import stays."""
    done = 0
    for uploads in _uploads(before):
        for upload in uploads.order_by("pk")[: limit - done]:
            if upload.file:
                upload.file.delete(save=False)
            type(upload)._default_manager.filter(pk=upload.pk).update(file="", name="")
            upload.problem_rows.all().delete()
            if isinstance(upload, CustomerImport):
                upload.journal.all().delete()
            done += 1
    return done


def _exports(before: datetime) -> QuerySet[ExportJob]:
    return ExportJob.objects.filter(~Q(file=""), created_at__lt=before)


def _forget_exports(before: datetime, limit: int) -> int:
    exports = list(_exports(before).order_by("pk")[:limit])
    for export in exports:
        export.file.delete(save=False)
        ExportJob.objects.filter(pk=export.pk).update(file="")
    return len(exports)


def register_all() -> None:
    register_retention(
        Retention(
            "inactive_members",
            _("Members without a sign of life"),
            _(
                "Who has neither bought, nor signed in, nor said a word on consent for so long is erased, as if they"
                " had asked for it. Their points are written off."
            ),
            3 * 365,
            lambda before: _inactive(before).count(),
            lambda before: _member_sample(_inactive(before)),
            lambda before, limit: _erase(_inactive(before), limit),
            least_days=YEAR,
        )
    )
    register_retention(
        Retention(
            "withdrawn_members",
            _("Members who took back every consent and never bought"),
            _("Nothing is left to keep them for: they are erased when they have been silent for so long."),
            90,
            lambda before: _withdrawn(before).count(),
            lambda before: _member_sample(_withdrawn(before)),
            lambda before, limit: _erase(_withdrawn(before), limit),
            least_days=MONTH,
        )
    )
    register_retention(
        Retention(
            "card_claims",
            _("Asked-for codes of cards"),
            _("Who asked for a code to link which card. Needed for a day, against guessing."),
            30,
            lambda before: _claims(before).count(),
            lambda before: [],
            lambda before, limit: _delete(_claims(before), limit),
        )
    )
    register_retention(
        Retention(
            "uploads",
            _("Uploaded files"),
            _("Files of imports that have ended, their bad rows, and with them the way to take an import back."),
            90,
            lambda before: sum(uploads.count() for uploads in _uploads(before)),
            lambda before: [str(upload) for uploads in _uploads(before) for upload in uploads[:SAMPLE]],
            _forget_uploads,
        )
    )
    register_retention(
        Retention(
            "exports",
            _("Exported lists of members"),
            _("Files that staff had made. They also go by themselves a few days after they were made."),
            30,
            lambda before: _exports(before).count(),
            lambda before: [export.name for export in _exports(before)[:SAMPLE]],
            _forget_exports,
        )
    )
    register_retention(
        Retention(
            "accesses",
            _("Who looked at whose data"),
            _("The log of accesses. Keep it for as long as somebody may ask who saw their data."),
            5 * 365,
            lambda before: _accesses(before).count(),
            lambda before: [],
            _forget_accesses,
        )
    )
