"""Parametric pictures, as SVG, of the things that no emoji shows."""

import colorsys
from random import Random

TRAINED_DRAWINGS = ("flat", "gradient", "outlined")
HELD_OUT_DRAWING = "shaded"


class Pen:
    """Shapes in one drawing style, with colours of its own choice."""

    def __init__(self, style: str, random: Random) -> None:
        self.style = style
        self.random = random
        self.defs: list[str] = []
        self.body: list[str] = []

    def colour(self, saturation: tuple[float, float] = (0.5, 0.95), value: tuple[float, float] = (0.45, 1.0)) -> str:
        """A random colour, as #rrggbb."""
        random = self.random
        return _hex(colorsys.hsv_to_rgb(random.random(), random.uniform(*saturation), random.uniform(*value)))

    def enamel(self) -> str:
        """A household appliance's colour: mostly white or grey, sometimes bright."""
        if self.random.random() < 0.3:
            return self.colour()
        return self.colour((0.0, 0.08), (0.55, 0.98))

    def rectangle(  # noqa: PLR0913, PLR0917 - as in SVG
        self, x: float, y: float, width: float, height: float, fill: str, radius: float = 0
    ) -> None:
        """A box with rounded corners."""
        self._shape(f'rect x="{x}" y="{y}" width="{width}" height="{height}" rx="{radius}"', fill)

    def circle(self, x: float, y: float, radius: float, fill: str) -> None:
        """A disc."""
        self._shape(f'circle cx="{x}" cy="{y}" r="{radius}"', fill)

    def path(self, data: str, fill: str) -> None:
        """Any closed outline."""
        self._shape(f'path d="{data}"', fill)

    def _shape(self, shape: str, fill: str) -> None:
        outline = ""
        if self.style == "outlined":
            outline = ' stroke="#222" stroke-width="5" stroke-linejoin="round"'
        elif self.style == "gradient":
            fill = self._gradient("linearGradient", fill, _shade(fill, 0.62))
        elif self.style == "shaded":
            # Light from the upper left with a dark rim: what no trained drawing has.
            fill = self._gradient("radialGradient", _shade(fill, 1.35), _shade(fill, 0.5))
            outline = f' stroke="{_shade("#777777", 0.5)}" stroke-width="1.5"'
        self.body.append(f'<{shape} fill="{fill}"{outline}/>')

    def _gradient(self, kind: str, start: str, end: str) -> str:
        name = f"g{len(self.defs)}"
        where = 'cx="0.35" cy="0.25" r="0.9"' if kind == "radialGradient" else 'x1="0" y1="0" x2="0.7" y2="1"'
        self.defs.append(
            f'<{kind} id="{name}" {where}><stop offset="0" stop-color="{start}"/>'
            f'<stop offset="1" stop-color="{end}"/></{kind}>'
        )
        return f"url(#{name})"


def draw(name: str, style: str, seed: int) -> str:
    """An SVG picture of the class `name`; the same style and seed draw the same picture."""
    pen = Pen(style, Random(f"{name}/{style}/{seed}"))  # noqa: S311 - a picture, no secret
    DRAWINGS[name](pen)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 256 256">'
        f"<defs>{''.join(pen.defs)}</defs>{''.join(pen.body)}</svg>"
    )


def _snowboard(pen: Pen) -> None:
    random = pen.random
    half = random.uniform(24, 34)
    waist = half * random.uniform(0.72, 0.9)
    left, right, bottom, top = 128 - half, 128 + half, 246 - half, 10 + half
    tip = random.uniform(0.9, 1.25) * half
    outline = (
        f"M{left} {top} C{left} {top - tip} {right} {top - tip} {right} {top} "
        f"C{128 + waist} 100 {128 + waist} 156 {right} {bottom} "
        f"C{right} {bottom + tip} {left} {bottom + tip} {left} {bottom} "
        f"C{128 - waist} 156 {128 - waist} 100 {left} {top}Z"
    )
    base, accent, third = pen.colour(), pen.colour(), pen.colour((0.0, 0.3), (0.1, 1.0))
    pen.path(outline, base)
    _pattern(pen, waist * 0.8, (top, bottom), accent)
    if random.random() < 0.85:
        _bindings(pen, waist, third)


def _pattern(pen: Pen, inner: float, span: tuple[float, float], accent: str) -> None:
    random = pen.random
    top, bottom = span
    pattern = random.choice(("stripes", "band", "dots", "tips", "plain"))
    if pattern == "stripes":
        for offset in (-0.45, 0.35):
            pen.rectangle(128 + offset * inner, top, inner * 0.22, bottom - top, accent)
    elif pattern == "band":
        pen.path(f"M{128 - inner} 150 L{128 + inner} 96 L{128 + inner} 120 L{128 - inner} 176Z", accent)
    elif pattern == "dots":
        for y in range(int(top), int(bottom), 32):
            pen.circle(128 + random.uniform(-0.4, 0.4) * inner, y, random.uniform(4, 9), accent)
    elif pattern == "tips":
        for end in span:
            pen.circle(128, end, inner * 0.75, accent)


def _bindings(pen: Pen, waist: float, fill: str) -> None:
    spread = pen.random.uniform(34, 46)
    for y in (128 - spread, 128 + spread):
        pen.rectangle(128 - waist * 0.95, y - 10, waist * 1.9, 20, fill, 6)
        pen.rectangle(128 - waist * 0.55, y - 4, waist * 1.1, 8, "#333333", 3)


def _microwave(pen: Pen) -> None:
    random = pen.random
    height = random.uniform(120, 150)
    top = 128 - height / 2
    body, glass = pen.enamel(), pen.colour((0.05, 0.4), (0.1, 0.35))
    for x in (34, 202):
        pen.rectangle(x, top + height - 4, 20, 14, "#444444", 3)
    pen.rectangle(12, top, 232, height, body, random.uniform(4, 18))
    pen.rectangle(26, top + 16, 142, height - 32, glass, random.uniform(2, 12))
    pen.rectangle(42, top + 32, 110, height - 64, _shade(glass, 1.7), 8)
    pen.rectangle(174, top + 18, 8, height - 36, _shade(body, 0.6), 4)
    pen.rectangle(192, top + 18, 40, 22, pen.colour((0.3, 0.9), (0.2, 0.7)), 3)
    if random.random() < 0.5:
        for row in range(4):
            for column in range(3):
                pen.rectangle(192 + column * 14, top + 50 + row * 15, 11, 10, _shade(body, 0.7), 2)
    else:
        for row in range(2):
            pen.circle(212, top + 62 + row * 36, 14, _shade(body, 0.65))


def _refrigerator(pen: Pen) -> None:
    random = pen.random
    half = random.uniform(50, 66)
    body = pen.enamel()
    split = random.uniform(74, 104) if random.random() < 0.7 else random.uniform(150, 176)
    handle = random.choice((-1, 1)) * (half - 16)
    pen.rectangle(128 - half + 8, 236, 20, 12, "#444444", 2)
    pen.rectangle(128 + half - 28, 236, 20, 12, "#444444", 2)
    pen.rectangle(128 - half, 10, half * 2, 230, body, random.uniform(4, 16))
    pen.rectangle(128 - half, split, half * 2, 5, _shade(body, 0.5))
    pen.rectangle(128 + handle - 4, split - 46, 8, 36, _shade(body, 0.45), 4)
    pen.rectangle(128 + handle - 4, split + 16, 8, 52, _shade(body, 0.45), 4)
    if random.random() < 0.4:
        pen.rectangle(128 - handle * 0.3 - 14, split + 30, 28, 34, pen.colour(), 3)


def _washing_machine(pen: Pen) -> None:
    random = pen.random
    body = pen.enamel()
    pen.rectangle(38, 16, 180, 226, body, random.uniform(4, 16))
    pen.rectangle(38, 56, 180, 4, _shade(body, 0.6))
    pen.rectangle(52, 26, 56, 20, _shade(body, 0.75), 4)
    for x in (160, 192):
        pen.circle(x, 37, 9, pen.colour())
    radius = random.uniform(58, 70)
    pen.circle(128, 150, radius, _shade(body, 0.55))
    pen.circle(128, 150, radius * 0.76, pen.colour((0.25, 0.7), (0.35, 0.9)))
    left, right = 128 - radius * 0.6, 128 + radius * 0.6
    pen.path(f"M{left} 160 Q128 130 {right} 160 Q128 215 {left} 160Z", "#bfe6ff")


def _table(pen: Pen) -> None:
    random = pen.random
    wood = _hex(colorsys.hsv_to_rgb(random.uniform(0.04, 0.11), random.uniform(0.35, 0.8), random.uniform(0.4, 0.9)))
    if random.random() < 0.25:
        wood = pen.colour()
    top = random.uniform(70, 100)
    thick = random.uniform(14, 24)
    leg = random.uniform(12, 22)
    back = _shade(wood, 0.7)
    for x in (56.0, 200 - leg):
        pen.rectangle(x, top + thick, leg * 0.8, 200 - top - thick, back)
    for x in (22.0, 234 - leg):
        pen.rectangle(x, top + thick, leg, 236 - top - thick, wood)
    pen.path(f"M10 {top} L44 {top - 34} L212 {top - 34} L246 {top}Z", _shade(wood, 1.2))
    pen.rectangle(10, top, 236, thick, wood, 3)


DRAWINGS = {
    "snowboard": _snowboard,
    "microwave": _microwave,
    "refrigerator": _refrigerator,
    "washing machine": _washing_machine,
    "table": _table,
}


def _shade(colour: str, factor: float) -> str:
    channels = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
    return _hex(tuple(min(1.0, channel * factor) for channel in channels))


def _hex(colour: tuple[float, ...]) -> str:
    return "#" + "".join(f"{round(channel * 255):02x}" for channel in colour)
