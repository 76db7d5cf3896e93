"""The catalogue at the desk: editing while others redeem, handing over, calling off."""

import io
from datetime import timedelta

import pytest
from django.contrib.auth.models import Group
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from PIL import Image

from members.models import Programme, User
from members.tests.factories import make_member
from rewards import queries
from rewards.models import Redemption, Reward, RewardPrice, RewardSession
from rewards.services.redemptions import redeem_reward, reserve_reward
from rewards.tests.factories import adjust, make_reward, make_tiers

pytestmark = pytest.mark.django_db
CHANGELIST = "admin:rewards_redemption_changelist"


@pytest.fixture
def desk(settings) -> Client:
    settings.REQUIRE_STAFF_MFA = False
    Programme.objects.create(pk=1, currency="EUR")
    user = User.objects.create_user("marketer@example.com", "a-Good-password-7", is_staff=True)
    user.groups.add(Group.objects.get(name="Marketer"))
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


@pytest.fixture
def now():
    return timezone.now()


def filled(answer) -> dict:
    """What the form on a page would send as it stands."""
    context = answer.context
    data = {}
    forms = [context["adminform"].form]
    for formset in (inline.formset for inline in context["inline_admin_formsets"]):
        forms += [formset.management_form, *formset.forms]
    for form in forms:
        for bound in form:
            value = bound.value()
            names = [(bound.html_name, value)]
            if bound.field.show_hidden_initial:
                names.append((bound.html_initial_name, value))
            for name, shown in names:
                widget = bound.field.widget
                if hasattr(widget, "decompress"):
                    parts = widget.decompress(shown)
                    data |= {f"{name}_{n}": part if part is not None else "" for n, part in enumerate(parts)}
                elif shown is True:
                    data[name] = "on"
                elif shown is not None and shown is not False:
                    data[name] = shown
    return data


def edit(client, reward, **values):
    url = reverse("admin:rewards_reward_change", args=[reward.pk])
    return client.post(url, {**filled(client.get(url)), **values})


def test_a_reward_is_made_with_its_picture_prices_and_dates(desk, now):
    tiers = make_tiers()
    data = filled(desk.get(reverse("admin:rewards_reward_add")))
    out = io.BytesIO()
    Image.new("RGB", (900, 600), "teal").save(out, "JPEG")
    out.seek(0)
    out.name = "cup.jpg"
    data |= {
        "name_en": "Tasting", "name_zh_hans": "品鉴会", "kind": "experience", "state": "live", "points": "250",
        "money_minor": "4.50", "unit_cost_minor": "2", "picture": out, "picture_alt_en": "A cup",
        "prices-TOTAL_FORMS": "1", "prices-0-tier": tiers["gold"].pk, "prices-0-points": "100",
        "sessions-TOTAL_FORMS": "1", "sessions-0-starts_at_0": "2031-05-01", "sessions-0-starts_at_1": "18:00",
        "sessions-0-capacity": "8", "sessions-0-place": "Harbour",
    }  # fmt: skip
    answer = desk.post(reverse("admin:rewards_reward_add"), data)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    reward = Reward.objects.get()
    assert (reward.money_minor, reward.unit_cost_minor, reward.name_zh_hans) == (450, 200, "品鉴会")
    assert reward.pictures.get().alt_en == "A cup"
    assert (RewardPrice.objects.get().points, RewardSession.objects.get().capacity) == (100, 8)
    page = desk.get(reverse("admin:rewards_reward_change", args=[reward.pk])).content.decode()
    assert "Experience for 250 points + €4.50." in page
    assert "Gold pays 100 points." in page


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "credit"}, "credit_minor"),
        ({"kind": "coupon"}, "offer"),
        ({"money_minor": "1.005"}, "money_minor"),
        ({"money_minor": "-1"}, "money_minor"),
        ({"points": "-5"}, "points"),
        ({"stock": "-1"}, "stock"),
        (
            {
                "visible_from_0": "2031-05-02", "visible_from_1": "00:00",
                "visible_until_0": "2031-05-01", "visible_until_1": "00:00",
            },
            "visible_until",
        ),
        ({"name_en": ""}, "name_en"),
    ],
)  # fmt: skip
def test_what_cannot_be_is_said_beside_its_field(desk, values, field):
    answer = edit(desk, make_reward(), **values)
    assert answer.status_code == 200
    assert list(answer.context["adminform"].form.errors) == [field]


def test_what_is_no_picture_is_said_so(desk):
    file = io.BytesIO(b"<svg/>")
    file.name = "x.png"
    answer = edit(desk, make_reward(), picture=file)
    assert "no JPEG, PNG or WebP" in str(answer.context["adminform"].form.errors["picture"])


def test_editing_a_reward_does_not_bring_back_what_was_redeemed_meanwhile(desk, now):
    member = make_member()
    reward = make_reward(points=0, stock=10)
    url = reverse("admin:rewards_reward_change", args=[reward.pk])
    opened = filled(desk.get(url))
    for n in range(3):
        redeem_reward(member_id=member.pk, reward_id=reward.pk, source="t", key=str(n), at=now)
    assert desk.post(url, {**opened, "name_en": "Better coffee"}).status_code == 302
    reward.refresh_from_db()
    assert (reward.name_en, reward.stock, reward.redeemed) == ("Better coffee", 7, 3)
    desk.post(url, {**opened, "stock": "15"})  # five more than the ten they saw
    reward.refresh_from_db()
    assert (reward.stock, reward.redeemed) == (12, 3)
    answer = desk.post(url, {**opened, "stock": "10", "initial-stock": "30"}, follow=True)
    assert "The stock stays: 12 are left" in answer.content.decode()
    edit(desk, reward, stock="")
    reward.refresh_from_db()
    assert reward.stock is None


def test_the_kind_of_what_was_redeemed_stays(desk, now):
    reward = make_reward(points=0)
    redeem_reward(member_id=make_member().pk, reward_id=reward.pk, source="t", key="k", at=now)
    edit(desk, reward, kind="tree")
    reward.refresh_from_db()
    assert reward.kind == "goods"


def test_places_are_not_fewer_than_are_taken(desk, now):
    reward = make_reward(points=0, kind="experience")
    session = RewardSession.objects.create(reward=reward, starts_at=now + timedelta(days=9), capacity=3)
    for n in range(2):
        member = make_member()
        reserve_reward(member_id=member.pk, reward_id=reward.pk, session_id=session.pk, source="t", key=str(n), at=now)
    answer = edit(desk, reward, **{"sessions-0-capacity": "1"})
    assert "2 places are taken already." in answer.content.decode()
    assert edit(desk, reward, **{"sessions-0-capacity": "2"}).status_code == 302
    session.refresh_from_db()
    assert (session.capacity, session.booked) == (2, 2)


def test_what_members_see_says_so_in_both_languages_and_for_one_of_them(desk, now):
    member = make_member()
    adjust(member, 60, now)
    reward = make_reward()
    url = reverse("admin:rewards_reward_preview", args=[reward.pk])
    page = desk.get(url).content.decode()
    assert "Free coffee" in page
    assert "免费咖啡" in page
    page = desk.get(url, {"member": member.card_number}).content.decode()
    assert "40 more points are needed." in page
    assert "Nobody is found" in desk.get(url, {"member": "nobody@example.com"}).content.decode()


def test_the_desk_sends_many_at_once_and_says_for_which_it_was_no_step(desk, now):
    member = make_member(name="Mei Lin", city="Hangzhou")
    parcel, cup = make_reward(points=0, ships=True), make_reward(points=0)
    ids = [
        redeem_reward(member_id=member.pk, reward_id=reward.pk, source="t", key=str(n), at=now).pk
        for n, reward in enumerate((parcel, parcel, cup))
    ]
    todo = desk.get(reverse("admin:rewards_redemption_todo"), follow=True).content.decode()
    assert "Mei Lin, Hangzhou" in todo
    page = desk.post(
        reverse(CHANGELIST), {"action": "mark_sent", "_selected_action": ids}, follow=True
    ).content.decode()
    assert "2 redemptions: On its way." in page
    assert "For 1 it is not the next step." in page
    assert list(Redemption.objects.order_by("pk").values_list("fulfilment", flat=True)) == [
        "shipped",
        "shipped",
        "to_collect",
    ]


def act(client, redemption, name, **values):
    return client.post(
        reverse(f"admin:rewards_redemption_{name}", args=[redemption.pk]), {"confirmed": "1", **values}, follow=True
    )


def test_acts_on_one_redemption_and_what_they_say_before(desk, now):
    member = make_member()
    adjust(member, 500, now)
    taken = reserve_reward(member_id=member.pk, reward_id=make_reward(ships=True).pk, source="t", key="k", at=now)
    asked = desk.post(reverse("admin:rewards_redemption_confirm", args=[taken.pk]), {}).content.decode()
    assert "100 points are spent." in asked
    taken.refresh_from_db()
    assert taken.state == "reserved"  # asked, not done
    act(desk, taken, "confirm")
    act(desk, taken, "send", carrier="DHL", tracking_number="T 1")
    taken.refresh_from_db()
    assert (taken.fulfilment, taken.tracking_number, taken.actor.email) == ("shipped", "T 1", "marketer@example.com")
    assert "Meanwhile its state is: Confirmed" in act(desk, taken, "cancel").content.decode()
    act(desk, taken, "refund", reason="Broken")
    taken.refresh_from_db()
    assert (taken.state, taken.note, queries.balance(member.pk, now)) == ("refunded", "Broken", 500)


def test_a_code_is_looked_at_and_handed_over_once(desk, now):
    done = redeem_reward(
        member_id=make_member(name="Mei Lin").pk, reward_id=make_reward(points=0).pk, source="t", key="k", at=now
    )
    url = reverse("admin:rewards_redemption_code")
    assert "Free coffee for Mei Lin." in desk.post(url, {"code": done.code}).content.decode()
    done.refresh_from_db()
    assert done.fulfilment == "to_collect"
    desk.post(url, {"code": done.code, "store": "Harbour", "confirmed": "1"})
    done.refresh_from_db()
    assert (done.fulfilment, done.store) == ("collected", "Harbour")
    assert "in Harbour" in desk.post(url, {"code": done.code}).content.decode()
    assert "There is no such code." in desk.post(url, {"code": "XXXX"}).content.decode()


def test_a_date_is_called_off_with_a_reason_after_saying_whom_it_touches(desk, now):
    member = make_member()
    adjust(member, 500, now)
    reward = make_reward(kind="experience")
    session = RewardSession.objects.create(reward=reward, starts_at=now + timedelta(days=9), capacity=3)
    redeem_reward(member_id=member.pk, reward_id=reward.pk, session_id=session.pk, source="t", key="k", at=now)
    url = reverse("admin:rewards_rewardsession_call_off", args=[session.pk])
    assert "1 member gets their points back." in desk.post(url, {"reason": "Storm"}).content.decode()
    assert (
        "1 member has their points back."
        in desk.post(url, {"reason": "Storm", "confirmed": "1"}, follow=True).content.decode()
    )
    assert queries.balance(member.pk, now) == 500


def test_the_member_page_says_what_they_took_and_could_have(desk, now):
    member = make_member()
    adjust(member, 150, now)
    redeem_reward(member_id=member.pk, reward_id=make_reward().pk, source="t", key="k", at=now)
    make_reward(name="Biscuit", points=50)
    page = desk.get(reverse("admin:members_member_change", args=[member.pk])).content.decode()
    assert "Could have now: Biscuit" in page
    assert "To be collected" in page


def test_the_lists_ask_no_more_for_twenty_than_for_one(desk, now, django_assert_max_num_queries):
    tiers = make_tiers()
    member = make_member()
    counts = []
    for n in range(2):
        for k in range(1 + 19 * n):
            reward = make_reward(points=0, name=f"R{n}{k}")
            reward.tiers.add(tiers["bronze"])
            RewardPrice.objects.create(reward=reward, tier=tiers["gold"], points=0)
            redeem_reward(member_id=member.pk, reward_id=reward.pk, source="t", key=f"{n}{k}", at=now)
        for page in ("rewards_reward", "rewards_redemption"):
            with django_assert_max_num_queries(60) as asked:
                desk.get(reverse(f"admin:{page}_changelist"))
            counts.append(len(asked))
    assert counts[2] <= counts[0] + 1
    assert counts[3] <= counts[1] + 1
