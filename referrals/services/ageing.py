"""What is forgotten with time, and with a member."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from members.models import Member
from members.privacy import Retention, register_retention
from referrals.marks import mail_mark, phone_mark
from referrals.models import Advocate, Former, Guess, Invite, Referral, Said, Trace


def _delete(rows: QuerySet, limit: int) -> int:
    ids = list(rows.order_by("pk").values_list("pk", flat=True)[:limit])
    return rows.model.objects.filter(pk__in=ids).delete()[0]


def age_traces(*, before: datetime, limit: int) -> int:
    """Deletes traces last seen before that; how many."""
    return _delete(Trace.objects.filter(seen_at__lt=before), limit)


def age_invites(*, before: datetime, limit: int) -> int:
    """Deletes invitations asked for before that, sent or not; how many."""
    return _delete(Invite.objects.filter(created_at__lt=before), limit)


def age_marks(*, before: datetime, limit: int) -> int:
    """Deletes marks of former members from before that; how many."""
    return _delete(Former.objects.filter(at__lt=before), limit)


def age_guesses(*, at: datetime) -> int:
    """Deletes what was guessed more than an hour ago; how many rows."""
    return Guess.objects.filter(minute__lt=at - timedelta(hours=1)).delete()[0]


def erase_referrals(member_ids: Sequence[int], at: datetime) -> None:
    """Takes out what says who they were: nickname, traces, invitations, what they wrote. The referral stays, as
    nobody's; their addresses stay as keyed hashes until they age out."""
    for email, phone in Member.objects.filter(pk__in=member_ids).values_list("email", "phone"):
        marks = [mail_mark(email)] if email else []
        marks += [phone_mark(str(phone))] if phone else []
        Former.objects.bulk_create([Former(mark=mark, at=at) for mark in marks], ignore_conflicts=True)
    Advocate.objects.filter(member__in=member_ids).update(shows_name=False, nickname="", is_listed=False)
    Invite.objects.filter(advocate__member__in=member_ids).delete()
    Trace.objects.filter(member__in=member_ids).delete()
    Said.objects.filter(purchase__member__in=member_ids).delete()
    Referral.objects.filter(giver__in=member_ids).update(objection="")
    Referral.objects.filter(friend__in=member_ids).update(friend_shows_name=False)


def register_all() -> None:
    """What a manager can give a time to."""
    register_retention(
        Retention(
            "referral_traces",
            _("Networks and devices of members"),
            _("Keyed hashes, kept to tell who brings themselves."),
            90,
            due=lambda before: Trace.objects.filter(seen_at__lt=before).count(),
            sample=lambda before: [],
            apply=lambda before, limit: age_traces(before=before, limit=limit),
        )
    )
    register_retention(
        Retention(
            "referral_invites",
            _("Invitations to friends"),
            _("The keyed hash by which a friend is known when they join."),
            90,
            due=lambda before: Invite.objects.filter(created_at__lt=before).count(),
            sample=lambda before: [],
            apply=lambda before, limit: age_invites(before=before, limit=limit),
        )
    )
    register_retention(
        Retention(
            "referral_former",
            _("Marks of former members"),
            _("Keyed hashes of addresses of who was forgotten, so that nobody is brought as new again and again."),
            365,
            due=lambda before: Former.objects.filter(at__lt=before).count(),
            sample=lambda before: [],
            apply=lambda before, limit: age_marks(before=before, limit=limit),
        )
    )
