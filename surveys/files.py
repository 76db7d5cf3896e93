"""Files that people sent, given out again to who may see them: pictures in the page, anything else to be saved."""

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404

_SHOWN = {"jpg": "image/jpeg", "png": "image/png"}


def given_out(file: FieldFile, name: str = "") -> FileResponse:
    """`name` is what it is saved under. Http404."""
    if not file:
        raise Http404
    try:
        data = file.open()
    except FileNotFoundError as error:
        raise Http404 from error
    shown = _SHOWN.get(str(file.name).rpartition(".")[2])
    reply = FileResponse(data, as_attachment=not shown, filename=name, content_type=shown or "application/octet-stream")
    reply["Cache-Control"] = "private, max-age=3600"
    reply["X-Content-Type-Options"] = "nosniff"
    reply["Content-Security-Policy"] = "default-src 'none'; sandbox"
    return reply
