"""Pictures for the demo café's rewards, drawn with a few shapes each."""

import io
import math
from collections.abc import Callable

from PIL import Image, ImageDraw

_SIZE = (1200, 900)
Draw = Callable[[ImageDraw.ImageDraw], None]


def cup(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((640, 380, 860, 600), outline="#fff8ef", width=36)
    d.rounded_rectangle((360, 330, 740, 700), 70, fill="#fff8ef")
    d.ellipse((390, 310, 710, 390), fill="#5b3a29")
    d.ellipse((300, 690, 800, 760), fill="#e9d9c5")
    for x in (470, 550, 630):
        d.arc((x - 30, 140, x + 30, 260), 90, 270, fill="#fff8ef", width=14)
        d.arc((x - 30, 200, x + 30, 300), 270, 90, fill="#fff8ef", width=14)


def cake(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(300, 620), (860, 620), (860, 420), (420, 300)], fill="#f6d7a7")
    d.polygon([(300, 620), (420, 300), (860, 420), (860, 480), (360, 420)], fill="#fff3df")
    d.rectangle((300, 620, 860, 680), fill="#b9773f")
    d.ellipse((560, 250, 660, 350), fill="#c8324a")
    d.ellipse((240, 680, 920, 750), fill="#fff8ef")


def bag(d: ImageDraw.ImageDraw) -> None:
    d.polygon([(400, 220), (800, 220), (850, 740), (350, 740)], fill="#6b4a34")
    d.rectangle((400, 180, 800, 250), fill="#8a6245")
    d.ellipse((500, 400, 700, 600), fill="#f3e3cd")
    d.ellipse((545, 430, 655, 570), fill="#4a2f20")
    d.arc((570, 430, 630, 570), 260, 80, fill="#f3e3cd", width=8)


def mug(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((700, 340, 900, 600), outline="#2f6f73", width=44)
    d.rounded_rectangle((340, 260, 760, 720), 40, fill="#2f6f73")
    d.ellipse((340, 220, 760, 310), fill="#e8f1ef")
    d.line((430, 470, 510, 560, 670, 400), fill="#f2c14e", width=26, joint="curve")


def ticket(d: ImageDraw.ImageDraw) -> None:
    d.rounded_rectangle((230, 320, 970, 620), 36, fill="#fff4d6")
    for y in range(340, 620, 44):
        d.line((720, y, 720, y + 22), fill="#c98b2b", width=10)
    d.ellipse((200, 430, 260, 510), fill="#c98b2b")
    d.ellipse((940, 430, 1000, 510), fill="#c98b2b")
    d.ellipse((330, 390, 470, 530), fill="#c98b2b")
    d.rectangle((520, 410, 660, 440), fill="#c98b2b")
    d.rectangle((520, 480, 620, 510), fill="#c98b2b")


def card(d: ImageDraw.ImageDraw) -> None:
    d.rounded_rectangle((260, 280, 940, 680), 48, fill="#7d2a4d")
    d.rectangle((260, 430, 940, 500), fill="#f3c9d8")
    d.rectangle((560, 280, 630, 680), fill="#f3c9d8")
    d.ellipse((480, 330, 600, 450), outline="#f3c9d8", width=24)
    d.ellipse((590, 330, 710, 450), outline="#f3c9d8", width=24)


def coin(d: ImageDraw.ImageDraw) -> None:
    for n in range(4):
        d.ellipse((360, 560 - 90 * n, 840, 720 - 90 * n), fill="#c98b2b")
        d.ellipse((360, 540 - 90 * n, 840, 700 - 90 * n), fill="#f2c14e")
    d.ellipse((430, 300, 770, 400), outline="#c98b2b", width=14)


def table(d: ImageDraw.ImageDraw) -> None:
    d.ellipse((250, 480, 950, 640), fill="#d9b48f")
    d.rectangle((580, 600, 620, 800), fill="#8a6245")
    for x in (360, 520, 680, 840):
        d.ellipse((x - 55, 500, x + 55, 545), fill="#fff8ef")
        d.ellipse((x - 38, 505, x + 38, 532), fill="#5b3a29")


def lamp(d: ImageDraw.ImageDraw) -> None:
    d.rectangle((300, 700, 900, 730), fill="#f7efe2")
    d.rounded_rectangle((480, 330, 720, 700), 30, fill="#b7c4cf")
    d.rectangle((440, 300, 760, 350), fill="#7f8f9b")
    d.rectangle((540, 700, 660, 720), fill="#5b3a29")
    d.ellipse((565, 420, 635, 490), fill="#f2c14e")


def heart(d: ImageDraw.ImageDraw) -> None:
    points = []
    for n in range(200):
        t = 2 * math.pi * n / 200
        y = 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)
        points.append((600 + 18 * 16 * math.sin(t) ** 3, 460 - 18 * y))
    d.polygon(points, fill="#e35d6a")


def tree(d: ImageDraw.ImageDraw) -> None:
    d.rectangle((565, 560, 635, 800), fill="#7a5230")
    for x, y, r in ((600, 340, 190), (470, 450, 150), (730, 450, 150), (600, 500, 170)):
        d.ellipse((x - r, y - r, x + r, y + r), fill="#4c9a5f")
    d.ellipse((300, 780, 900, 830), fill="#6b4a34")


def calendar(d: ImageDraw.ImageDraw) -> None:
    d.rounded_rectangle((330, 240, 870, 740), 40, fill="#fff8ef")
    d.rectangle((330, 300, 870, 390), fill="#355c8c")
    for row in range(3):
        for column in range(4):
            x, y = 400 + 115 * column, 450 + 95 * row
            d.ellipse((x - 26, y - 26, x + 26, y + 26), fill="#355c8c" if (row, column) == (0, 0) else "#d7dfe9")


def draw(picture: Draw, ground: str) -> io.BytesIO:
    """A plain picture on a plain ground, as a PNG."""
    image = Image.new("RGB", _SIZE, ground)
    picture(ImageDraw.Draw(image))
    out = io.BytesIO()
    image.save(out, "PNG")
    out.seek(0)
    return out
