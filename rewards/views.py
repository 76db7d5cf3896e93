"""Pictures of rewards, for whoever knows the name: names are drawn at random and never used again."""

import re

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

_NAME = re.compile(r"[0-9a-zA-Z_-]+\.webp")


@require_safe
def picture(request: HttpRequest, name: str) -> FileResponse:
    """A picture, for a year and more. Http404."""
    if not _NAME.fullmatch(name):
        raise Http404
    try:
        file = default_storage.open(f"rewards/{name}")
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(file, content_type="image/webp", headers=headers)
