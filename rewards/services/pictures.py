"""Pictures of rewards: what people upload is checked, turned the right way, made small in two sizes, and written anew
as WebP, and as JPEG for mail programs that know no WebP (Outlook). Nothing of the file that came is kept: neither where
it was taken nor what hides behind the picture."""

import io
import warnings
from typing import IO, Any
from uuid import uuid4

from django.core.files.base import ContentFile, File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import Max
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageOps, UnidentifiedImageError

from rewards.models import Reward, RewardPicture

SMALL, LARGE = 480, 1280  # pixels of the longer side
MOST_BYTES = 12 * 1024 * 1024
MOST_PIXELS = 50_000_000
FEWEST = 80  # pixels of the shorter side
FORMATS = ("JPEG", "PNG", "WEBP")
QUALITY = 80


class PictureRefused(Exception):
    """No picture that can be shown; `args[0]` is a sentence that says why."""


@transaction.atomic
def add_picture(*, reward_id: int, file: IO[bytes], alts: dict[str, str] | None = None) -> RewardPicture:
    """Puts a picture behind those that a reward has; `alts` says what it shows, by language. PictureRefused;
    Reward.DoesNotExist. Where the transaction is rolled back, the new files stay, in nobody's way."""
    reward = Reward.objects.get(pk=reward_id)
    small, large, (width, height) = encode(file)
    last = RewardPicture.objects.filter(reward=reward).aggregate(n=Max("position"))["n"]
    values: dict[str, Any] = {f"alt_{code.replace('-', '_')}": text[:120] for code, text in (alts or {}).items()}
    picture = RewardPicture(
        reward=reward, width=width, height=height, position=0 if last is None else last + 1, **values
    )
    name = uuid4().hex
    picture.small.save(f"{name}-s.webp", ContentFile(small), save=False)
    picture.large.save(f"{name}-l.webp", ContentFile(large), save=False)
    default_storage.save(mail_name(picture.small.name), ContentFile(_flat(small)))
    picture.save()
    return picture


@transaction.atomic
def remove_picture(*, picture_id: int) -> None:
    """Takes a picture and its files away. Nothing where it is gone already."""
    picture = RewardPicture.objects.filter(pk=picture_id).first()
    if picture is None:
        return
    names = [str(picture.small.name), str(picture.large.name), mail_name(picture.small.name)]
    picture.delete()
    for name in names:
        transaction.on_commit(lambda name=name: default_storage.delete(name))  # type: ignore[misc]


def mail_name(small: str | None) -> str:
    """The file for mails, or its address, beside the small one of a picture."""
    return (small or "").removesuffix("-s.webp") + "-m.jpg"


def open_for_mail(name: str) -> File:
    """The file for mails by its name. Pictures of before there was one get theirs at the first look, and keep it.
    FileNotFoundError where there is no such picture."""
    if not default_storage.exists(name):
        with default_storage.open(name.removesuffix("-m.jpg") + "-s.webp") as small:
            made = default_storage.save(name, ContentFile(_flat(small.read())))
        if made != name:  # somebody else was as quick
            default_storage.delete(made)
    return default_storage.open(name)


def _flat(data: bytes) -> bytes:
    """A picture of ours as JPEG, on white where one can see through it."""
    with Image.open(io.BytesIO(data)) as picture:
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(picture, mask=picture if picture.mode == "RGBA" else None)
    return _written(ground, SMALL, "JPEG")[0]


def encode(file: IO[bytes]) -> tuple[bytes, bytes, tuple[int, int]]:
    """The picture as WebP in two sizes, and the size of the larger in pixels. PictureRefused."""
    whole = opened(file)
    large = _written(whole, LARGE)
    return _written(whole, SMALL)[0], large[0], large[1]


def encode_for_mail(file: IO[bytes], side: int = LARGE) -> tuple[bytes, str, tuple[int, int]]:
    """The picture as JPEG, or as PNG where one can see through it, "jpg" or "png", and its size: what every mail
    program shows. PictureRefused."""
    whole = opened(file)
    name = "PNG" if whole.mode == "RGBA" else "JPEG"
    data, size = _written(whole, side, name)
    return data, "png" if name == "PNG" else "jpg", size


def opened(file: IO[bytes]) -> Image.Image:
    """The picture, checked and turned the right way, as RGB or RGBA. PictureRefused."""
    data = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise PictureRefused(_("The file is larger than 12 MB."))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=FORMATS) as picture:  # reads the head alone
                width, height = picture.size
                if width * height > MOST_PIXELS:
                    raise PictureRefused(_("The picture has more than 50 million pixels."))
                if min(width, height) < FEWEST:
                    raise PictureRefused(_("The picture is too small: each side needs 80 pixels or more."))
                picture.draft("RGB", (2 * LARGE, 2 * LARGE))  # a JPEG is decoded no larger than is of use
                whole = ImageOps.exif_transpose(picture)
    except (UnidentifiedImageError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise PictureRefused(_("This is no JPEG, PNG or WebP picture.")) from error
    except (OSError, SyntaxError, ValueError, EOFError, MemoryError) as error:  # cut off, or made to break a decoder
        raise PictureRefused(_("The picture is damaged.")) from error
    return whole.convert("RGBA" if "A" in whole.mode or "transparency" in whole.info else "RGB")


def _written(picture: Image.Image, side: int, name: str = "WEBP") -> tuple[bytes, tuple[int, int]]:
    copy = picture.copy()
    copy.thumbnail((side, side), Image.Resampling.LANCZOS)
    copy.info.clear()  # profile and position would be written along
    out = io.BytesIO()
    options = {"method": 4} if name == "WEBP" else {"optimize": True}
    copy.save(out, name, quality=QUALITY, **options)
    return out.getvalue(), copy.size
