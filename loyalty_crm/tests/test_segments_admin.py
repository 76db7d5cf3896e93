"""The pages of segments, lists and personas without script: what they save, say and refuse."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils.translation import override

from loyalty_crm.roles import MARKETER
from members.models import AccessLog, MemberList, Persona, Programme, Segment, SegmentMember, SegmentPick, Tag
from members.segments.foresight import foresee
from members.segments.suggestions import suggestions
from members.services import summaries
from members.services.purchases import NewLine, record_purchases
from members.services.segments import refresh, save_segment
from members.tests.factories import make_member, new_purchase

AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
BERLIN = {"trait": "city", "op": "any_of", "value": ["Berlin"]}
NAMES = {"name_en": "Berliners", "name_zh_hans": "柏林会员", "refresh_minutes": "60"}


@pytest.fixture
def client(desk) -> Client:
    Programme.objects.create(pk=1)
    return desk(MARKETER)


@pytest.fixture
def people(db) -> list:
    return [make_member(name=f"Person {n}", city="Berlin" if n < 3 else "Wien") for n in range(5)]


def page(name: str, *args, model: str = "segment") -> str:
    return reverse(f"admin:members_{model}_{name}", args=args)


def saved(**values) -> Segment:
    made = save_segment(**{"names": {"en": "Berliners"}, "definition": BERLIN, "at": AT, **values})
    refresh(segment_id=made.pk, at=AT)
    made.refresh_from_db()
    return made


def text(response) -> str:
    return response.content.decode()


def test_a_segment_is_checked_and_saved_without_script(client, people):
    given = {**NAMES, "definition": json.dumps({"all": [BERLIN]})}
    checked = text(client.post(page("add") + "?blank", {**given, "check": "1"}))
    assert "3 members" in checked
    assert "Members whose city is" in checked
    assert not Segment.objects.exists()
    answer = client.post(page("add") + "?blank", {**given, "save": "1"})
    made = Segment.objects.get()
    assert answer.url == page("change", made.pk)
    assert (made.name_en, made.name_zh_hans, made.definition) == ("Berliners", "柏林会员", {"all": [BERLIN]})
    assert made.created_by.email == "marketer@example.com"


@pytest.mark.parametrize(
    ("definition", "said"),
    [
        ("{", "not readable as JSON"),
        ("[" * 100_000, "not readable as JSON"),
        ('{"all": [{"trait": "no.such", "op": "x"}]}', "no.such"),
        ("null", "condition"),
        ('{"all": [{"trait": "city", "op": "any_of", "value": ["\\u0000"]}]}', "cannot be stored"),
    ],
)
def test_what_cannot_be_a_segment_is_refused_in_words(client, definition, said):
    answer = client.post(page("add") + "?blank", {**NAMES, "definition": definition, "save": "1"})
    assert answer.status_code == 200
    assert said in text(answer)
    for asked in ("preview", "count"):
        body = f'{{"definition": {definition}}}'
        answer = client.post(page(asked), body, content_type="application/json").json()
        assert said in " ".join(problem["sentence"] for problem in answer["problems"])
    assert not Segment.objects.exists()


def test_names_are_taken_once_and_circles_refused(client, people):
    first = saved()
    again = client.post(page("add") + "?blank", {**NAMES, "definition": '{"all": []}', "save": "1"})
    assert "There is a segment of this name already." in text(again)
    asks = {"all": [{"trait": "segment", "op": "any_of", "value": [first.pk]}]}
    second = saved(names={"en": "Those of Berlin"}, definition=asks)
    circle = {"all": [{"trait": "segment", "op": "any_of", "value": [second.pk]}]}
    answer = client.post(page("edit", first.pk), {**NAMES, "definition": json.dumps(circle), "save": "1"})
    assert "A segment cannot ask for itself" in text(answer)
    assert "Those of Berlin" in text(client.get(page("change", first.pk)))  # used by


def test_the_server_says_what_saving_would_do_and_it_does_it(client, people):
    made = saved()
    wider = {"any": [BERLIN, {"trait": "name", "op": "contains", "value": "n 4"}]}
    narrow = {"all": [BERLIN, {"trait": "name", "op": "contains", "value": "n 1"}]}
    for definition in (wider, narrow, BERLIN):
        held = set(SegmentMember.objects.values_list("member", flat=True))
        expected = foresee(definition, segment_id=made.pk, at=AT)
        save_segment(segment_id=made.pk, names={"en": "Berliners"}, definition=definition, at=AT)
        done = refresh(segment_id=made.pk, at=AT)
        assert (expected.enter, expected.leave) == (done.entered, done.left)
        assert expected.stay == len(held) - done.left
    body = json.dumps({"definition": narrow, "segment": made.pk})
    answer = client.post(page("count"), body, content_type="application/json").json()
    assert answer["plan"] == ["Makes version 5 of this segment.", "0 members come in, 2 go out."]
    assert (answer["count"], answer["note"]) == ("1 member", "20% of 5 members")
    assert [one["name"] for one in answer["sample"]] == ["Person 1"]


def test_templates_copies_and_links_begin_a_segment(client, people):
    start = text(client.get(page("add")))
    assert "template=vip" in start
    begun = client.get(page("add") + "?template=new").context["form"]
    assert begun["name_en"].value() == "New members"
    assert "joined" in begun["definition"].value()
    made = saved()
    copy = client.get(page("add") + f"?copy={made.pk}").context["form"]
    assert (copy["name_en"].value(), json.loads(copy["definition"].value())) == ("Berliners (copy)", BERLIN)
    link = client.get(page("add"), {"definition": json.dumps(BERLIN)}).context["form"]
    assert json.loads(link["definition"].value()) == BERLIN
    for odd in ("?template=none", "?copy=999999", "?copy=x", "?definition={"):
        assert client.get(page("add") + odd).status_code in (200, 404)


def test_members_are_picked_by_keys_and_taken_back(client, people):
    made = saved()
    inside, outside = people[0], people[4]
    given = {"include": "yes", "keys": f"{outside.card_number}\nnobody@example.com"}
    answer = text(client.post(page("picks", made.pk), given))
    assert "nobody@example.com" in answer
    assert "1 was not found" in answer
    client.post(page("picks", made.pk), {"include": "no", "keys": inside.email})
    assert dict(SegmentPick.objects.values_list("member", "include")) == {outside.pk: True, inside.pk: False}
    refresh(segment_id=made.pk, at=AT)
    assert outside.pk in SegmentMember.objects.values_list("member", flat=True)
    why = text(client.get(page("why", made.pk) + f"?m={outside.pk}"))
    assert "Person 4 is in “Berliners”" in why
    assert "put in by hand" in why
    client.post(page("picks", made.pk), {"take_back": str(outside.pk)})
    assert list(SegmentPick.objects.values_list("member", flat=True)) == [inside.pk]
    assert "at least one member" in text(client.post(page("picks", made.pk), {"include": "yes"}))


def test_why_finds_people_and_says_what_it_cannot(client, people):
    made = saved()
    url = page("why", made.pk)
    assert "Which of them?" in text(client.get(url + "?q=Person"))
    said = text(client.get(url, {"q": people[4].card_number}))
    assert "Person 4 is not in “Berliners”" in said
    assert "Wien" in said
    assert AccessLog.objects.get(member=people[4]).what == "why in a segment"
    assert "No member was found" in text(client.get(url + "?q=Nobody"))
    assert client.get(url + "?m=99999999999999999999").status_code == 200
    tag = Tag.objects.create(name="gone")
    save_segment(
        segment_id=made.pk,
        names={"en": "Berliners"},
        definition={"trait": "tag", "op": "any_of", "value": [tag.pk]},
        at=AT,
    )
    tag.delete()
    assert "cannot be asked any more" in text(client.get(url + f"?m={people[0].pk}"))
    assert client.get(page("change", made.pk)).status_code == 200


def test_lists_come_from_any_spreadsheet_and_replace_themselves(client, people):
    rows = "卡号;姓名\r\n" + "".join(f'"{p.card_number_grouped}";"{p.name}"\r\n' for p in people[:3])
    for encoding in ("utf-8-sig", "utf-16", "gb18030"):
        file = SimpleUploadedFile("x.csv", rows.encode(encoding))
        answer = client.post(page("add", model="memberlist"), {"name": encoding, "file": file})
        assert list(answer.context["unknown"]) == ["卡号"]
        assert MemberList.objects.get(name=encoding).entries.count() == 3
    first = MemberList.objects.get(name="gb18030")
    client.post(page("change", first.pk, model="memberlist"), {"name": "Fair", "keys": people[4].email})
    first.refresh_from_db()
    assert (first.name, list(first.entries.values_list("member", flat=True))) == ("Fair", [people[4].pk])
    taken = client.post(page("add", model="memberlist"), {"name": "Fair", "keys": people[4].email})
    assert "There is a list of this name already." in text(taken)
    user = saved(names={"en": "At the fair"}, definition={"trait": "list", "op": "any_of", "value": [first.pk]})
    assert user.size == 1
    refused = client.post(page("remove", first.pk, model="memberlist"), {"confirmed": "1"})
    assert "At the fair" in text(refused)
    client.post(page("remove", MemberList.objects.get(name="utf-16").pk, model="memberlist"), {"confirmed": "1"})
    assert not MemberList.objects.filter(name="utf-16").exists()


def test_a_persona_keeps_its_segment_from_the_archive(client, people):
    made = saved()
    form = {"segment": made.pk, "position": 0, "who_en": "From here", "who_zh_hans": "本地人"}
    assert client.post(page("add", model="persona"), form).status_code == 302
    assert "From here" in text(client.get(page("changelist", model="persona")))
    assert "It is a persona" in text(client.post(page("archive", made.pk), {}))
    Persona.objects.all().delete()
    assert "will have none" in text(client.post(page("archive", made.pk), {}))
    client.post(page("archive", made.pk), {"confirmed": "1"})
    made.refresh_from_db()
    assert made.archived_at
    assert "is archived" in text(client.get(page("changelist")))
    assert "Berliners" not in text(client.get(page("changelist")))
    assert "Berliners" in text(client.get(page("changelist") + "?archived=yes"))
    assert client.get(page("edit", made.pk)).status_code == 302


def test_versions_tell_what_changed_in_both_languages(client, people):
    made = saved()
    other = {"all": [BERLIN, {"trait": "has_email", "op": "yes"}]}
    save_segment(segment_id=made.pk, names={"en": "Berliners"}, definition=other, at=AT + timedelta(days=1))
    shown = client.get(page("change", made.pk)).context
    newest, oldest = shown["versions"]
    assert (len(newest.added), newest.dropped) == (1, [])
    assert "e-mail" in newest.added[0]
    assert oldest.sentence
    with override("zh-hans"):
        assert [code for code, _said in shown["sentences"]] == ["en", "zh-hans"]
    assert shown["standing"].state == "stale"
    assert shown["standing"].waiting


def test_the_list_costs_the_same_for_one_segment_as_for_three(client, people):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(page("changelist")).status_code == 200
        return len(asked)

    first = saved()
    queries()
    with_one = queries()
    asks = {"trait": "segment", "op": "any_of", "value": [first.pk]}
    saved(names={"en": "Two"}, definition=asks)
    saved(names={"en": "Three"}, definition=asks)
    assert queries() == with_one


def test_members_page_by_page_without_gaps(client, db):
    people = [make_member(name=f"Person {n:02}", city="Berlin") for n in range(45)]
    made = saved()
    seen, url = [], page("change", made.pk)
    after = ""
    for _page in range(3):
        shown = client.get(url + (f"?after={after}" if after else "")).context
        seen += [row.member_id for row in shown["members"]]
        after = shown["after"]
    assert (sorted(seen), after) == (sorted(p.pk for p in people), "")
    assert [row.member.name for row in client.get(url + "?q=Person 07").context["members"]] == ["Person 07"]
    gone = people[7]
    listed = client.get(reverse("admin:members_member_changelist") + f"?segment={made.pk}")
    assert gone.name in text(
        client.get(reverse("admin:members_member_changelist") + f"?segment={made.pk}&q={gone.name}")
    )
    assert listed.context["cl"].result_count == 45
    export = reverse("admin:members_member_export") + f"?segment={made.pk}"
    assert export in text(client.get(url))
    assert "45" in text(client.get(export))


def test_suggestions_are_values_there_are_and_nothing_of_them_is_sql(people):
    lines = (NewLine(amount_minor=1000, sku="C1", name="Cappuccino", category="Coffee"),)
    record_purchases(purchases=[new_purchase(people[0], lines=lines, store="Old Town")])
    summaries.recompute()
    assert suggestions("purchase.count", "category", "off") == ["Coffee"]
    assert suggestions("purchase.count", "store", "") == ["Old Town"]
    assert suggestions("city", "", "ber") == ["Berlin"]
    for odd in ("%", "_", "'; DROP TABLE members_member; --", "\\", "\0"):
        assert suggestions("city", "", odd) in ([], ["Berlin", "Wien"])
    assert suggestions("city", "", "%") == []
    assert suggestions("email", "", "") == suggestions("purchase.count", "no", "") == suggestions("no", "", "") == []
