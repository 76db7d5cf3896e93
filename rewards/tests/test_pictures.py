"""Pictures that people upload: small, upright, and nothing of the file that came."""

import io

import pytest
from django.core.files.storage import default_storage
from PIL import Image

from rewards.models import RewardPicture
from rewards.services.pictures import PictureRefused, add_picture, encode, mail_name, remove_picture
from rewards.tests.factories import make_reward


def picture(size=(2000, 1000), form="JPEG", mode="RGB", **save) -> io.BytesIO:
    out = io.BytesIO()
    Image.new(mode, size, (0, 0, 0, 0) if mode == "RGBA" else "teal").save(out, form, **save)
    out.seek(0)
    return out


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.parametrize(
    ("form", "mode"), [("JPEG", "RGB"), ("JPEG", "CMYK"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")]
)
def test_two_sizes_of_webp(form, mode):
    small, large, size = encode(picture(form=form, mode=mode))
    assert [(opened(data).format, opened(data).size) for data in (small, large)] == [
        ("WEBP", (480, 240)),
        ("WEBP", (1280, 640)),
    ]
    assert size == (1280, 640)
    assert len(small) < len(large)


def test_a_small_picture_is_not_blown_up():
    assert encode(picture((300, 200)))[2] == (300, 200)


def test_it_is_turned_upright_and_forgets_where_it_was_taken():
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by 90 degrees
    exif[0x010E] = "secret place"
    exif.get_ifd(0x8825)[2] = (52.0, 31.0, 0.0)
    raw = picture(exif=exif, comment=b"secret place")
    assert b"secret place" in raw.getvalue()
    small, large, size = encode(raw)
    assert size == (640, 1280)
    assert b"secret place" not in small + large
    assert dict(opened(large).getexif()) == {}


def bomb() -> io.BytesIO:
    """A few kilobytes that claim to be 400 million pixels."""
    return picture((20_000, 20_000), "PNG", "1")


def cut(form: str) -> io.BytesIO:
    whole = picture(form=form).getvalue()
    return io.BytesIO(whole[: len(whole) // 2])


@pytest.mark.parametrize(
    ("file", "word"),
    [
        (bomb, "pixels|no JPEG"),
        (lambda: io.BytesIO(b""), "no JPEG"),
        (lambda: io.BytesIO(b"<svg onload='alert(1)'/>"), "no JPEG"),
        (lambda: io.BytesIO(b"GIF89a" + bytes(200)), "no JPEG"),
        (lambda: picture(form="GIF"), "no JPEG"),
        (lambda: picture(form="TIFF"), "no JPEG"),
        (lambda: cut("JPEG"), "damaged"),
        (lambda: cut("PNG"), "damaged"),
        (lambda: cut("WEBP"), "damaged|no JPEG"),
        (lambda: picture((40, 400)), "too small"),
        (lambda: io.BytesIO(bytes(13 * 1024 * 1024)), "12 MB"),
    ],
)
def test_what_is_no_picture_is_refused_in_words(file, word):
    with pytest.raises(PictureRefused, match=word):
        encode(file())


@pytest.mark.django_db(transaction=True)
def test_a_picture_has_its_files_and_takes_them_along(client):
    reward = make_reward()
    first = add_picture(reward_id=reward.pk, file=picture((640, 320)), alts={"en": "A cup", "zh-hans": "一杯咖啡"})
    second = add_picture(reward_id=reward.pk, file=picture((90, 90)))
    assert [p.pk for p in reward.pictures.all()] == [first.pk, second.pk]
    assert (first.alt_en, first.alt_zh_hans, first.width, first.height) == ("A cup", "一杯咖啡", 640, 320)
    answer = client.get(first.small.url)
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/webp")
    assert "immutable" in answer["Cache-Control"]
    assert opened(b"".join(answer.streaming_content)).size == (480, 240)
    names = [first.small.name, first.large.name, mail_name(first.small.name)]
    mail = mail_name(first.small.url)
    default_storage.delete(names[2])  # as pictures of before have none
    for _look in range(2):
        answer = client.get(mail)
        assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
        assert "immutable" in answer["Cache-Control"]
        shown = opened(b"".join(answer.streaming_content))
        assert (shown.format, shown.size) == ("JPEG", (480, 240))
        default_storage.delete(first.small.name)  # made once: the second look needs no other file
    remove_picture(picture_id=first.pk)
    remove_picture(picture_id=first.pk)
    assert [default_storage.exists(name) for name in names] == [False] * 3
    assert RewardPicture.objects.get() == second
    assert default_storage.exists(mail_name(second.small.name))
    assert [client.get(url).status_code for url in (first.small.url, mail)] == [404, 404]
    glass = add_picture(reward_id=reward.pk, file=picture((90, 90), "PNG", "RGBA"))
    with default_storage.open(mail_name(glass.small.name)) as file:
        assert opened(file.read()).getpixel((9, 9)) == (255, 255, 255)  # drawn as nothing, so on white
    for odd in (
        "/media/rewards/none-m.jpg",
        "/media/rewards/..%2Fsecret.webp",
        "/media/rewards/x.html",
        "/media/rewards/",
        "/media/private/x.webp",
    ):
        assert client.get(odd).status_code == 404, odd
