"""A journey as a picture: layers from top to bottom, each step below all that lead to it, branches side by side.

The picture is SVG without style or script of its own (classes of static/desk/journeys.css), as wide as its widest
layer, with the whole journey once more as text for who does not see it.
"""

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from html import escape

from campaigns.journeys.definition import END, Journey, Step, StepKind

WIDTH, HEIGHT, GAP_X, GAP_Y, MARGIN = 188, 58, 22, 46, 14
LINE = 25  # columns of a line of text in a box; a Chinese character takes two
_START = "start"


@dataclass(frozen=True, slots=True)
class Box:
    id: str
    kind: str
    text: str
    x: int
    y: int


@dataclass(frozen=True, slots=True)
class Picture:
    svg: str
    text: str
    width: int
    height: int


def draw(
    journey: Journey,
    *,
    entry: str,
    leave: str,
    say: Callable[[Step], str],
    name: Callable[[Step, str], str],
    counts: Mapping[str, str] | None = None,
) -> Picture:
    """The picture of a journey. `entry` and `leave` are what stands in the first and the last box, `say(step)` and
    `name(step, exit)` what stands in a step and at a way out, `counts` what is told beside a step."""
    steps = {step.id: step for step in journey.steps.values() if step.kind is not StepKind.GO_TO}
    edges = _edges(journey, steps)
    columns = _columns(journey, steps)
    layers = _layers(steps, edges)
    rows: dict[int, int] = {}
    places: dict[str, tuple[int, int]] = {}
    for node, layer in layers.items():
        places[node] = (columns.get(node, 0), layer)
        rows[layer] = rows.get(layer, 0) + 1
    width = MARGIN * 2 + (max(column for column, _ in places.values()) + 1) * (WIDTH + GAP_X) - GAP_X
    height = MARGIN * 2 + (max(layers.values()) + 1) * (HEIGHT + GAP_Y) - GAP_Y
    boxes = {}
    for node, (column, layer) in places.items():
        x, y = MARGIN + column * (WIDTH + GAP_X), MARGIN + layer * (HEIGHT + GAP_Y)
        kind = "edge" if node in (_START, END) else _look(steps[node].kind)
        text = entry if node == _START else leave if node == END else say(steps[node])
        boxes[node] = Box(node, kind, text, x, y)
    parts = [
        _line(boxes[a], boxes[b], name(steps[a], label) if a != _START else "", places[b][1] <= places[a][1])
        for a, label, b in edges
    ]
    parts += [_box(box, (counts or {}).get(box.id, "")) for box in boxes.values()]
    told = _told(journey, steps, entry, leave, say, name)
    # Room at the right for ways that go back up.
    back = GAP_X if any(places[b][1] <= places[a][1] for a, _, b in edges) else 0
    svg = (
        f'<svg class="journey-picture" viewBox="0 0 {width + back} {height}" width="{width + back}" height="{height}"'
        f' role="img" aria-label="{escape(told)}" xmlns="http://www.w3.org/2000/svg">'
        '<defs><marker id="journey-tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
        ' orient="auto-start-reverse"><path class="journey-tip" d="M0 0 8 4 0 8z"></path></marker></defs>'
        + "".join(parts)
        + "</svg>"
    )
    return Picture(svg, told, width + back, height)


def _behind(journey: Journey, name: str) -> str:
    """Where a way really leads: through all "go to"."""
    seen = set()
    while name != END and journey.steps[name].kind is StepKind.GO_TO and name not in seen:
        seen.add(name)
        name = journey.steps[name].next
    return name


def _edges(journey: Journey, steps: Mapping[str, Step]) -> list[tuple[str, str, str]]:
    edges = [(_START, "", _behind(journey, journey.first))]
    for step in steps.values():
        edges += [(step.id, label, _behind(journey, to)) for label, to in step.exits.items()]
    return edges


def _layers(steps: Mapping[str, Step], edges: list[tuple[str, str, str]]) -> dict[str, int]:
    """Each node as deep as the longest way to it; ways back to a node on the way here are not counted."""
    out: dict[str, list[str]] = {}
    for a, _, b in edges:
        out.setdefault(a, []).append(b)
    order: list[str] = []
    state: dict[str, int] = {}
    back: set[tuple[str, str]] = set()

    def visit(node: str) -> None:
        state[node] = 1
        for to in out.get(node, []):
            if state.get(to) == 1:
                back.add((node, to))
            elif to not in state:
                visit(to)
        state[node] = 2
        order.append(node)

    visit(_START)
    layers = {_START: 0}
    for node in reversed(order):
        for to in out.get(node, []):
            if (node, to) not in back:
                layers[to] = max(layers.get(to, 0), layers[node] + 1)
    if END in layers:
        layers[END] = max(layers.values()) if layers[END] == max(layers.values()) else max(layers.values()) + 1
    return layers


def _columns(journey: Journey, steps: Mapping[str, Step]) -> dict[str, int]:
    """The column of each step: a list of steps stands in one, the ways of a branch from there to the right."""
    lists: dict[str, list[str]] = {}
    for step in sorted(journey.steps.values(), key=lambda one: _order(one.path)):
        lists.setdefault(step.path.rpartition("/")[0], []).append(step.id)
    columns: dict[str, int] = {}

    def place(path: str, column: int) -> int:
        """Places a list; how many columns it takes."""
        wide = 1
        for name in lists.get(path, []):
            if name in steps:
                columns[name] = column
            here, used = journey.steps[name].path, 0
            for label in journey.steps[name].exits:
                inner = (
                    f"{here}/ways/{label}/steps" if journey.steps[name].kind is StepKind.SPLIT else f"{here}/{label}"
                )
                if label != "next":
                    used += place(inner, column + used)
            wide = max(wide, used)
        return wide

    place("/steps", 0)
    return columns


def _order(path: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in path.split("/")]


def _look(kind: StepKind) -> str:
    if kind in (StepKind.IF, StepKind.SPLIT):
        return "branch"
    if kind in (StepKind.WAIT, StepKind.UNTIL_DATE, StepKind.UNTIL_HOUR, StepKind.WAIT_FOR):
        return "wait"
    return "end" if kind is StepKind.END else "act"


def _columns_of(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(sign) in "WF" else 1 for sign in text)


def wrap(text: str, lines: int = 3) -> list[str]:
    """A text in lines that fit a box; what is too long ends in an ellipsis. Chinese breaks anywhere."""
    out, line = [], ""
    words = text.replace("\n", " ").split(" ")
    pieces: list[str] = []
    for word in words:
        wide = _columns_of(word)
        pieces += [*word, " "] if wide > LINE or (wide > len(word)) else [word, " "]
    for piece in pieces:
        if _columns_of(line + piece) > LINE and line.strip():
            out.append(line.strip())
            line = "" if piece == " " else piece
        else:
            line += piece
    if line.strip():
        out.append(line.strip())
    if len(out) > lines:
        out = out[:lines]
        while _columns_of(out[-1]) > LINE - 1:
            out[-1] = out[-1][:-1]
        out[-1] += "…"
    return out


def _box(box: Box, count: str) -> str:
    lines = wrap(box.text)
    top = box.y + HEIGHT / 2 - (len(lines) - 1) * 7.5 + 4
    texts = "".join(
        f'<text class="journey-text" x="{box.x + WIDTH // 2}" y="{top + n * 15:g}" text-anchor="middle">'
        f"{escape(line)}</text>"
        for n, line in enumerate(lines)
    )
    round_ = HEIGHT // 2 if box.kind in ("edge", "end", "wait") else 8
    badge = ""
    if count:
        corner = f'x="{box.x + WIDTH - 6}" y="{box.y - 4}" text-anchor="end"'
        badge = f'<text class="journey-count" {corner}>{escape(count)}</text>'
    return (
        f'<g class="journey-box journey-{box.kind}" data-step="{escape(box.id)}"><title>{escape(box.text)}</title>'
        f'<rect x="{box.x}" y="{box.y}" width="{WIDTH}" height="{HEIGHT}" rx="{round_}"></rect>{texts}{badge}</g>'
    )


def _line(a: Box, b: Box, label: str, back: bool) -> str:
    ax, ay, bx, by = a.x + WIDTH // 2, a.y + HEIGHT, b.x + WIDTH // 2, b.y
    if back:  # up again, at the right of both
        side = max(a.x, b.x) + WIDTH + GAP_X // 2 + 4
        y1, y2 = a.y + HEIGHT // 2, b.y + HEIGHT // 2
        path = f"M{a.x + WIDTH} {y1}H{side}V{y2}H{b.x + WIDTH + 2}"
        lx, ly = a.x + WIDTH + 2, y1 - 6
    elif ax == bx and by - ay <= GAP_Y:
        path = f"M{ax} {ay}V{by}"
        lx, ly = ax + 6, ay + 26  # below the line that leads across to another way
    elif bx >= ax:  # to a branch at the right: across, then down
        path = (
            f"M{ax} {ay}V{ay + 10}H{bx}V{by}"
            if bx != ax
            else f"M{ax} {ay}V{ay + 10}H{ax - WIDTH // 2 - 8}V{by - 12}H{bx}V{by}"
        )
        lx, ly = bx + 6, ay + 24
    else:  # back to the trunk: down, then across
        path = f"M{ax} {ay}V{by - 14}H{bx}V{by}"
        lx, ly = ax + 6, ay + 15
    text = f'<text class="journey-way" x="{lx}" y="{ly}">{escape(label)}</text>' if label else ""
    return f'<path class="journey-line" d="{path}" fill="none" marker-end="url(#journey-tip)"></path>{text}'


def _told(journey: Journey, steps: Mapping[str, Step], entry: str, leave: str, say: Callable, name: Callable) -> str:
    """The same in words: each step with its number and where its ways lead."""
    ordered = sorted(steps.values(), key=lambda one: _order(one.path))
    numbers = {step.id: n for n, step in enumerate(ordered, start=1)}
    lines = [entry + "."]
    for step in ordered:
        line = f"{numbers[step.id]}. {say(step)}"
        ways = [(name(step, label), _behind(journey, to)) for label, to in step.exits.items()]
        if len(ways) > 1:
            line += " (" + "; ".join(f"{label} → {numbers.get(to, leave)}" for label, to in ways) + ")"
        lines.append(line)
    return " ".join(lines)
