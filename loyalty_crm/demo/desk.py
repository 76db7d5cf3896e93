"""What the café's staff know of their guests, and have still to do for them."""

from datetime import datetime, timedelta
from random import Random

from api.enums import Scope
from api.models import ApiKey
from api.services.keys import create_key, digest
from loyalty_crm.demo.data import API_KEY
from loyalty_crm.demo.people import Guest
from members.events import PROFILE_CHANGED, record_many
from members.models import Member, User
from members.services.attributes import define_attribute
from members.services.households import share_household
from members.services.notes import add_note
from members.services.profile import update_profile
from members.services.tags import add_tag
from members.services.tasks import add_task, finish_task

# key, English, Chinese, kind, section, whether members fill it in, options (key, English, Chinese)
ATTRIBUTES = (
    (
        "milk", "Milk", "牛奶偏好", "choice", "preferences", True,
        (("whole", "Whole milk", "全脂牛奶"), ("oat", "Oat milk", "燕麦奶"), ("soy", "Soy milk", "豆奶"),
         ("none", "No milk", "不加奶")),
    ),
    (
        "topic", "Likes to read about", "感兴趣的内容", "choice", "preferences", True,
        (("beans", "Beans and roasting", "咖啡豆与烘焙"), ("cakes", "Cakes", "甜点"),
         ("events", "Evenings at the café", "店内活动")),
    ),
    ("allergies", "Allergies", "过敏原", "text", "preferences", True, ()),
    ("own_cup", "Brings an own cup", "自带杯", "boolean", "profile", False, ()),
    ("catering", "Guests at a catering", "外烩人数", "number", "profile", False, ()),
    ("barista_course", "Barista course on", "咖啡课日期", "date", "profile", False, ()),
)  # fmt: skip
ALLERGIES = ("Nuts", "Lactose", "花生", "Gluten")
TAGS = (("Window seat", 0.05), ("Press", 0.01), ("Neighbour", 0.12), ("Student", 0.1), ("Complained", 0.03))
NOTES = (
    "Always asks for the table by the window.",
    "Works from here on Tuesday mornings, needs a socket.",
    "喜欢和店员聊咖啡豆，新豆到了可以请他试喝。",
    "Was promised a free cake for the cold coffee in spring.",
    "Organises the book club on the first Thursday of the month.",
)
TASKS = (
    ("Call back about the catering", "Forty people, the office on the third floor. Oat milk!", -2),
    ("Send a sample of the Yunnan beans", "", 0),
    ("Ask whether the new grinder works", "Bought in the web shop.", 3),
    ("回电确认生日聚会的人数", "", 5),
    ("Invite to the cupping", "", None),
)
STREETS = ("Hafenstraße", "Lindenweg", "Marktgasse", "Schulstraße", "Am Kanal")


def define_what_to_ask() -> None:
    for position, (key, english, chinese, kind, section, own, options) in enumerate(ATTRIBUTES):
        define_attribute(
            key=key,
            label_en=english,
            label_zh_hans=chinese,
            kind=kind,  # type: ignore[arg-type]
            options=[{"key": name, "en": en, "zh-hans": zh} for name, en, zh in options],
            section=section,  # type: ignore[arg-type]
            member_may_edit=own,
            position=position,
        )


def know_guests(random: Random, guests: list[Guest]) -> None:
    """What guests said of themselves when they joined."""
    told = []
    for guest in guests:
        said: dict = {}
        for key, _english, _chinese, _kind, _section, _own, options in ATTRIBUTES:
            if options and random.random() < 0.55:
                said[key] = random.choice(options)[0]
        if random.random() < 0.08:
            said["allergies"] = random.choice(ALLERGIES)
        if random.random() < 0.3:
            said["own_cup"] = random.random() < 0.7
        if random.random() < 0.04:
            said["catering"] = random.choice((12, 20, 40))
        guest.member.attributes = said
        fields = [f"attributes.{key}" for key in sorted(said)]
        if random.random() < 0.4:
            guest.member.street = f"{random.choice(STREETS)} {random.randint(1, 90)}"
            guest.member.country = "CN" if guest.member.time_zone == "Asia/Shanghai" else "DE"
            fields += ["country", "street"]
        if fields:
            told.append((guest.member.pk, guest.first, {"fields": fields}))
    Member.objects.bulk_update([guest.member for guest in guests], ["attributes", "street", "country"])
    record_many(kind=PROFILE_CHANGED, events=told)


def work(random: Random, guests: list[Guest], at: datetime, staff: dict[str, User]) -> None:
    """Tags, notes, tasks and households of the last weeks. The two with an account have some of each."""
    marketer, manager = staff["Marketer"], staff["Manager"]
    anna, mei = guests[-2].member, guests[-1].member
    for name, share in TAGS:
        pinned = [guest.member.pk for guest in guests[:-2] if random.random() < share]
        add_tag(member_ids=pinned, name=name, at=_lately(random, at), actor_id=marketer.pk)
    add_tag(member_ids=[anna.pk, mei.pk], name=TAGS[0][0], at=_lately(random, at), actor_id=manager.pk)
    for text in NOTES:
        _note(random.choice(guests[:-2]).member, text, _lately(random, at), random.choice((marketer, manager)))
    _note(anna, "Allergic to nuts: ask before serving cake.", at - timedelta(days=40), manager, pinned=True)
    _note(anna, NOTES[4], at - timedelta(days=9), marketer)
    for member, task in zip((anna, mei, *(guest.member for guest in guests[:3])), TASKS, strict=True):
        _task(member, task, at, marketer)
    done = add_task(
        member_id=anna.pk, title="Say sorry for the wrong order", at=at - timedelta(days=20), actor_id=manager.pk
    )
    finish_task(task_id=done.pk, outcome="Laughed about it.", at=at - timedelta(days=19), actor_id=marketer.pk)
    update_profile(
        member_id=anna.pk,
        changes={
            "street": "Hafenstraße 31",
            "postal_code": "10243",
            "country": "DE",
            "attributes": {"milk": "oat", "topic": "beans", "allergies": "Nuts", "own_cup": True},
        },
        at=at - timedelta(days=60),
        actor_id=marketer.pk,
    )
    family = anna.name.split()[-1]
    share_household(
        member_id=anna.pk, with_member_id=guests[5].member.pk, at=at - timedelta(days=30), name=family,
        actor_id=marketer.pk,
    )  # fmt: skip


def make_till_key(manager: User) -> None:
    """A key that is printed beside the accounts: a real one could be shown only once."""
    scopes = [scope.value for scope in Scope]
    row, _key = create_key(name="Till, Old Town", source="till", scopes=scopes, actor_id=manager.pk)
    ApiKey.objects.filter(pk=row.pk).update(prefix=API_KEY[:8], digest=digest(API_KEY))


def _lately(random: Random, at: datetime) -> datetime:
    return at - timedelta(days=random.uniform(1, 60))


def _note(member: Member, text: str, at: datetime, by: User, *, pinned: bool = False) -> None:
    add_note(member_id=member.pk, text=text, pinned=pinned, at=at, actor_id=by.pk)


def _task(member: Member, task: tuple, at: datetime, by: User) -> None:
    title, details, days = task
    add_task(
        member_id=member.pk,
        title=title,
        details=details,
        due_on=None if days is None else at.date() + timedelta(days=days),
        assignee_id=by.pk if days is None or days < 3 else None,
        at=at - timedelta(days=4),
        actor_id=by.pk,
    )
