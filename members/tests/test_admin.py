"""Settings, wordings, reactions given up, and users."""

from datetime import UTC, datetime

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse

from members.enums import Purpose
from members.models import ConsentWording, PendingReaction, Programme, TimelineEvent, User
from members.services.consent import publish_wording
from members.tests.factories import make_member


@pytest.fixture
def manager(db, settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    user = User.objects.create_user("manager@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Manager"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def test_the_programme_is_one_row_made_when_first_saved(manager):
    at_list = reverse("admin:members_programme_changelist")
    url = manager.get(at_list).headers["Location"]
    assert url == reverse("admin:members_programme_add")
    form = {
        "name": "Corner Café",
        "currency": "EUR",
        "language": "en",
        "time_zone": "Europe/Berlin",
        "postal_address": "",
        "contact_email": "",
        "minimum_age": "14",
    }
    assert "is not a currency code" in manager.post(url, {**form, "currency": "XXY"}).content.decode()
    manager.post(url, form)
    assert Programme.objects.get().pk == 1
    url = manager.get(at_list).headers["Location"]
    manager.post(url, {**form, "name": "Other Café"})
    assert Programme.objects.get().name == "Other Café"
    assert manager.get(reverse("admin:members_programme_add")).status_code == 403
    assert "Other Café" in manager.get(reverse("admin:index")).content.decode()


def test_times_are_those_of_the_shop(manager):
    Programme.objects.create(pk=1, time_zone="Asia/Shanghai")
    User.objects.update(last_login=datetime(2026, 5, 12, 20, 5, tzinfo=UTC))
    assert "May 13, 2026 04:05" in manager.get(reverse("admin:members_user_changelist")).content.decode()


def test_a_wording_is_added_as_the_next_version_and_never_changed(manager):
    first = publish_wording(purpose=Purpose.OFFERS, text_en="Old")
    manager.post(
        reverse("admin:members_consentwording_add"), {"purpose": "offers", "text_en": "New", "text_zh_hans": "新"}
    )
    made = ConsentWording.objects.exclude(pk=first.pk).get()
    assert (made.version, made.text_en, made.text_zh_hans) == (2, "New", "新")
    url = reverse("admin:members_consentwording_change", args=[first.pk])
    assert manager.post(url, {"purpose": "offers", "text_en": "Else"}).status_code == 403


def test_a_parked_reaction_shows_its_error_and_is_tried_again(manager):
    event = TimelineEvent.objects.get(member=make_member(name="Anna"))
    moment = datetime(2026, 5, 12, tzinfo=UTC)
    parked = PendingReaction.objects.create(
        event=event, reaction="x.y", parked_at=moment, attempts=5, error="ValueError: boom"
    )
    waiting = PendingReaction.objects.create(event=event, reaction="x.z", attempts=2)
    url = reverse("admin:members_pendingreaction_changelist")
    page = manager.get(url, {"state": "parked"})
    assert list(page.context["cl"].result_list) == [parked]
    seen = page.content.decode()
    for words in ("ValueError: boom", "Anna", "Joined", "x.y"):
        assert words in seen
    manager.post(url, {"action": "retry_selected", "_selected_action": [parked.pk, waiting.pk]})
    parked.refresh_from_db()
    waiting.refresh_from_db()
    assert (parked.parked_at, parked.attempts, parked.error) == (None, 0, "")
    assert waiting.attempts == 2  # it has not been given up


def test_a_user_is_added_by_address_and_given_a_role(manager):
    url = reverse("admin:members_user_add")
    form = {
        "email": " New@Example.com",
        "usable_password": "true",
        "password1": "a-Good-7-pass",
        "password2": "a-Good-7-pass",
    }
    manager.post(url, form)
    user = User.objects.get(email="new@example.com")
    assert not user.is_staff
    assert "already exists" in manager.post(url, form).content.decode()
    role = Group.objects.get(name="Till")
    change = reverse("admin:members_user_change", args=[user.pk])
    manager.post(change, {"email": user.email, "is_active": "on", "is_staff": "on", "groups": [role.pk]})
    user.refresh_from_db()
    assert (user.is_staff, list(user.groups.all())) == (True, [role])
    assert user.has_perm("members.view_member")


def test_roles_are_named_in_the_readers_language(manager):
    manager.cookies["django_language"] = "zh-hans"
    for name in ("members_user", "auth_group"):
        page = manager.get(reverse(f"admin:{name}_changelist")).content.decode()
        assert "营销人员" in page
        assert "Marketer" not in page
