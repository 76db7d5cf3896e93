"""Drawing: from blocks to MJML, to plain text and to the portal's HTML, with Liquid hidden in all three."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from typing import Any

from django.utils.translation import gettext, pgettext

from campaigns import merge
from campaigns.content import markup, sources
from campaigns.content.links import Linker
from campaigns.content.look import Look, picture_url
from campaigns.content.markup import Tags
from campaigns.models import MailPicture

WIDTH, PAD = 560, 32
# Ground and ink of a banner; all of them reach 7:1, so they stay as they are at night.
TONES = {
    "red": ("#a3161d", "#ffe9b8"),
    "gold": ("#f3c64b", "#3b2503"),
    "green": ("#17583d", "#ffffff"),
    "blue": ("#1b4a80", "#ffffff"),
    "rose": ("#f9d5df", "#5b1231"),
    "night": ("#1d2143", "#fbe7b2"),
}


@dataclass(slots=True)
class Page:
    """What drawings need to know, and share."""

    language: str
    look: Look
    at: datetime
    links: Linker = field(default_factory=Linker)
    tags: Tags = field(default_factory=Tags)
    pictures: dict[str, MailPicture] = field(default_factory=dict)
    codes: list[str] = field(default_factory=list)  # the spaces whose code is shown as QR
    gap: int = 0  # pixels above what comes next

    def address(self, link: str) -> str:
        return self.links.link(link)

    def href(self, link: str) -> str:
        return escape(self.tags.hide(self.address(link)), quote=True)

    def html(self, source: str, style: str = "") -> str:
        return markup.html(source, self.tags, self.address, style)

    def plain(self, source: str) -> str:
        return markup.plain(source, self.tags, self.address)

    def line(self, source: str) -> str:
        """One line for HTML."""
        return markup.line(source, self.tags)

    def bare(self, source: str) -> str:
        """One line for plain text."""
        return " ".join(self.tags.hide(source).split())

    def put(self, expression: str) -> str:
        """A field's place, e.g. put("points.balance")."""
        return self.tags.keep("{{ " + expression + " }}")

    def when(self, condition: str, body: str) -> str:
        return self.tags.keep("{% if " + condition + " %}") + body + self.tags.keep("{% endif %}")

    def each(self, name: str, path: str, body: str) -> str:
        return self.tags.keep("{% for " + name + " in " + path + " %}") + body + self.tags.keep("{% endfor %}")


@dataclass(frozen=True, slots=True)
class Drawn:
    """A block in the three ways. `mail` is MJML that stands in a column, or with `is_section` in the body."""

    mail: str = ""
    text: str = ""
    inapp: str = ""
    is_section: bool = False


_SECTIONS = ("banner", "if", "snippet")
Drawing = Callable[[Mapping[str, Any], Page], Drawn]
_drawings: dict[str, Drawing] = {}


def register_drawing(kind: str) -> Callable[[Drawing], Drawing]:
    """Decorates what draws a kind of block."""

    def register(drawing: Drawing) -> Drawing:
        _drawings[kind] = drawing
        return drawing

    return register


def draw(blocks: list[dict[str, Any]], page: Page) -> Drawn:
    """Blocks one after the other: MJML of whole sections."""
    mail: list[str] = []
    column: list[str] = []
    text: list[str] = []
    inapp: list[str] = []

    def close() -> None:
        if column:
            above = f' padding="{page.gap}px 0 0"' if page.gap else ""
            mail.append(f"<mj-section{above}><mj-column>" + "".join(column) + "</mj-column></mj-section>")
            column.clear()
            page.gap = 0

    for block in blocks:
        if block["type"] in _SECTIONS:
            close()
        drawn = _drawings[block["type"]](block, page)
        if drawn.is_section:
            mail.append(drawn.mail)
        else:
            column.append(drawn.mail)
        text.append(drawn.text)
        inapp.append(drawn.inapp)
    close()
    return Drawn("".join(mail), "".join(text), "".join(inapp), is_section=True)


def words_of(block: Mapping[str, Any], name: str, page: Page) -> str:
    return (block.get(name) or {}).get(page.language, "")


def labelled(label: str, text: str) -> str:
    """A line of plain text, with the colon of its language."""
    return gettext("%(label)s: %(text)s") % {"label": label, "text": text}


def mail_text(body: str, css: str = "words", **attributes: str) -> str:
    more = "".join(f' {name.replace("_", "-")}="{value}"' for name, value in attributes.items())
    return f'<mj-text css-class="{css}"{more}>{body}</mj-text>'


@register_drawing("heading")
def _heading(block: Mapping[str, Any], page: Page) -> Drawn:
    words, size = words_of(block, "text", page), block["size"]
    pixels = {"l": "30px", "m": "24px", "s": "18px"}[size]
    tag = {"l": "h1", "m": "h2", "s": "h3"}[size]
    return Drawn(
        mail_text(f"<{tag}>{page.line(words)}</{tag}>", font_size=pixels, line_height="1.3", font_weight="700",
              padding=f"8px {PAD}px 12px"),
        page.bare(words) + "\n\n",
        f"<{tag}>{page.line(words)}</{tag}>",
    )  # fmt: skip


@register_drawing("text")
def _paragraphs(block: Mapping[str, Any], page: Page) -> Drawn:
    words = words_of(block, "text", page)
    return Drawn(mail_text(page.html(words)), page.plain(words), page.html(words))


@register_drawing("button")
def _button(block: Mapping[str, Any], page: Page) -> Drawn:
    label, href, light = words_of(block, "label", page), page.href(block["to"]), page.look.light
    return Drawn(
        f'<mj-button css-class="button" href="{href}" background-color="{light.accent}" color="{light.on_accent}"'
        f' font-size="16px" font-weight="600" border-radius="{min(page.look.brand.radius, 14)}px"'
        f' inner-padding="14px 26px" align="left" padding="8px {PAD}px 24px">{page.line(label)}</mj-button>',
        labelled(page.bare(label), page.tags.hide(page.address(block["to"]))) + "\n\n",
        f'<p><a class="button" href="{href}">{page.line(label)}</a></p>',
    )


@register_drawing("banner")
def _banner(block: Mapping[str, Any], page: Page) -> Drawn:
    light = page.look.light
    ground, ink = TONES.get(block["tone"], (light.accent, light.on_accent))
    motif, words = words_of(block, "motif", page), words_of(block, "text", page)
    sign = mail_text(page.line(motif), "sign", align="center", font_size="56px", line_height="1.2", color=ink,
                 padding="0 24px 8px") if motif else ""  # fmt: skip
    title = mail_text(f"<h1>{page.line(words)}</h1>", "title", align="center", font_size="28px", line_height="1.3",
                  font_weight="700", color=ink, padding="0 24px") if words else ""  # fmt: skip
    mail = (
        f'<mj-section css-class="banner" background-color="{ground}" padding="36px 0"><mj-column>{sign}{title}'
        "</mj-column></mj-section>"
    )
    page.gap = 28
    sign = f'<span class="letter-sign" aria-hidden="true">{page.line(motif)}</span>' if motif else ""
    inapp = f'<header class="letter-banner letter-{block["tone"]}">{sign}<h1>{page.line(words)}</h1></header>'
    return Drawn(mail, f"{page.bare(words)}\n\n" if words else "", inapp, is_section=True)


@register_drawing("picture")
def _picture(block: Mapping[str, Any], page: Page) -> Drawn:
    known = page.pictures.get(block["picture"])
    alt, url = page.line(words_of(block, "alt", page)), escape(picture_url(block["picture"]), quote=True)
    link = f' href="{page.href(block["to"])}"' if block["to"] else ""
    size = f' width="{known.width}" height="{known.height}"' if known else ""
    image = f'<img src="{url}" alt="{alt}"{size} loading="lazy">'
    return Drawn(
        f'<mj-image src="{url}" alt="{alt}"{link} width="{min(known.width if known else 9999, WIDTH - 2 * PAD)}px"'
        f' border-radius="{min(page.look.brand.radius, 12)}px" padding="8px {PAD}px 16px" />',
        f"[{page.bare(words_of(block, 'alt', page))}]\n\n",
        f"<p><a{link}>{image}</a></p>" if link else f"<p>{image}</p>",
    )


def box(page: Page, body: str) -> str:
    """A box with a soft ground, in a column."""
    light = page.look.light
    return (
        '<table class="box-frame" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">'
        f'<tr><td class="box" align="center" bgcolor="{light.soft}" style="background:{light.soft};'
        f'border-radius:{min(page.look.brand.radius, 14)}px;padding:20px 16px">{body}</td></tr></table>'
    )


def _figure(page: Page, label: str, figure: str, below: str = "") -> str:
    light = page.look.light
    return (
        f'<div class="label" style="font-size:14px;color:{light.quiet}">{label}</div>'
        f'<div class="figure" style="font-size:44px;line-height:1.25;font-weight:700;color:{light.accent}">{figure}'
        "</div>" + (f'<div class="label" style="font-size:14px;color:{light.quiet}">{below}</div>' if below else "")
    )


@register_drawing("points")
def _points(block: Mapping[str, Any], page: Page) -> Drawn:
    label = words_of(block, "label", page) or gettext("Your points")
    balance = page.put("points.balance")
    return Drawn(
        mail_text(box(page, _figure(page, page.line(label), balance))),
        labelled(page.bare(label), balance) + "\n\n",
        f'<div class="letter-box"><p>{page.line(label)}</p><p class="letter-figure">{balance}</p></div>',
    )


@register_drawing("gift")
def _gift(block: Mapping[str, Any], page: Page) -> Drawn:
    label = words_of(block, "label", page) or gettext("Your gift")
    points = gettext("%(points)s points") % {"points": page.put("gift.points")}
    until = gettext("to spend until %(day)s") % {"day": page.put("gift.expires_on")}
    below = page.tags.keep("{% if gift.expires_on != '' %}") + until + page.tags.keep("{% else %}")
    below += gettext("yours to keep") + page.tags.keep("{% endif %}")
    both = gettext("%(points)s, %(until)s") % {"points": points, "until": below}
    there = "gift.points > 0"
    return Drawn(
        mail_text(page.when(there, box(page, _figure(page, page.line(label), points, below)))),
        page.when(there, labelled(page.bare(label), both) + "\n\n"),
        page.when(
            there,
            f'<div class="letter-box"><p>{page.line(label)}</p><p class="letter-figure">{points}</p>'
            f"<p>{below}</p></div>",
        ),
    )


@register_drawing("rewards")
def _rewards(block: Mapping[str, Any], page: Page) -> Drawn:
    if block["which"] == "chosen":
        chosen = sources.chosen_cards(block["rewards"])
        cards = [sources.Card(*map(escape, card))._replace(url=page.href(card.url)) for card in chosen]
        mail = "".join(_card(card, page, page.tags.hide) for card in cards)
        plain = "".join(f"- {labelled(card.name, card.price)}\n" for card in chosen)
        inapp = "".join(_card_inapp(card) for card in cards)
        return Drawn(
            mail_text(mail), page.tags.hide(plain) + "\n" if plain else "", f'<ul class="letter-cards">{inapp}</ul>'
        )
    path, card = "cards_affordable.all", sources.Card(*(page.put(f"card.{name}") for name in sources.Card._fields))
    card = card._replace(url=escape(page.tags.hide(page.links.card()), quote=True))
    there = f"{path}.size > 0"
    picture = page.when("card.picture != ''", _thumb(card.picture))
    return Drawn(
        mail_text(page.each("card", path, _card(card, page, picture=picture))),
        page.when(there, page.each("card", path, f"- {labelled(card.name, card.price)}\n") + "\n"),
        page.when(there, f'<ul class="letter-cards">{page.each("card", path, _card_inapp(card, picture))}</ul>'),
    )


_THUMB = ' style="border-radius:8px;object-fit:cover;display:block;margin:0 14px 0 0"'


def _thumb(url: str) -> str:
    return f'<img src="{url}" alt="" width="64" height="64"{_THUMB}>'


def _card(
    card: sources.Card, page: Page, hide: Callable[[str], str] = lambda text: text, picture: str | None = None
) -> str:
    light = page.look.light
    shown = picture if picture is not None else (_thumb(card.picture) if card.picture else "")
    cell = f'<td valign="middle">{shown}</td>' if shown else ""
    return (
        '<table class="card-row" role="presentation" width="100%" cellpadding="0" cellspacing="0" border="0">'
        f'<tr>{cell}<td width="100%" valign="middle"><a class="card-name" href="{card.url}"'
        f' style="color:{light.text};font-weight:600;text-decoration:none">{hide(card.name)}</a><br>'
        f'<span class="label" style="font-size:14px;color:{light.quiet}">{card.price}</span></td></tr></table>'
    )


def _card_inapp(card: sources.Card, picture: str | None = None) -> str:
    shown = f'<img src="{card.picture}" alt="" width="64" height="64" loading="lazy">' if card.picture else ""
    if picture is not None:
        shown = picture.replace(_THUMB, "")
    return f'<li>{shown}<span><a href="{card.url}">{card.name}</a><small>{card.price}</small></span></li>'


@register_drawing("coupon")
def _coupon(block: Mapping[str, Any], page: Page) -> Drawn:
    space = f"offer_{block['offer']}" if block["offer"] else "coupon"
    if space not in page.codes:
        page.codes.append(space)
    label = words_of(block, "label", page) or gettext("Your coupon")
    name, code, day = (page.put(f"{space}.{part}") for part in ("name", "code", "expires_on"))
    until = page.when(f"{space}.expires_on != ''", gettext("valid until %(day)s") % {"day": day})
    there, light = f"{space}.code != ''", page.look.light
    alt, code_word = escape(gettext("QR code of the coupon")), pgettext("coupon", "Code")
    body = (
        f'<div class="label" style="font-size:14px;color:{light.quiet}">{page.line(label)}</div>'
        f'<div class="named" style="font-size:22px;line-height:1.4;font-weight:700;color:{light.accent}">{name}</div>'
        f'<div style="padding:12px 0"><img class="code" src="cid:{space}"'
        f' alt="{alt}"'
        ' width="148" height="148" style="background:#ffffff;padding:10px;border-radius:8px"></div>'
        f'<div class="words" style="font-family:ui-monospace,Menlo,Consolas,monospace;font-size:20px;'
        f'color:{light.text}">'
        f'{code}</div><div class="label" style="font-size:14px;color:{light.quiet}">{until}</div>'
    )
    plain = f"{labelled(page.bare(label), name)}\n{labelled(code_word, code)}\n{until}\n\n"
    inapp = (
        f'<div class="letter-box"><p>{page.line(label)}</p><p class="letter-figure">{name}</p>'
        f'<p><img class="letter-code" src="cid:{space}" alt="{alt}"'
        f' width="148" height="148"></p><p><code>{code}</code></p><p>{until}</p></div>'
    )
    return Drawn(mail_text(page.when(there, box(page, body))), page.when(there, plain), page.when(there, inapp))


@register_drawing("divider")
def _divider(block: Mapping[str, Any], page: Page) -> Drawn:
    line = f'<mj-divider css-class="rule" border-width="1px" border-color="{page.look.light.line}"'
    return Drawn(f'{line} padding="12px {PAD}px 24px" />', "----\n\n", "<hr>")


@register_drawing("spacer")
def _spacer(block: Mapping[str, Any], page: Page) -> Drawn:
    return Drawn(f'<mj-spacer height="{ {"s": 8, "m": 20, "l": 40}[block["size"]] }px" />')


@register_drawing("if")
def _condition(block: Mapping[str, Any], page: Page) -> Drawn:
    inner = draw(block["blocks"], page)
    begin, end = page.tags.keep("{% if " + condition(block) + " %}"), page.tags.keep("{% endif %}")
    mail = f"<mj-raw>{begin}</mj-raw>{inner.mail}<mj-raw>{end}</mj-raw>"
    return Drawn(mail, begin + inner.text + end, begin + inner.inapp + end, is_section=True)


@register_drawing("snippet")
def _snippet(block: Mapping[str, Any], page: Page) -> Drawn:
    return draw(block["blocks"], page)


def condition(block: Mapping[str, Any]) -> str:
    """A comparison as Liquid says it. Fields that were never filled in are no text and no number: they are empty."""
    name, value = block["field"], block["value"]
    is_number = isinstance(merge.fields()[name].sample, int) if name in merge.fields() else False
    mark = "'" if '"' in value else '"'
    literal = value if is_number and _is_number(value) else f"{mark}{value}{mark}"
    if name in merge.fields() and isinstance(merge.fields()[name].sample, bool):
        literal = "true" if value.lower() in ("true", "yes", "1", "是") else "false"
    zero = " and {0} != 0" if is_number else ""
    said = f'{name} and {name} != ""' + zero.format(name)
    return {
        "filled": said,
        "empty": f'{name} == nil or {name} == ""' + (f" or {name} == 0" if is_number else ""),
        "is": f"{name} == {literal}",
        "is_not": f"{name} != {literal}",
        "more": f"{name} and {name} > {value or 0}",
        "less": f"{name} and {name} < {value or 0}",
    }[block["op"]]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii()
