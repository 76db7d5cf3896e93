"""From blocks to mails: what is written goes out as it was written, to everybody, whatever their name is."""

import email
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid.exceptions import LiquidError

from campaigns import merge
from campaigns.content import blocks, colours, markup, sms
from campaigns.content.blocks import BadContent, Problem, closest
from campaigns.content.compiled import Compiled
from campaigns.content.look import Look
from campaigns.content.quoted import quoted
from campaigns.content.reading import parse
from campaigns.content.ready import READY
from campaigns.models import Brand
from campaigns.services.templates import example
from members.models import Programme

pytestmark = pytest.mark.django_db
AT = datetime(2026, 5, 12, 10, tzinfo=UTC)
HEADERS = {"From": "Corner Café <a@example.com>", "To": "b@example.com", "Message-ID": "<1@example.com>"}
SHOP = Look(Brand(), Programme(name="Corner & Café", postal_address="1 High St\nTown", contact_email="a@example.com"))
NAMES = [
    '<b>"Anna"</b> & Söhne',
    "李小龙 😀",
    "x" * 300,
    ".dot at the head\r\n.second",
    "= ?=20 {{ member.name }} qzl1zlq",
    "\u202eevil\u202c",
    "",
]


def words(english: str, chinese: str = "") -> dict[str, str]:
    return {"en": english, "zh-hans": chinese}


def content(*given: dict, subject: dict | None = None) -> dict:
    return parse({"subject": subject or words("Hello {{ member.name }}"), "blocks": list(given)})


def compiled(given: dict, language: str = "en", kind: str = "marketing") -> Compiled:
    return Compiled(given, language, kind, SHOP, AT)


def values(**member: str) -> dict:
    found = example()
    return {**found, "member": {**found["member"], **member}}


def parts(raw: bytes) -> EmailMessage:
    return email.message_from_bytes(raw, policy=policy.default)


def body(mail: EmailMessage, kind: str) -> str:
    return mail.get_body((kind,)).get_content().replace("\r\n", "\n")


def sentences(given: dict) -> list[str]:
    with pytest.raises(BadContent) as refused:
        parse(given)
    return [problem.sentence for problem in refused.value.problems]


@pytest.fixture
def everything() -> dict:
    both = words("Dear {{ member.name }}, **bold** [here](https://example.com/?a=1&b={{ member.card_number }})", "您好")
    return parse(
        {
            "subject": words("Für {{ member.name }}", "致{{ member.name }}"),
            "preheader": words("A gift", "礼物"),
            "sms": words("Hi", "您好"),
            "blocks": [
                {"type": "banner", "motif": words("★", "★"), "text": words("Hi", "您好"), "tone": "red"},
                {"type": "text", "text": both},
                {"type": "gift"},
                {"type": "points"},
                {"type": "rewards"},
                {"type": "coupon"},
                {"type": "divider"},
                {"type": "if", "field": "tier.next", "op": "filled", "blocks": [{"type": "heading", "text": both}]},
                {"type": "button", "label": words("Go", "去"), "to": "rewards"},
            ],
        }
    )


# --- The fast way gives what the plain way gives --------------------------------------------------------------------
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("language", blocks.LANGUAGES)
def test_a_mail_is_what_was_rendered(everything, name, language):
    made, said = compiled(everything, language), values(name=name)
    rendered, raw = made.render(said), made.mime(said, HEADERS)
    mail = parts(raw)
    plain = name.replace("\r\n", "\n")
    assert body(mail, "plain") == rendered.text.replace("\r\n", "\n")
    assert body(mail, "html") == rendered.html.replace("\r\n", "\n")
    assert mail["Subject"] == rendered.subject
    assert mail["From"] == HEADERS["From"]
    assert [one.get_content() for one in mail.walk() if one.get_content_type() == "image/png"] == list(
        rendered.images.values()
    )
    lines = raw.split(b"\r\n")
    assert b"\n" not in b"".join(lines)
    assert max(len(line) for line in lines) <= 76 or len(name) > 200  # a word of a header cannot be broken
    assert not any(line.startswith(b".") for line in lines)
    assert language != "en" or plain.split("\n")[0] in rendered.text


@given(st.text(max_size=300))
@settings(max_examples=200, deadline=None)
def test_quoted_text_comes_back_and_keeps_to_its_lines(text):
    import quopri

    said = quoted(text)
    wanted = text.replace("\r\n", "\n").replace("\r", "\n").encode("utf-8", "replace")
    assert quopri.decodestring(said.encode("ascii")) == wanted
    assert all(len(line) <= 76 and not line.startswith(".") for line in said.split("\n"))


def test_a_name_is_text_and_nothing_else(everything):
    made = compiled(everything)
    said = values(name="<script>alert(1)</script>")
    for page in (made.render(said).html, made.inapp(said)):
        assert "<script" not in page
        assert "&lt;script&gt;" in page
    with pytest.raises(ValueError, match="line break"):
        made.mime(said, {"To": "a@example.com\r\nBcc: all@example.com"})
    assert "\n" not in made.render(values(name="a\r\nBcc: b")).subject


def test_nothing_is_asked_from_outside(everything):
    html = compiled(everything).render(values()).html
    assert "googleapis" not in html
    assert "@import" not in html
    assert "<script" not in html
    assert "url(" not in html
    assert 'src="cid:coupon"' in html
    assert "prefers-color-scheme: dark" in html
    assert 'content="light dark"' in html


def test_marketing_always_shows_the_way_out_and_service_never_does(everything):
    said = {**values(), "links": {"unsubscribe": "https://x/u/1/", "preferences": "https://x/u/1/choices/"}}
    rendered = compiled(everything).render(said)
    for text in (rendered.html, rendered.text):
        assert "https://x/u/1/" in text
        assert "https://x/u/1/choices/" in text
        assert "Town" in text
    service = compiled(everything, kind="service").render(said)
    assert "https://x/u/1/" not in service.html + service.text


def test_values_that_were_kept_as_json_say_the_same(everything):
    import json

    made = compiled(everything)
    assert made.render(json.loads(json.dumps(values(), default=str))) == made.render(values())


def test_it_asks_for_what_it_says_and_no_more():
    made = compiled(content({"type": "text", "text": words("{{ points.balance }}")}))
    assert made.spaces == {"member", "points", "programme"}


def test_a_text_that_fails_for_one_fails_for_that_one():
    made = compiled(content({"type": "text", "text": words("{{ 100 | divided_by: member.years }}")}))
    broken = values()
    broken["member"]["years"] = 0
    with pytest.raises(LiquidError):
        made.mime(broken, HEADERS)
    assert b"50" in made.mime(values(), HEADERS)


# --- What is checked ------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("block", "sentence"),
    [
        ({"type": "text", "text": words("one\n{{ member.nam }}")}, "Block 1 (Text), English: Line 2: there is no"),
        ({"type": "text", "text": words("<b>x</b>")}, "HTML does not work here"),
        ({"type": "text", "text": words("[x](javascript:alert)")}, "leads nowhere"),
        ({"type": "text", "text": words("{% for a in b %}x{% endfor %}")}, "there is no tag “for” here"),
        ({"type": "text", "text": words('{% assign a = "xxxxxxxxxx" %}' + "{% assign a = a | append: a %}" * 60)},
         "without end"),
        ({"type": "text", "text": words("")}, "Please write something"),
        ({"type": "button", "label": words("Go"), "to": ""}, "Please say where it leads"),
        ({"type": "survey"}, "no such kind"),
        ({"type": "picture", "picture": "", "alt": words("")}, "Please upload a picture"),
        ({"type": "if", "field": "points.balance", "op": "more", "value": "x", "blocks": [{"type": "points"}]},
         "compare with a number"),
        ({"type": "if", "field": "points.balance", "op": "filled", "blocks": []}, "Put a block into it"),
        ("text", "no such kind"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_where_it_is(block, sentence):
    assert any(sentence in one for one in sentences({"subject": words("Hello"), "blocks": [block]}))


def test_too_deep_and_too_many_are_refused():
    nested: dict = {"type": "points"}
    for _ in range(4):
        nested = {"type": "if", "field": "points.balance", "op": "filled", "blocks": [nested]}
    assert "nested that deep" in sentences({"subject": words("x"), "blocks": [nested]})[0]
    many = [{"type": "divider"}] * 61
    assert "at most 60" in sentences({"subject": words("x"), "blocks": many})[0]


def test_a_language_is_complete_or_gives_way_to_the_other():
    half = content({"type": "text", "text": words("Hello")}, subject=words("Hi", "您好"))
    assert blocks.complete_languages(half) == ["en"]
    assert compiled(half, "zh-hans").language == "en"
    assert sentences({"subject": words("Hi"), "blocks": [{"type": "text", "text": words("", "您好")}]}) == [
        "No language is complete. Write the subject and every text in at least one of them."
    ]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("zh-hans-cn", "zh-hans"), ("zh", "zh-hans"), ("zh_CN", "zh-hans"), ("en-gb", "en"), ("de", "en")],
)
def test_the_closest_language_is_chosen(wanted, found):
    assert closest(["en", "zh-hans"], wanted, "en") == found


# --- Conditions leave no gaps ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("{% if x %}a{% endif %}\n\nb", "<p>b</p>"),
        ("{% if x %}a\n\nb{% endif %}\n\nc", "<p>c</p>"),
        ("a {% if x %}b{% endif %}", "<p>a </p>"),
        ("{% if x %}a{% else %}b{% endif %}", "<p>b</p>"),
        ("{% if x %}\n\na\n\n{% else %}\n\nb\n\n{% endif %}", "<p>b</p>"),
        ("- a\n{% if x %}- b{% endif %}\n- c", "<ul><li>a</li><li>c</li></ul>"),
        ("**a {% if x %}b** c{% endif %}", "<p>**a </p>"),
        ("1. a\n2. b", "<ol><li>a</li><li>b</li></ol>"),
    ],
)
def test_what_a_condition_leaves_out_leaves_no_gap(source, html):
    tags = markup.Tags()
    made = tags.show(markup.html(source, tags, str))
    assert merge.environment.from_string(made).render(x=False) == html


# --- Ready ones -----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize("key", READY)
def test_each_ready_one_is_whole_in_both_languages(key):
    given = parse(READY[key].content)
    assert blocks.complete_languages(given) == list(blocks.LANGUAGES)
    for language in blocks.LANGUAGES:
        made = compiled(given, language)
        said = example()
        rendered = made.render(said)
        assert rendered.subject
        assert rendered.preheader
        assert "{{" not in rendered.html + rendered.text
        assert sms.size(made.sms(said)).parts == 1
        assert made.inapp(said).count("<") == made.inapp(said).count(">")
        assert made.size < 40_000


def test_there_are_at_least_twenty():
    assert len(READY) >= 20


# --- Small rules ----------------------------------------------------------------------------------------------------
@pytest.mark.parametrize(
    ("text", "size"),
    [("a" * 160, ("GSM-7", 160, 1)), ("a" * 161, ("GSM-7", 161, 2)), ("€" * 80, ("GSM-7", 160, 1)),
     ("好" * 70, ("UCS-2", 70, 1)), ("好" * 71, ("UCS-2", 71, 2)), ("😀" * 35, ("UCS-2", 70, 1))],
)  # fmt: skip
def test_short_messages_are_counted_as_telephones_do(text, size):
    assert tuple(sms.size(text)) == size


def test_contrast_is_that_of_wcag():
    assert colours.contrast("#000000", "#ffffff") == pytest.approx(21)
    assert colours.contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
    night = colours.dark("#7c2f62", "#faf7f2", "#211a1e")
    for one, other in ((night.text, night.surface), (night.quiet, night.surface), (night.accent, night.soft),
                       (night.on_accent, night.accent)):  # fmt: skip
        assert colours.contrast(one, other) >= colours.LEAST


def test_a_problem_knows_its_place():
    with pytest.raises(BadContent) as refused:
        parse({"subject": words("x"), "blocks": [{"type": "text", "text": words("ok", "{{ bad")}]})
    (problem,) = refused.value.problems
    assert problem == Problem(("blocks", 0, "text"), "zh-hans", problem.sentence)
