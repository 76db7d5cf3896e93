"""What the brand serves to everybody: the stylesheet of the members' pages, and pictures of templates."""

import re

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.views.decorators.http import condition, require_safe

from campaigns.content.look import Look, get_brand, picture_path
from campaigns.models import Brand
from members.queries import get_programme

_NAME = re.compile(r"[0-9a-f]{32}\.(jpg|png)")
_TYPES = {"jpg": "image/jpeg", "png": "image/png"}


@require_safe
def mail_picture(request: HttpRequest, name: str) -> FileResponse:
    """A picture, for a year and more. Http404."""
    found = _NAME.fullmatch(name)
    if not found:
        raise Http404
    try:
        file = default_storage.open(f"mail/{name}")
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(file, content_type=_TYPES[found[1]], headers=headers)


def _stamp(request: HttpRequest) -> str:
    changed = Brand.objects.filter(pk=1).values_list("changed_at", flat=True).first()
    return f'"{changed.timestamp() if changed else 0}"'


@require_safe
@condition(etag_func=_stamp)
def brand_styles(request: HttpRequest) -> HttpResponse:
    """The brand's colours, radius and logo as the tokens of the portal's stylesheet; nothing where nobody chose any.
    Asked anew after a minute, so that a change is seen soon without a query on every page."""
    brand = get_brand()
    css = styles(Look(brand, get_programme())) if brand.changed_at else ""
    return HttpResponse(css, content_type="text/css; charset=utf-8", headers={"Cache-Control": "public, max-age=60"})


def styles(look: Look) -> str:
    """Custom properties that stand for the portal's own; docs/templates.md has the table."""
    light, dark, radius = look.light, look.dark, look.brand.radius
    tokens = {
        "bg": f"light-dark({light.background}, {dark.background})",
        "surface": f"light-dark({light.surface}, {dark.surface})",
        "text": f"light-dark({light.text}, {dark.text})",
        "text-quiet": f"light-dark({light.quiet}, {dark.quiet})",
        "line": f"light-dark({light.line}, {dark.line})",
        "accent": f"light-dark({light.accent}, {dark.accent})",
        "accent-strong": f"light-dark({light.strong}, {dark.strong})",
        "accent-soft": f"light-dark({light.soft}, {dark.soft})",
        "on-accent": f"light-dark({light.on_accent}, {dark.on_accent})",
        **look.hero,
        "radius": f"{radius}px",
        "radius-small": f"{round(radius * 0.625)}px",
    }
    rules = "".join(f"  --{name}: {value};\n" for name, value in tokens.items())
    css = f"@layer base {{\n:root {{\n{rules}}}\n}}\n"
    if look.brand.logo:
        width = round(look.brand.logo_width * 32 / max(look.brand.logo_height, 1))
        css += (
            "@layer components {\n.brand svg { display: none; }\n.brand::before { content: ''; flex: none;"
            f" inline-size: {min(width, 160)}px; block-size: 32px;"
            f" background: url('{picture_path(look.brand.logo)}') left center / contain no-repeat; }}\n}}\n"
        )
    return css
