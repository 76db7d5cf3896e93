"""Pictures of rewards, for whoever knows the name: names are drawn at random and never used again."""

import re

from django.core.files.storage import default_storage
from django.http import FileResponse, Http404, HttpRequest
from django.views.decorators.http import require_safe

from rewards.services.pictures import open_for_mail

_NAME = re.compile(r"[0-9a-zA-Z_-]+(?:\.webp|-m\.jpg)")


@require_safe
def picture(request: HttpRequest, name: str) -> FileResponse:
    """A picture, for a year and more. Http404."""
    if not _NAME.fullmatch(name):
        raise Http404
    try:
        mail = name.endswith("-m.jpg")
        file = open_for_mail(f"rewards/{name}") if mail else default_storage.open(f"rewards/{name}")
    except FileNotFoundError as error:
        raise Http404 from error
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "X-Content-Type-Options": "nosniff"}
    return FileResponse(file, content_type="image/jpeg" if mail else "image/webp", headers=headers)
