"""Colours of the brand: contrast as WCAG 2.2 reckons it, and the shades that follow from three colours.

Lightness is moved in OKLCH (B. Ottosson, 2020), where steps look even and the hue stays.
"""

import math
import re
from typing import NamedTuple

WHITE, INK = "#ffffff", "#16110f"
LEAST = 4.5  # WCAG 2.2, 1.4.3, for text of ordinary size
_HEX = re.compile(r"#[0-9a-f]{6}")


def is_hex(colour: str) -> bool:
    """Whether it is written as "#rrggbb", in small letters."""
    return bool(_HEX.fullmatch(colour))


def contrast(one: str, other: str) -> float:
    """The ratio between two colours: 1 for the same, 21 for black on white."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def text_on(ground: str) -> str:
    """White or ink, whichever can be read better on it."""
    return max((WHITE, INK), key=lambda colour: contrast(colour, ground))


def at_lightness(colour: str, lightness: float, most_chroma: float = 0.4) -> str:
    """The same hue at a lightness of 0 to 1, with at most that chroma, brought into what screens can show."""
    _, chroma, hue = _oklch(colour)
    chroma = min(chroma, most_chroma)
    while (rgb := _rgb(lightness, chroma, hue)) is None:
        chroma -= 0.005
    return rgb


class Shades(NamedTuple):
    """What mails and the portal are painted with, light and dark. `soft` is the ground of boxes."""

    accent: str
    strong: str
    soft: str
    on_accent: str
    background: str
    surface: str
    text: str
    quiet: str
    line: str


def light(accent: str, background: str, text: str) -> Shades:
    """The colours as chosen, and what lies between them."""
    lightness = _oklch(accent)[0]
    return Shades(
        accent=accent,
        strong=at_lightness(accent, max(lightness - 0.1, 0.15)),
        soft=at_lightness(accent, 0.96, 0.018),
        on_accent=text_on(accent),
        background=background,
        surface=WHITE,
        text=text,
        quiet=_quiet(text, background),
        line=at_lightness(background, 0.9, 0.02),
    )


def dark(accent: str, background: str, text: str) -> Shades:
    """The same hues at night."""
    bright = at_lightness(accent, 0.8, 0.13)
    return Shades(
        accent=bright,
        strong=at_lightness(accent, 0.9, 0.08),
        soft=at_lightness(accent, 0.28, 0.04),
        on_accent=text_on(bright),
        background=at_lightness(background, 0.17, 0.008),
        surface=at_lightness(background, 0.22, 0.01),
        text=at_lightness(text, 0.96, 0.006),
        quiet=at_lightness(text, 0.76, 0.012),
        line=at_lightness(background, 0.36, 0.015),
    )


def _quiet(text: str, background: str) -> str:
    """The text's hue, as light as can be read on the background."""
    for step in range(56, 20, -1):
        colour = at_lightness(text, step / 100, 0.02)
        if contrast(colour, background) >= LEAST + 0.3:
            return colour
    return text


def _channels(colour: str) -> tuple[float, float, float]:
    linear = []
    for place in (1, 3, 5):
        value = int(colour[place : place + 2], 16) / 255
        linear.append(value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4)
    return linear[0], linear[1], linear[2]


def _luminance(colour: str) -> float:
    red, green, blue = _channels(colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _oklch(colour: str) -> tuple[float, float, float]:
    red, green, blue = _channels(colour)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    lightness = 0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short
    a = 1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short
    b = 0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short
    return lightness, math.hypot(a, b), math.atan2(b, a)


def _rgb(lightness: float, chroma: float, hue: float) -> str | None:
    """The colour as hex; None where no screen can show it."""
    a, b = max(chroma, 0) * math.cos(hue), max(chroma, 0) * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    linear = (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
    if chroma > 0 and any(not -0.001 <= value <= 1.001 for value in linear):
        return None
    parts = []
    for value in linear:
        value = min(max(value, 0.0), 1.0)
        part = value * 12.92 if value <= 0.0031308 else 1.055 * value ** (1 / 2.4) - 0.055
        parts.append(f"{round(part * 255):02x}")
    return "#" + "".join(parts)
