"""Privacy at the desk: erasing, handing over data, the log of accesses, how long things are kept."""

import io
import json
import zipfile

import pytest
from django.urls import reverse

from members.models import AccessLog, CardClaim, Consent, DataExport, Guardian, Member, Programme, RetentionRule, User
from members.services.retention import make_rules
from members.tests.factories import make_member
from rewards.models import Hold
from rewards.services.holds import reserve
from rewards.tests.factories import adjust, make_rule, make_tiers

pytestmark = pytest.mark.django_db


@pytest.fixture
def anna(at):
    make_rule()
    make_tiers()
    Programme.objects.create(pk=1)
    member = make_member(name="Anna Becker")
    adjust(member, 100, at)
    reserve(member_id=member.pk, amount=30, key="h", at=at, lapses_at=at.replace(year=2099), reason="Mug")
    return member


def page(name: str, *args) -> str:
    return reverse(f"admin:members_{name}", args=args)


def test_erasing_says_what_goes_asks_for_the_card_and_is_written_down(desk, anna):
    url = page("member_erase", anna.pk)
    manager = desk("Manager")
    wrong = manager.post(url, {"card_number": "8123 4567 8901"}).content.decode()
    assert "That is not the number of this card." in wrong
    seen = manager.post(url, {"card_number": anna.card_number_grouped}).content.decode()
    for words in (
        "1 reservation is cancelled.",
        "written off: 100 points, as of now.",
        "as nobody&#x27;s: 0 purch",
    ):
        assert words in seen
    assert Member.objects.get(pk=anna.pk).name == "Anna Becker"
    done = manager.post(url, {"card_number": anna.card_number, "confirmed": "1"}, follow=True)
    assert done.redirect_chain[-1][0] == page("member_changelist")
    assert Member.objects.get(pk=anna.pk).name == ""
    assert Hold.objects.get().state == "cancelled"
    line = AccessLog.objects.get(action="erased")
    assert (line.member_id, line.actor.email) == (anna.pk, "manager@example.com")
    assert "erased" in manager.get(page("accesslog_changelist")).content.decode()
    assert manager.get(url).status_code == 404


def test_handing_over_is_written_down_and_only_for_who_may(desk, anna):
    marketer = desk("Marketer")
    done = marketer.post(page("member_hand_over_data", anna.pk), {"confirmed": "1"}, follow=True)
    assert "The file is ready" in done.content.decode()
    export = DataExport.objects.get()
    url = page("dataexport_download", export.pk)
    answer = marketer.get(url)
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert json.loads(archive.read("data.json"))["profile"]["name"] == "Anna Becker"
    assert list(AccessLog.objects.order_by("id").values_list("action", "member")) == [
        ("exported", anna.pk),
        ("downloaded", anna.pk),
    ]
    DataExport.objects.update(actor=None)  # the member's own
    assert marketer.get(url).status_code == 404


def test_the_log_of_accesses_is_read_and_never_changed(desk, anna):
    line = AccessLog.objects.create(action="viewed", member=anna, what="member page")
    manager = desk("Manager")
    assert "Anna Becker" in manager.get(page("accesslog_changelist")).content.decode()
    with pytest.raises(Exception, match="Cannot update"):
        AccessLog.objects.filter(pk=line.pk).update(what="nothing")


def test_a_search_is_written_down_without_what_was_sought(desk, anna):
    make_member(name="Anna Bolt")
    desk("Marketer").get(page("member_changelist"), {"q": "Anna B"})
    line = AccessLog.objects.get()
    assert (line.action, line.members, line.what, line.member) == ("searched", 2, "search of members", None)


def test_a_rule_is_switched_on_after_it_said_what_it_takes(desk, anna, at):
    make_rules()
    rule = RetentionRule.objects.get(subject="card_claims")
    user = User.objects.create_user("x@example.com")
    old = at.replace(year=2020)
    CardClaim.objects.create(user=user, card_number=anna.card_number, started_at=old, expires_at=old)
    manager = desk("Manager")
    assert "Asked-for codes of cards" in manager.get(page("retentionrule_changelist")).content.decode()
    url = page("retentionrule_change", rule.pk)
    assert "1 are older than 20 days now." in manager.post(url, {"days": "20", "active": "yes"}).content.decode()
    rule.refresh_from_db()
    assert (rule.days, rule.active) == (30, False)
    manager.post(url, {"days": "20", "active": "yes", "confirmed": "1"})
    rule.refresh_from_db()
    assert (rule.days, rule.active) == (20, True)
    assert CardClaim.objects.exists()  # not before the night
    assert "7" in manager.post(url, {"days": "3", "active": "yes"}).context["form"].errors["days"][0]


def test_consent_with_evidence_and_for_purposes_without_channel(desk, anna):
    url, marketer = page("member_state_consent", anna.pk), desk("Marketer")
    said = {"purpose": "profiling", "channel": "email", "granted": "no", "source": "letter", "evidence": "letter 9"}
    assert "Nothing the member did decides" in marketer.post(url, said).content.decode()
    marketer.post(url, {**said, "confirmed": "1"})
    consent = Consent.objects.get()
    assert (consent.channel, consent.purpose, consent.granted, consent.evidence) == ("", "profiling", False, "letter 9")
    assert not Member.objects.get(pk=anna.pk).personalised
    by_text = {"purpose": "offers", "channel": "sms", "granted": "yes", "source": "till"}
    assert "Text messages need a phone number" in marketer.post(url, by_text).content.decode()
    assert Consent.objects.count() == 1


def test_a_child_is_added_with_a_guardian_or_not_at_all(desk, anna):
    marketer, url = desk("Marketer"), page("member_add")
    child = {
        "name": "Kim", "language": "en", "time_zone": "UTC", "birthday_calendar": "solar", "birthday_month": "5",
        "birthday_day": "1", "birthday_year": "2020", "leap_day_rule": "feb28",
    }  # fmt: skip
    assert "for people of 14 and older" in marketer.post(url, child).content.decode()
    Programme.objects.update(guardian_may_consent=True)
    with_name = marketer.post(url, {**child, "guardian_name": "Eva"}).content.decode()
    assert "Please give both, or neither." in with_name
    marketer.post(url, {**child, "guardian_name": "Eva", "guardian_evidence": "form 3"})
    assert Guardian.objects.get().member.name == "Kim"


def test_the_default_of_personalised_treatment_is_a_setting(desk, anna):
    form = {
        "name": "Club", "currency": "EUR", "language": "en", "time_zone": "UTC", "postal_address": "",
        "contact_email": "", "minimum_age": "16",
    }  # fmt: skip
    assert desk("Manager").post(page("programme_change", 1), form).status_code == 302
    assert Programme.objects.get().minimum_age == 16
    assert not Member.objects.get(pk=anna.pk).personalised
