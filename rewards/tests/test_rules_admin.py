"""The pages on which marketers make rules, publish them, try them and replay them."""

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.timezone import now

from members.models import Programme, Purchase, Segment, User
from members.services.segments import save_segment
from members.tests.factories import make_member
from rewards.enums import RuleState
from rewards.models import EarningRule, Replay, RewardSettings, RuleVersion, Transfer
from rewards.services.earning.publishing import archive, end, publish, save_draft
from rewards.services.earning.replay import run_replay
from rewards.tests.factories import make_rule, make_rule_of, make_tiers, post

pytestmark = pytest.mark.django_db
NOW = now()


@pytest.fixture
def marketer(settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1, currency="EUR")
    user = User.objects.create_user("marketer@example.com", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", answer.content.decode())).replace("&#x27;", "'")


def url(name: str, *args) -> str:
    return reverse(f"admin:rewards_earningrule_{name}", args=args)


def told(**more) -> dict:
    """What the editor sends for 1 point per 1.00."""
    given = {
        "name_en": "Points", "name_zh_hans": "积分", "trigger": "purchase", "gives": "per_amount", "points": "1",
        "per": "1", "over": "clip", "rounding": "down", "stacking": "best", "expiry_kind": "rolling",
        "expiry_months": "12", "expiry_month": "12", "expiry_day": "31", "expiry_years": "1", "counts_for_tier": "on",
    }  # fmt: skip
    return given | more


def test_a_rule_is_made_published_and_gives(marketer):
    answer = marketer.post(url("add"), told(weekdays=["4"], hours="14:00-17:00", limit_day="200", save="1"))
    rule = EarningRule.objects.get()
    assert answer.url == url("change", rule.pk)
    version = rule.versions.get()
    assert version.definition == {
        "effect": {"kind": "per_amount", "points": "1", "per": "1"},
        "conditions": {"currency": "EUR", "weekdays": [4], "hours": [["14:00", "17:00"]]},
        "limits": {"day": 200},
        "over": "clip",
        "rounding": "down",
        "expiry": {"kind": "rolling", "months": 12},
        "counts_for_tier": True,
    }
    page = text(marketer.get(answer.url))
    assert "every Friday, from 14:00 to 17:00" in page.replace("Every", "every")
    assert "积分" in page
    asked = text(marketer.post(url("publish", rule.pk), {"valid_from": ""}))
    assert "A published version cannot be changed" in asked
    assert RuleVersion.objects.get().state == "draft"
    marketer.post(url("publish", rule.pk), {"valid_from": "", "confirmed": "1"})
    rule.refresh_from_db()
    assert (rule.state, rule.versions.get().published_by.email) == (RuleState.LIVE, "marketer@example.com")
    assert "Version 1 published" in text(marketer.get(url("change", rule.pk)))
    assert LogEntry.objects.count() == 2


def test_what_was_saved_comes_back_into_the_editor_as_it_was(marketer):
    segment = save_segment(names={"en": "All"}, definition={"all": []}, at=NOW)
    tiers = make_tiers()
    given = told(
        segments=[segment.pk], not_segments=[segment.pk], tiers=[tiers["gold"].pk], categories="Coffee\nTea, green\n",
        not_brands="Cheap", stores="Old Town", channels=["store", "online"], minimum="20.50", first_purchase="on",
        starts="2026-01-01", ends="2026-01-31", weekdays=["0", "6"], hours="22:00–02:00", limit_week="50",
        limit_times_lifetime="3", limit_cooldown_hours="24", over="reject", budget="9000", rounding="up",
        pending_kind="days", pending_days="14", expiry_kind="date", expiry_month="6", expiry_day="30",
        expiry_years="0", description_en="More for you", save="1",
    )  # fmt: skip
    given.pop("counts_for_tier")
    assert marketer.post(url("add"), given).status_code == 302
    rule = EarningRule.objects.get()
    first = rule.versions.get().definition
    assert first["conditions"]["categories"] == ["Coffee", "Tea, green"]
    assert (first["conditions"]["until"], first["over"], first["counts_for_tier"]) == ("2026-02-01", "reject", False)
    form = marketer.get(url("edit", rule.pk)).context["form"]
    again = {name: value for name, value in ((field.name, field.value()) for field in form) if value not in (None, "")}
    again.pop("counts_for_tier")
    assert marketer.post(url("edit", rule.pk), again).status_code == 302
    assert rule.versions.get().definition == first
    assert EarningRule.objects.get().budget == 9000


def test_what_waits_for_an_event_and_a_budget_in_money_come_back_too(marketer):
    given = told(pending_kind="event", pending_event="order.delivered", pending_days="30", pending_otherwise="cancel",
                 budget_money="12.50", save="1")  # fmt: skip
    assert marketer.post(url("add"), given).status_code == 302
    rule = EarningRule.objects.get()
    pending = {"event": "order.delivered", "days": 30, "otherwise": "cancel"}
    assert (rule.versions.get().definition["pending"], rule.budget_money) == (pending, Decimal("12.50"))
    page = text(marketer.get(url("change", rule.pk)))
    assert "taken back where it is not within 30 days" in page
    assert "€0 of €12.5" in page.replace(".00", "").replace("12.50", "12.5")
    form = marketer.get(url("edit", rule.pk)).context["form"]
    again = {name: value for name, value in ((field.name, field.value()) for field in form) if value not in (None, "")}
    assert marketer.post(url("edit", rule.pk), again).status_code == 302
    assert rule.versions.get().definition["pending"] == pending


@pytest.mark.parametrize(
    ("wrong", "field", "words"),
    [
        ({"name_en": ""}, "name_en", "required"),
        ({"points": ""}, "points", "how much"),
        ({"points": "0"}, "points", "above 0"),
        ({"gives": "fixed", "points": "1.5"}, "points", "whole number"),
        ({"gives": "multiplier", "factor": "1"}, "factor", "More than 1"),
        ({"gives": "coupon"}, "offer", "choose the offer"),
        ({"gives": "credit", "credit": "0.005"}, "credit", "no such fraction"),
        ({"minimum": "1.005"}, "minimum", "no such fraction"),
        ({"hours": "noon"}, "hours", "14:00–17:00"),
        ({"hours": "25:00-26:00"}, "hours", "pairs of times"),
        ({"starts": "2026-02-01", "ends": "2026-01-01"}, "ends", "after the start"),
        ({"pending_kind": "days"}, "pending_kind", "number of days or a date"),
        ({"expiry_months": ""}, "expiry_months", "How many months"),
        ({"expiry_kind": "date", "expiry_month": "2", "expiry_day": "31"}, "expiry_day", "no such day"),
        ({"budget": "1.5"}, "budget", "whole number"),
        ({"trigger": "custom:", "gives": "fixed", "custom_kind": ""}, "trigger", "Nothing of this name"),
        ({"trigger": "birthday"}, "gives", "Only purchases can give this"),
        ({"currency": "XXY"}, "currency", "not a currency code"),
    ],
)
def test_what_is_wrong_is_said_beside_its_field(marketer, wrong, field, words):
    answer = marketer.post(url("add"), told(**wrong, save="1"))
    assert answer.status_code == 200
    assert words in " ".join(answer.context["form"].errors[field])
    assert not EarningRule.objects.exists()
    assert marketer.post(url("preview"), told(**wrong)).json()["problems"] or field == "name_en"


def test_the_editor_says_what_it_means_in_both_languages_and_about_how_much(marketer):
    make_rule()
    for n in range(8):  # ten euros a time: 80 points in four weeks
        post(make_member(), NOW, purchased_at=NOW - timedelta(days=3 * n))
    said = marketer.post(url("preview"), told(gives="multiplier", factor="2")).json()
    assert [one["language"] for one in said["sentences"]] == ["en", "zh-hans"]
    assert "ouble points" in said["sentences"][0]["text"]
    assert re.search(r"[\u3000-\u303f\u4e00-\u9fff]", said["sentences"][1]["text"])
    estimate = marketer.post(url("estimate"), told(points="2")).json()
    assert estimate["headline"] == "about 40 points a week"
    assert "100% of the purchases" in estimate["basis"]
    # A multiplier adds to what the live rules give; for itself it gives nothing.
    assert (
        marketer.post(url("estimate"), told(gives="multiplier", factor="3")).json()["headline"] == estimate["headline"]
    )
    few = marketer.post(url("estimate"), told(minimum="10.01")).json()
    assert few["headline"] == "about 0 points a week"


def test_publishing_says_what_changes_and_refuses_the_past(marketer):
    rule = make_rule()
    marketer.post(url("edit", rule.pk), told(points="3", limit_month="500", save="1"))
    yesterday = (NOW - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M")
    assert "That moment is over" in text(marketer.post(url("publish", rule.pk), {"valid_from": yesterday}))
    asked = text(marketer.post(url("publish", rule.pk), {"valid_from": ""}))
    assert "Version 1 ends then. What changes:" in asked
    assert "− Members get: 1 points for each 1" in asked
    assert "+ Members get: 3 points for each 1" in asked
    assert "+ at most a month: 500 points" in asked
    marketer.post(url("publish", rule.pk), {"valid_from": "", "confirmed": "1"})
    assert [one.state for one in rule.versions.all()] == ["published", "published"]
    again = text(marketer.post(url("publish", rule.pk), {"valid_from": "", "confirmed": "1"}))
    assert "There is no draft" in again


def test_a_live_rule_is_paused_resumed_ended_and_copied(marketer):
    rule = make_rule()
    for act, state in (("pause", "paused"), ("resume", "live"), ("end", "ended")):
        assert EarningRule.objects.get().state != state
        marketer.post(url(act, rule.pk), {})
        marketer.post(url(act, rule.pk), {"confirmed": "1"})
        assert EarningRule.objects.get().state == state
    assert "changed this rule meanwhile" in text(marketer.post(url("pause", rule.pk), {"confirmed": "1"}))
    listed = marketer.get(url("changelist"))
    assert rule.name_en not in text(listed)
    assert rule.name_en in text(marketer.get(url("changelist"), {"state": "ended"}))
    marketer.post(url("duplicate", rule.pk))
    assert EarningRule.objects.get(state="draft").name_en == f"{rule.name_en} (copy)"


def test_a_rule_that_has_ended_is_archived_and_brought_back(marketer):
    rule = make_rule_of("Spring", {"effect": {"kind": "fixed", "points": 5}})
    page = lambda **query: text(marketer.get(url("changelist"), query))  # noqa: E731
    assert "Somebody changed this rule" in text(
        marketer.post(url("archive", rule.pk), {"confirmed": "1"}, follow=True)
    )  # it is live
    end(rule_id=rule.pk, at=now())
    assert "Archive" in text(marketer.get(url("change", rule.pk)))
    assert "leaves the lists" in text(marketer.post(url("archive", rule.pk)))
    marketer.post(url("archive", rule.pk), {"confirmed": "1"}, follow=True)
    rule.refresh_from_db()
    assert rule.state == "archived"
    assert [("Spring" in page(**query)) for query in ({}, {"state": "all"}, {"state": "archived"})] == [
        False,
        False,
        True,
    ]
    assert "Spring" not in text(marketer.get(url("try")))
    assert "Bring back" in text(marketer.get(url("change", rule.pk)))
    marketer.post(url("restore", rule.pk), {"confirmed": "1"}, follow=True)
    assert [("Spring" in page(**query)) for query in ({"state": "ended"}, {"state": "archived"})] == [True, False]
    save_draft(rule_id=rule.pk, names={"en": "Spring"}, definition={"effect": {"kind": "fixed", "points": 6}}, at=now())
    archive(rule_id=rule.pk)
    publish(rule_id=rule.pk, at=now())
    rule.refresh_from_db()
    assert rule.state == "live"  # what is published gives


def test_the_list_says_what_each_gave_this_month_and_how_much_of_its_budget(marketer):
    rule = make_rule()
    EarningRule.objects.update(budget=100)
    post(make_member(), NOW, purchased_at=NOW, amount_minor=2500)
    seen = text(marketer.get(url("changelist")))
    assert "25 points" in seen
    assert "25 points of 100 points" in seen
    counts = []
    for copies in (1, 5):  # one rule or many: the same number of queries
        for _n in range(copies):
            marketer.post(url("duplicate", rule.pk))
        with CaptureQueriesContext(connection) as asked:
            marketer.get(url("changelist"))
        counts.append(len(asked))
    assert counts[0] == counts[1]


def test_a_whole_programme_starts_from_one_page(marketer):
    given = {"points": "2", "months": "6", "welcome": "50", "birthday": "0", "double": "1"}
    asked = text(marketer.post(url("programme"), given))
    assert "every Tuesday" in asked.replace("Every", "every")
    assert not EarningRule.objects.exists()
    marketer.post(url("programme"), {**given, "confirmed": "1"})
    assert [(rule.trigger, rule.state) for rule in EarningRule.objects.all()] == [
        ("purchase", "live"), ("signed_up", "live"), ("purchase", "live")
    ]  # fmt: skip
    assert "base rules add up" in text(marketer.post(url("programme"), given))


def test_every_ready_made_rule_can_be_saved_as_it_is(marketer):
    post(make_member(), NOW)
    start = marketer.get(url("add"))
    keys = re.findall(r"\?template=(\w+)", start.content.decode())
    assert len(keys) >= 10
    for key in keys:
        form = marketer.get(url("add"), {"template": key}).context["form"]
        given = {field.name: field.value() for field in form if field.value() not in (None, "", False)}
        answer = marketer.post(url("add"), given)
        assert answer.status_code == 302, (key, answer.context["form"].errors)
    assert EarningRule.objects.count() == len(keys)


def test_words_are_offered_that_were_really_bought(marketer):
    from members.services.purchases import NewLine

    lines = (NewLine(amount_minor=1000, sku="LATTE", name="Caffè latte", category="Coffee"),)
    post(make_member(), NOW, lines=lines)
    found = {
        (field, q): json.loads(marketer.get(url("suggest"), {"trait": field, "q": q}).content)
        for field, q in (("categories", "off"), ("products", "caff"), ("not_products", "x"), ("name_en", ""))
    }
    assert list(found.values()) == [["Coffee"], ["LATTE"], [], []]


# --- Trying and replaying ---------------------------------------------------------------------------------------------
def test_a_basket_is_tried_under_a_draft_and_writes_nothing(marketer):
    rule = make_rule()
    tiers = make_tiers(gold="1.5")
    member = make_member(name="Anna Becker")
    marketer.post(url("add"), told(name_en="Tea", gives="multiplier", factor="3", categories="Tea", save="1"))
    marketer.post(url("add"), told(name_en="Big", gives="fixed", points="50", minimum="100", save="1"))
    tea, big = EarningRule.objects.exclude(pk=rule.pk)
    asked = {"go": "1", "q": "Anna", "sku": ["T1", ""], "category": ["Tea", ""], "quantity": ["2", "1"],
             "price": ["4.75", ""], "discount": ["0.50", ""], "brand": ["", ""], "channel": "store"}  # fmt: skip
    answer = marketer.get(url("try"), asked)
    tried = answer.context["tried"]
    assert answer.context["member"] == member
    fired = {one["rule"].pk: one for one in tried["fired"]}
    assert (fired[rule.pk]["gives"], fired[rule.pk]["draft"]) == ("9 points", False)
    assert (fired[tea.pk]["gives"], fired[tea.pk]["draft"]) == ("18 points", True)
    assert ["€100.00 is asked for" in one["reason"] for one in tried["silent"] if one["rule"].pk == big.pk] == [True]
    assert ("Points", "27", "") in tried["facts"]
    page = text(answer)
    assert "€9.00 counts and brings 9." in page
    # Published rules alone: the drafts are left out.
    alone = marketer.get(url("try"), {**asked, f"rule-{tea.pk}": "out", f"rule-{big.pk}": "out"}).context["tried"]
    assert (len(alone["fired"]), alone["silent"]) == (1, [])
    # A version counts from its own moment on; a draft at any.
    marketer.post(url("publish", tea.pk), {"valid_from": "", "confirmed": "1"})
    for at, fired in (("2020-12-31T10:00", 1), ("", 2)):
        assert len(marketer.get(url("try"), {**asked, "at": at}).context["tried"]["fired"]) == fired
    assert not Transfer.objects.exists()
    assert not Purchase.objects.exists()
    assert tiers["bronze"].name in page


@pytest.mark.parametrize(
    ("more", "words"),
    [({"price": ["x"]}, "Line 1: please check"), ({"price": ["1.005"]}, "no such amount"),
     ({"price": ["1"], "discount": ["2"]}, "no such amount"), ({"quantity": ["-1"], "price": ["1"]}, "Line 1"),
     ({"price": ["1"], "pay_points": "5"}, "Points do not pay here"), ({"q": "Nobody"}, "No member was found"),
     ({"at": "yesterday"}, "valid date")],
)  # fmt: skip
def test_a_basket_that_cannot_be_is_said_so(marketer, more, words):
    make_rule()
    assert words in text(marketer.get(url("try"), {"go": "1", "channel": "store", **more}))


def test_a_past_moment_is_tried_under_the_rules_of_then_also_those_that_ended(marketer):
    rule = make_rule()
    end(rule_id=rule.pk, at=NOW - timedelta(days=2))
    asked = {"go": "1", "price": ["0.99"], "quantity": ["0.75"], "channel": "store", f"rule-{rule.pk}": ""}
    then = f"{NOW - timedelta(days=3):%Y-%m-%dT%H:%M}"
    tried = marketer.get(url("try"), {**asked, "price": ["10"], "quantity": ["1"], "at": then}).context["tried"]
    assert [one["gives"] for one in tried["fired"]] == ["10 points"]
    tried = marketer.get(url("try"), asked).context["tried"]
    assert (tried["fired"], tried["silent"]) == ([], [])
    assert tried["facts"][0][:2] == ("Basket", "€0.74")  # as a till rounds


def test_what_is_paid_with_points_does_not_earn_when_tried(marketer):
    make_rule()
    RewardSettings.objects.update_or_create(pk=1, defaults={"points_per_unit": 100})
    asked = {"go": "1", "price": ["10"], "channel": "store", "pay_points": "400"}
    tried = marketer.get(url("try"), asked).context["tried"]
    assert [one["gives"] for one in tried["fired"]] == ["6 points"]


def test_a_replay_is_asked_for_watched_and_taken_along(marketer):
    rule, tiers = make_rule(), make_tiers()
    for n in range(6):
        post(make_member(), NOW, purchased_at=NOW - timedelta(days=7 * n + 1))
    marketer.post(url("edit", rule.pk), told(points="3", save="1"))
    page = text(marketer.get(reverse("admin:rewards_replay_add")))
    assert "the draft, version 2" in page
    answer = marketer.post(
        reverse("admin:rewards_replay_add"),
        {"name": "Three", "first": f"{NOW - timedelta(days=60):%Y-%m-%d}", "last": f"{NOW:%Y-%m-%d}"},
    )
    replay = Replay.objects.get()
    assert answer.url == reverse("admin:rewards_replay_change", args=[replay.pk])
    assert "0 of 6 purchases" in text(marketer.get(answer.url))
    run_replay(replay_id=replay.pk)
    seen = text(marketer.get(answer.url))
    assert "180 points, at a cost of €1.80 instead of €0.60 (+200%)." in seen
    assert "6 purchases of 6 members" in seen
    table = marketer.get(reverse("admin:rewards_replay_table", args=[replay.pk])).content.decode("utf-8-sig")
    lines = table.strip().splitlines()
    assert len(lines) == 7
    assert sum(int(line.split(",")[2]) for line in lines[1:]) == 180
    assert {line.split(",")[1] for line in lines[1:]} == {tiers["bronze"].name_en}
    assert "Three" in text(marketer.get(reverse("admin:rewards_replay_changelist")))
    marketer.post(answer.url, {"rename": "1", "name": "Treble"})
    assert Replay.objects.get().name == "Treble"


def test_a_replay_that_cannot_be_is_said_so(marketer):
    make_rule()
    add = reverse("admin:rewards_replay_add")
    assert "last day must not come before" in text(marketer.post(add, {"first": "2026-02-01", "last": "2026-01-01"}))
    out = {f"rule-{EarningRule.objects.get().pk}": "out", "first": "2026-01-01", "last": "2026-02-01"}
    assert "choose at least one rule" in text(marketer.post(add, out))
    assert not Replay.objects.exists()


def test_a_segment_that_is_gone_is_still_named_in_the_editor(marketer):
    segment = save_segment(names={"en": "Gone"}, definition={"all": []}, at=NOW)
    marketer.post(url("add"), told(segments=[segment.pk], save="1"))
    Segment.objects.update(archived_at=NOW)
    rule = EarningRule.objects.get()
    assert f"#{segment.pk}" in text(marketer.get(url("edit", rule.pk)))
    assert "Gone" in text(marketer.get(url("change", rule.pk)))


# --- Why --------------------------------------------------------------------------------------------------------------
def test_a_purchase_says_why_rule_by_rule(marketer):
    rule = make_rule(points_per_unit="1.5")
    make_tiers(bronze="1.25")
    marketer.post(url("add"), told(name_en="Fridays", gives="multiplier", factor="2", minimum="50", save="1"))
    second = EarningRule.objects.exclude(pk=rule.pk).get()
    marketer.post(url("publish", second.pk), {"valid_from": "2024-01-01T00:00", "confirmed": "1"})
    posted = post(make_member(name="Anna"), NOW, purchased_at=NOW, amount_minor=1010)
    page = marketer.get(url("why", "purchase", posted.id))
    tried = page.context["tried"]
    assert [(one["rule"].pk, one["gives"], one["steps"]) for one in tried["fired"]] == [
        (
            rule.pk,
            "18 points",
            [
                "€10.10 counts and brings 18.9375.",
                "The tier's × 1.25 is in it.",
                "Exactly 18.9375, rounded down: 18 points.",
            ],
        )
    ]
    assert [(one["rule"].pk, one["reason"]) for one in tried["silent"]] == [
        (second.pk, "€10.10 was paid, and €50.00 is asked for.")
    ]
    bought = marketer.get(reverse("admin:members_purchase_change", args=[posted.id]))
    assert url("why", "purchase", posted.id) in bought.content.decode()
    transfer = Transfer.objects.get(purchase=posted.id, kind="earn")
    moved = marketer.get(reverse("admin:rewards_transfer_change", args=[transfer.pk]))
    assert "Exactly 18.9375, rounded down: 18 points." in text(moved)
    assert marketer.get(url("why", "refund", posted.id)).status_code == 404
