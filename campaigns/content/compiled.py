"""A template made ready: MJML compiled, styles put inline, the frame encoded, once; Liquid alone is left for each."""

import base64
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from html import escape
from io import BytesIO
from threading import Lock
from typing import Any

import mjml
import segno
from css_inline import CSSInliner
from django.conf import settings
from django.utils.timezone import now
from django.utils.translation import gettext, override
from liquid import BoundTemplate

from campaigns import merge
from campaigns.content import blocks, quoted
from campaigns.content.frame import PAD, WIDTH, Drawn, Page, draw, labelled
from campaigns.content.headers import header_lines
from campaigns.content.links import PLAIN, Linker, Measure
from campaigns.content.look import Look, look
from campaigns.enums import TemplateKind
from campaigns.models import Link, MailPicture, TemplateVersion

KEEP = 300  # seconds for which a compiled template serves: what it shows of the catalogue is at most that old
MOST_KEPT = 64
BOUNDARY = "=_mail"  # no line of quoted-printable or base64 holds it
_RELATED = "=_part"
_FONTS = "-apple-system,'Segoe UI',Roboto,'PingFang SC','Microsoft YaHei',sans-serif"
_inliner = CSSInliner(keep_style_tags=True, keep_at_rules=True, load_remote_stylesheets=False)


@dataclass(frozen=True, slots=True)
class Content:
    """A finished message. `images` are the PNG pictures that `html` names as "cid:…"."""

    subject: str
    preheader: str
    text: str
    html: str
    images: Mapping[str, bytes]


class Compiled:
    """A template in one language. `spaces` are the merge spaces that it asks for (`merge.values`); `links` is added by
    whoever sends: {"unsubscribe": address, "preferences": address}, needed where `kind` is marketing."""

    def __init__(
        self,
        content: Mapping[str, Any],
        language: str,
        kind: str,
        style: Look,
        at: datetime,
        links: Linker | None = None,
    ) -> None:
        self.kind = kind
        self.language = blocks.closest(blocks.complete_languages(content), language, style.programme.language)
        with override(self.language):
            page = Page(self.language, style, at, links or Linker())
            names = [block["picture"] for _path, block in blocks.walk(content["blocks"]) if block["type"] == "picture"]
            page.pictures = {one.name: one for one in MailPicture.objects.filter(name__in=names)} if names else {}
            drawn = draw(content["blocks"], page)
            subject = content["subject"].get(self.language, "")
            preheader = (content.get("preheader") or {}).get(self.language, "")
            html = _mail(drawn, content["blocks"], page, preheader, kind)
            text = page.tags.show(drawn.text + _foot(page, kind)).rstrip("\n") + "\n"
        self.codes = tuple(page.codes)
        self.links = frozenset(page.links.found)
        self._subject = merge.environment.from_string(subject)
        self._preheader = merge.environment.from_string(preheader)
        self._sms = merge.environment.from_string((content.get("sms") or {}).get(self.language, ""))
        self._html, self._text = quoted.HTML.from_string(html), quoted.TEXT.from_string(text)
        self._inapp = quoted.HTML.from_string(page.tags.show(drawn.inapp))
        self._quoted_html = quoted.QUOTED_HTML.from_string(html)
        self._quoted_text = quoted.QUOTED_TEXT.from_string(text)
        used = (self._subject, self._preheader, self._sms, self._html, self._text, self._inapp)
        self.spaces = frozenset(name for one in used for name in one.analyze().globals) - {"links"}
        self.spaces |= {"programme"}
        self.size = len(html.encode())

    def render(self, values: Mapping[str, Any]) -> Content:
        """The message for one. LiquidError where a text cannot be made for these values."""
        with override(self.language):
            said = merge.revived(values)
            return Content(
                self._line(self._subject, said),
                self._line(self._preheader, said),
                self._text.render(**said),
                self._html.render(**said),
                self._images(said),
            )

    def mime(self, values: Mapping[str, Any], headers: Mapping[str, str]) -> bytes:
        """The same as a whole mail by RFC 5322: CRLF, lines of at most 76 characters in the parts, none of which begins
        with a dot. `headers` may hold another Subject; ValueError where one holds a line break. LiquidError."""
        with override(self.language):
            said = merge.revived(values)
            subject = headers.get("Subject") or self._line(self._subject, said)
            head = header_lines({**headers, "Subject": subject})
            text, html, images = self._quoted_text.render(**said), self._quoted_html.render(**said), self._images(said)
        parts = [head, _HEAD, text, _MIDDLE, _related(html, images) if images else _HTML_HEAD + html, _END]
        return "".join(parts).replace("\n", "\r\n").encode("ascii")

    def inapp(self, values: Mapping[str, Any]) -> str:
        """The message as HTML for the portal: its classes, no styles, nothing from outside but as escaped text; its
        pictures and links of this site by path, for the pages may be open under another name of it."""
        with override(self.language):
            said = merge.revived(values)
            html = self._inapp.render(**said).replace(f'="{settings.SITE_URL}/', '="/')
            for name, png in self._images(said).items():
                html = html.replace(f"cid:{name}", "data:image/png;base64," + base64.b64encode(png).decode("ascii"))
        return f'<div class="letter">{html}</div>'

    def sms(self, values: Mapping[str, Any]) -> str:
        """The short text; empty where the template has none."""
        with override(self.language):
            return " ".join(self._sms.render(**merge.revived(values)).split())

    def subject(self, values: Mapping[str, Any]) -> str:
        """In the template's language, which must be the active one: to switch to it takes as long as to say it."""
        return self._line(self._subject, merge.revived(values))

    def _line(self, template: BoundTemplate, said: Mapping[str, Any]) -> str:
        return " ".join(template.render(**said).split())[:400]

    def _images(self, said: Mapping[str, Any]) -> dict[str, bytes]:
        return {space: code_picture(code) for space in self.codes if (code := said[space]["code"])}


_HTML_HEAD = 'Content-Type: text/html; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable\n\n'
_HEAD = (
    f'MIME-Version: 1.0\nContent-Type: multipart/alternative; boundary="{BOUNDARY}"\n\n'
    f'--{BOUNDARY}\nContent-Type: text/plain; charset="utf-8"\nContent-Transfer-Encoding: quoted-printable\n\n'
)
_MIDDLE = f"\n--{BOUNDARY}\n"
_END = f"\n--{BOUNDARY}--\n"


def _related(html: str, images: Mapping[str, bytes]) -> str:
    parts = [
        f'Content-Type: multipart/related; boundary="{_RELATED}"; type="text/html"\n\n',
        f"--{_RELATED}\n{_HTML_HEAD}{html}",
    ]
    for name, png in images.items():
        body = base64.encodebytes(png).decode("ascii")
        parts.append(
            f"\n--{_RELATED}\nContent-Type: image/png\nContent-Transfer-Encoding: base64\n"
            f'Content-ID: <{name}>\nContent-Disposition: inline; filename="{name}.png"\n\n{body}'
        )
    return "".join(parts) + f"\n--{_RELATED}--\n"


@lru_cache(maxsize=1024)
def code_picture(code: str) -> bytes:
    """A code as a QR picture, PNG."""
    out = BytesIO()
    segno.make(code.replace("-", ""), error="m", micro=False).save(out, kind="png", scale=6, border=2)
    return out.getvalue()


def _mail(drawn: Drawn, given: list[dict[str, Any]], page: Page, preheader: str, kind: str) -> str:
    """The whole HTML with its Liquid, shown again."""
    style, light = page.look, page.look.light
    radius = f"{style.brand.radius}px"
    top = "0" if given and given[0]["type"] == "banner" else "28px"
    line_height = "1.75" if page.language.startswith("zh") else "1.6"
    brand = style.brand
    if brand.logo:
        height = min(brand.logo_height, 48)
        width = round(brand.logo_width * height / max(brand.logo_height, 1))
        name = escape(style.programme.name, quote=True)
        head = (
            f'<mj-image src="{escape(style.logo_url)}" alt="{name}" width="{width}px" align="left"'
            f' padding="0 {PAD}px" />'
        )
    else:
        head = (
            f'<mj-text css-class="label" font-size="15px" font-weight="600" color="{light.quiet}"'
            f' padding="0 {PAD}px">{page.tags.hide(escape(style.programme.name))}</mj-text>'
        )
    source = f"""<mjml lang="{"zh-Hans" if page.language == "zh-hans" else page.language}"><mj-head>
<mj-title>{page.tags.hide(escape(style.programme.name))}</mj-title><mj-preview>{page.line(preheader)}</mj-preview>
<mj-breakpoint width="480px" />
<mj-raw><meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark"></mj-raw>
<mj-attributes><mj-all font-family="{_FONTS}" /><mj-section padding="0" />
<mj-text font-size="16px" line-height="{line_height}" color="{light.text}" padding="0 {PAD}px" /></mj-attributes>
<mj-style>{_css(page)}</mj-style></mj-head>
<mj-body background-color="{light.background}" css-class="page" width="{WIDTH}px">
<mj-section padding="28px 0 16px"><mj-column>{head}</mj-column></mj-section>
<mj-wrapper css-class="card" background-color="{light.surface}" border-radius="{radius}" padding="{top} 0 12px">
{drawn.mail}</mj-wrapper>
<mj-section padding="20px 0 36px"><mj-column>{_footer(page, kind)}</mj-column></mj-section>
</mj-body></mjml>"""
    # MJML's own rules for tables serve from the head: put into every cell they would double the mail.
    html = mjml.mjml2html(source, fonts={}).replace("<style", '<style data-css-inline="ignore"', 1)
    html = page.tags.show(_inliner.inline(html))
    return html.replace("</body>", page.links.end() + "</body>") + "\n"


def _css(page: Page) -> str:
    dark, light = page.look.dark, page.look.light
    return f"""
:root {{ color-scheme: light dark; supported-color-schemes: light dark; }}
p {{ margin: 0 0 16px; }} ul, ol {{ margin: 0 0 16px; padding: 0 0 0 22px; }} li {{ margin: 0 0 4px; }}
h1, h2, h3 {{ margin: 0; font-size: inherit; line-height: inherit; font-weight: inherit; }}
.words a {{ color: {light.accent}; }} .foot a {{ color: {light.quiet}; }}
.box-frame {{ margin: 0 0 20px; }} .card-row {{ margin: 0 0 16px; }}
@media (max-width: 479px) {{ .figure {{ font-size: 36px !important; }} .title div {{ font-size: 24px !important; }} }}
@media (prefers-color-scheme: dark) {{
body, .page {{ background: {dark.background} !important; }}
.card, .card > table {{ background: {dark.surface} !important; background-color: {dark.surface} !important; }}
.words div, .card-name, .words .words {{ color: {dark.text} !important; }}
.label div, .label, .words .label, .foot div, .foot a {{ color: {dark.quiet} !important; }}
.words a {{ color: {dark.accent} !important; }} .words a.card-name {{ color: {dark.text} !important; }}
.box {{ background: {dark.soft} !important; }}
.words .figure, .figure, .words .named, .named {{ color: {dark.accent} !important; }}
.button a, .button td {{ background: {dark.accent} !important; color: {dark.on_accent} !important; }}
.words a.survey-step {{ color: {dark.accent} !important; border-color: {dark.accent} !important; }}
.rule p {{ border-top-color: {dark.line} !important; }}
}}"""


def _because(page: Page, kind: str) -> str:
    name = {"programme": page.look.programme.name}
    if kind == TemplateKind.SERVICE:
        return gettext("You get this mail because it concerns your membership of %(programme)s.") % name
    return gettext("You get this mail because you are a member of %(programme)s and agreed to get it.") % name


def _footer(page: Page, kind: str) -> str:
    def part(body: str, padding: str = "0") -> str:
        colour = page.look.light.quiet
        more = f'font-size="13px" color="{colour}" padding="{padding} {PAD}px 0"'
        return f'<mj-text css-class="foot" {more}>{body}</mj-text>'

    style, hide = page.look, page.tags.hide
    parts = []
    if own := style.footer(page.language):
        parts.append(part(hide(escape(own).replace("\n", "<br>"))))
    if style.brand.social:
        links = " · ".join(
            f'<a href="{escape(one["url"], quote=True)}">{hide(escape(one["label"]))}</a>' for one in style.brand.social
        )
        parts.append(part(links, "8px"))
    last = hide(escape(_because(page, kind)))
    if kind != TemplateKind.SERVICE:
        leave, prefer = page.put("links.unsubscribe"), page.put("links.preferences")
        stop, choose = gettext("Unsubscribe"), gettext("Choose what you get")
        last += f' <a href="{leave}">{stop}</a> · <a href="{prefer}">{choose}</a>'
    parts.append(part(last, "8px"))
    lines = [escape(line) for line in (style.programme.name, *style.address)]
    if style.programme.contact_email:
        mail = escape(style.programme.contact_email, quote=True)
        lines.append(f'<a href="mailto:{mail}">{mail}</a>')
    parts.append(part(hide("<br>".join(lines)), "8px"))
    return "".join(parts)


def _foot(page: Page, kind: str) -> str:
    """The end of the plain text, behind the line that mail programs know."""
    style, hide = page.look, page.tags.hide
    lines = ["-- "]
    if own := style.footer(page.language):
        lines.append(hide(own))
    lines += [labelled(hide(one["label"]), hide(one["url"])) for one in style.brand.social]
    lines.append(hide(_because(page, kind)))
    if kind != TemplateKind.SERVICE:
        stop, choose = gettext("Unsubscribe"), gettext("Choose what you get")
        lines.append(labelled(stop, page.put("links.unsubscribe")))
        lines.append(labelled(choose, page.put("links.preferences")))
    lines += [hide(line) for line in (style.programme.name, *style.address)]
    if style.programme.contact_email:
        lines.append(hide(style.programme.contact_email))
    return "\n".join(lines) + "\n"


_kept: dict[tuple[int, str, str, Measure], tuple[float, Compiled]] = {}
_lock = Lock()


def compiled(version_id: int, language: str, measure: Measure = PLAIN) -> Compiled:
    """A version for who reads `language`, kept in this process for five minutes or until the brand changes. Two queries
    to see whether it still looks the same. What is measured needs `links.token` and `links.utm` among the values.
    TemplateVersion.DoesNotExist."""
    style = look()
    key, moment = (version_id, language, style.stamp, measure), time.monotonic()
    found = _kept.get(key)
    if found and found[0] > moment:
        return found[1]
    version = TemplateVersion.objects.select_related("template").get(pk=version_id)
    ids = dict(Link.objects.filter(version=version_id).values_list("url", "id")) if measure.clicks else {}
    made = Compiled(version.content, language, version.template.kind, style, now(), Linker(measure, ids))
    with _lock:
        while len(_kept) >= MOST_KEPT:
            _kept.pop(next(iter(_kept)))
        _kept[key] = (moment + KEEP, made)
    return made
