"""Pictures as people have them, rendered from real pen strokes: photographs, scans, Paint, exports.

Everything is drawn from one seeded generator, so that a picture can be made again. Sizes are in
pixels, colours RGB in 0 to 255, arrays (height, width[, 3]) float32.
"""

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from mnist_mlp.data import LabelledDrawings
from mnist_mlp.preprocess import Drawing, stages_of_drawing

EXIF_ORIENTATION = 0x0112
# What a viewer does to show such a file upright, undone: how the camera stored it.
STORED = {
    1: None,
    3: Image.Transpose.ROTATE_180,
    6: Image.Transpose.ROTATE_90,
    8: Image.Transpose.ROTATE_270,
}
INKS = {
    "black": (35, 33, 38),
    "blue": (38, 52, 140),
    "red": (185, 35, 45),
    "green": (25, 105, 60),
    "pencil": (96, 96, 100),
}


@dataclass(frozen=True)
class Scene:
    """What a photograph is made of; ranges are drawn from for each picture."""

    paper: tuple[tuple[int, int, int], ...]
    inks: tuple[str, ...] = ("black", "blue", "red", "pencil")
    ink_colours: tuple[tuple[int, int, int], ...] = ()
    ruling: str = ""  # "", "lined" or "squared"
    stroke: tuple[float, float] = (0.03, 0.11)  # width over the digit's height
    texture: float = 3.0
    light: float = 0.35  # how much darker the worst lit corner may be
    shadow: float = 0.5  # how often a shadow falls on it
    glare: float = 0.25
    slant: float = 0.06  # how far a corner may move, over the picture's side
    table: float = 0.3  # how often something shows around the paper
    smear: bool = False  # a board that was wiped


WHITE = ((238, 237, 232), (247, 246, 243), (225, 226, 228), (240, 232, 218))
PHOTOGRAPHS = {
    "white paper": Scene(WHITE),
    "lined paper": Scene(WHITE, ruling="lined"),
    "squared paper": Scene(WHITE, ruling="squared"),
    "yellow paper": Scene(((248, 228, 110), (250, 240, 150), (240, 205, 90)), ("blue", "black")),
    "whiteboard": Scene(
        ((232, 236, 240), (214, 220, 226)),
        ("black", "blue", "red", "green"),
        stroke=(0.04, 0.13),
        texture=1.5,
        glare=0.6,
        table=0.0,
        smear=True,
    ),
    "blackboard": Scene(
        ((38, 46, 42), (48, 76, 60), (52, 54, 58)),
        ink_colours=((232, 232, 226), (240, 225, 140), (225, 170, 170)),
        stroke=(0.04, 0.12),
        texture=5.0,
        glare=0.2,
        table=0.0,
        smear=True,
    ),
    "scan": Scene(
        ((252, 252, 250), (236, 236, 236)),
        texture=1.0,
        light=0.05,
        shadow=0.0,
        glare=0.0,
        slant=0.01,
        table=0.0,
    ),
}
KINDS = (*PHOTOGRAPHS, "paint", "paint with alpha", "28 x 28 export")


@dataclass(frozen=True)
class Picture:
    """A picture file and the number that it shows."""

    kind: str
    number: str
    content: bytes
    suffix: str

    def open(self) -> Image.Image:
        return Image.open(io.BytesIO(self.content))

    def save(self, folder: Path, name: str) -> Path:
        path = folder / f"{self.number}_{name}{self.suffix}"
        path.write_bytes(self.content)
        return path


def pictures(
    pen: LabelledDrawings, count: int, seed: int, kinds: Sequence[str] = KINDS, digits: int = 1
) -> Iterator[Picture]:
    """`count` pictures, the kinds in turn, each of other drawings."""
    random = np.random.default_rng(seed)
    order = random.permutation(len(pen))
    for i in range(count):
        chosen = order[(i * digits + np.arange(digits)) % len(order)].tolist()
        drawings = [pen.drawings[j] for j in chosen]
        number = "".join(str(int(pen.labels[j])) for j in chosen)
        yield picture(kinds[i % len(kinds)], drawings, number, random)


def picture(
    kind: str,
    drawings: Sequence[Drawing],
    number: str,
    random: np.random.Generator,
    size: tuple[int, int] | None = None,
) -> Picture:
    """One picture of these drawings side by side; a photograph's size may be asked for."""
    if kind in PHOTOGRAPHS:
        content, suffix = _photograph(PHOTOGRAPHS[kind], drawings, random, size), ".jpg"
    elif kind == "28 x 28 export":
        content, suffix = _export(drawings, random)
    else:
        content, suffix = _painting(drawings, random, alpha=kind.endswith("alpha"))
    return Picture(kind, number, content, suffix)


def coverage(
    drawings: Sequence[Drawing],
    size: tuple[int, int],
    height: float,
    stroke: float,
    random: np.random.Generator,
    edge: float = 0.04,
) -> Image.Image:
    """White strokes on black, "L": the digits `height` pixels high in a row, anywhere on the page.

    They become smaller where the row would not fit; `stroke` is the width over the height, `edge`
    the part of the page's side that stays free.
    """
    page_width, page_height = size
    boxes = [_normalised(drawing) for drawing in drawings]
    gap = random.uniform(0.25, 0.5)
    row = sum(width for _, width in boxes) + gap * (len(boxes) - 1)
    room = 1 - 2 * edge
    height = min(height, room * page_width / (row + stroke), room * page_height / (1 + stroke))
    margin = 0.5 * stroke * height + edge * min(size) + 2
    x = random.uniform(margin, max(margin, page_width - row * height - margin))
    y = random.uniform(margin, max(margin, page_height - height - margin))
    mask = Image.new("L", (2 * page_width, 2 * page_height))
    draw = ImageDraw.Draw(mask)
    for strokes, width in boxes:
        lift = random.uniform(-0.04, 0.04) * height if len(boxes) > 1 else 0
        for points in strokes:
            _draw_stroke(draw, 2 * (points * height + (x, y + lift)), stroke * height)
        x += (width + gap) * height
    return mask.resize(size, Image.Resampling.BOX)


def _normalised(drawing: Drawing) -> tuple[list[np.ndarray], float]:
    """The strokes scaled to a height of 1 at most and a width of 1 at most; the width."""
    points = np.concatenate(drawing.strokes)
    corner, extent = points.min(axis=0), np.ptp(points, axis=0)
    scale = 1 / max(float(extent.max()), 1.0)
    return [(stroke - corner) * scale for stroke in drawing.strokes], float(extent[0]) * scale


def _draw_stroke(draw: ImageDraw.ImageDraw, points: np.ndarray, radius: float) -> None:
    """Twice enlarged, so that the width is the radius."""
    flat = [tuple(point) for point in points.tolist()]
    draw.line(flat, fill=255, width=max(1, round(2 * radius)), joint="curve")
    for x, y in flat:
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)


def _smooth_noise(size: tuple[int, int], grain: float, random: np.random.Generator) -> np.ndarray:
    """Noise of mean 0 and standard deviation 1 whose grains are that many pixels large."""
    width, height = size
    small = max(2, round(width / grain)), max(2, round(height / grain))
    noise = Image.fromarray(random.normal(size=small[::-1]).astype(np.float32))
    large = np.asarray(noise.resize(size, Image.Resampling.BICUBIC))
    return (large - large.mean()) / (large.std() + 1e-6)


def _photograph(
    scene: Scene,
    drawings: Sequence[Drawing],
    random: np.random.Generator,
    size: tuple[int, int] | None,
) -> bytes:
    if size is None:
        size = tuple(random.permutation([random.integers(600, 1100), random.integers(600, 1100)]))
        size = int(size[0]), int(size[1])
    page = _page(scene, size, random)
    page = _write(page, scene, drawings, random)
    page = _slant(page, scene, random)
    page = _lit(page, scene, random)
    page += random.normal(0, random.uniform(1, 6), page.shape[:2])[..., None]
    page += random.normal(0, 1.5, page.shape)
    image = Image.fromarray(page.clip(0, 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 1.6) * max(size) / 1000))
    return _as_jpeg(image, random)


def _page(scene: Scene, size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    """Paper with its texture and its ruling."""
    width, height = size
    colour = np.array(scene.paper[random.integers(len(scene.paper))], np.float32)
    page = np.tile(colour, (height, width, 1))
    for grain in (1.5, 8, 60):
        page += (scene.texture * 0.5 * _smooth_noise(size, grain, random))[..., None]
    if scene.smear:
        smear = _smooth_noise((height, width), max(size) / 6, random).T
        page += (4.0 * smear)[..., None]
    if scene.ruling:
        page = _ruled(page, scene.ruling, random)
    return page


def _ruled(page: np.ndarray, ruling: str, random: np.random.Generator) -> np.ndarray:
    height, width = page.shape[:2]
    lines = Image.new("L", (width, height))
    draw = ImageDraw.Draw(lines)
    spacing = height * random.uniform(0.05, 0.16) * (0.6 if ruling == "squared" else 1)
    thickness = max(1, round(spacing * random.uniform(0.015, 0.04)))
    for y in np.arange(random.uniform(0, spacing), height, spacing):
        draw.line((0, y, width, y), fill=255, width=thickness)
    if ruling == "squared":
        for x in np.arange(random.uniform(0, spacing), width, spacing):
            draw.line((x, 0, x, height), fill=255, width=thickness)
    strength = np.asarray(lines, np.float32)[..., None] / 255 * random.uniform(0.35, 0.9)
    line_colours = np.array(((150, 175, 215), (165, 165, 170), (150, 190, 190)), np.float32)
    page = page + strength * (line_colours[random.integers(3)] - page)
    if ruling == "lined" and random.random() < 0.4:
        margin = Image.new("L", (width, height))
        x = width * random.uniform(0.05, 0.18)
        ImageDraw.Draw(margin).line((x, 0, x, height), fill=255, width=thickness)
        strength = np.asarray(margin, np.float32)[..., None] / 255 * 0.7
        page = page + strength * (np.array((225, 130, 140), np.float32) - page)
    return page


def _write(
    page: np.ndarray, scene: Scene, drawings: Sequence[Drawing], random: np.random.Generator
) -> np.ndarray:
    height, width = page.shape[:2]
    pencil = False
    if scene.ink_colours:
        colour = scene.ink_colours[random.integers(len(scene.ink_colours))]
        pencil = True  # chalk too leaves grains of the board uncovered
    else:
        name = scene.inks[random.integers(len(scene.inks))]
        colour, pencil = INKS[name], name == "pencil"
    digit_height = random.uniform(0.18, 0.7) * min(width, height)
    stroke = random.uniform(*scene.stroke)
    ink = coverage(drawings, (width, height), digit_height, stroke, random, scene.slant + 0.05)
    opacity = np.asarray(ink, np.float32) / 255 * random.uniform(0.8, 1.0)
    if pencil:
        opacity *= (0.85 + 0.15 * _smooth_noise((width, height), 2.5, random)).clip(0.3, 1)
    return page + opacity[..., None] * (np.array(colour, np.float32) - page)


def _slant(page: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
    """The page seen from the side and turned a little; what lies around it may show at its edge."""
    height, width = page.shape[:2]
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float64)
    # Looking into the page, so that its surroundings do not show ...
    look = corners + random.uniform(0, scene.slant, (4, 2)) * (width, height) * (
        (1, 1),
        (-1, 1),
        (-1, -1),
        (1, -1),
    )
    if random.random() < scene.table:  # ... or past one side of it
        side = random.integers(4)
        beyond = random.uniform(0.1, 0.2) * np.array((height, width, height, width))[side]
        ends = [side, (side + 1) % 4]
        look[ends] += beyond * np.array(((0, -1), (1, 0), (0, 1), (-1, 0)))[side]
    coefficients = _homography(corners, look)
    surroundings = np.array(
        ((70, 50, 38), (120, 92, 66), (45, 45, 48), (150, 150, 155))[random.integers(4)], np.float32
    )
    seen = []
    for channel in range(3):
        image = Image.fromarray(np.ascontiguousarray(page[..., channel]))
        fill = float(surroundings[channel])
        seen.append(
            image.transform(
                (width, height),
                Image.Transform.PERSPECTIVE,
                coefficients,
                Image.Resampling.BILINEAR,
                fillcolor=fill,
            )
        )
    return np.stack([np.asarray(channel) for channel in seen], axis=2)


def _homography(seen: np.ndarray, on_page: np.ndarray) -> list[float]:
    """Pillow's eight numbers that take a pixel of the photograph to its place on the page."""
    rows, right = [], []
    for (x, y), (u, v) in zip(seen, on_page, strict=True):
        rows.append((x, y, 1, 0, 0, 0, -u * x, -u * y))
        rows.append((0, 0, 0, x, y, 1, -v * x, -v * y))
        right += [u, v]
    return np.linalg.solve(np.array(rows), np.array(right)).tolist()


def _lit(page: np.ndarray, scene: Scene, random: np.random.Generator) -> np.ndarray:
    """Uneven light, a vignette, at times the shadow of a hand and the reflection of a lamp."""
    height, width = page.shape[:2]
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    x, y = xs / width - 0.5, ys / height - 0.5
    angle = random.uniform(0, 2 * np.pi)
    light = 1 - scene.light * random.uniform(0, 1) * (0.5 + x * np.cos(angle) + y * np.sin(angle))
    light -= scene.light * random.uniform(0, 0.8) * (x**2 + y**2)
    if random.random() < scene.shadow:
        light *= 1 - random.uniform(0.15, 0.5) * _shadow((width, height), random)
    tint = 1 + random.uniform(-0.05, 0.05, 3)
    page = page * light[..., None] * tint.astype(np.float32)
    if random.random() < scene.glare:
        centre = random.uniform(-0.5, 0.5, 2)
        radius = random.uniform(0.05, 0.25)
        spot = np.exp(-((x - centre[0]) ** 2 + (y - centre[1]) ** 2) / (2 * radius**2))
        page += (random.uniform(15, 60) * spot)[..., None]
    return page


def _shadow(size: tuple[int, int], random: np.random.Generator) -> np.ndarray:
    width, height = size
    corners = random.uniform(-0.2, 1.2, (4, 2)) * (width, height)
    mask = Image.new("L", size)
    ImageDraw.Draw(mask).polygon([tuple(corner) for corner in corners.tolist()], fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(random.uniform(0.008, 0.05) * max(size)))
    return np.asarray(soft, np.float32) / 255


def _as_jpeg(image: Image.Image, random: np.random.Generator) -> bytes:
    orientation = int(random.choice(list(STORED)))
    if STORED[orientation] is not None:
        image = image.transpose(STORED[orientation])
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    file = io.BytesIO()
    image.save(file, "JPEG", quality=int(random.integers(35, 92)), exif=exif)
    return file.getvalue()


def _contrasting_colours(random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Two colours that a person tells apart at once."""
    while True:
        paper, ink = random.integers(0, 256, (2, 3))
        if random.random() < 0.4:
            paper = np.array((255, 255, 255))
        if np.abs(paper - ink).sum() > 280:
            return paper, ink


def _painting(
    drawings: Sequence[Drawing], random: np.random.Generator, *, alpha: bool
) -> tuple[bytes, str]:
    """A drawing from Paint in any two colours; with alpha the canvas is transparent."""
    size = int(random.integers(180, 900)), int(random.integers(180, 900))
    height = random.uniform(0.3, 0.85) * min(size)
    ink = coverage(drawings, size, height, random.uniform(0.03, 0.16), random)
    if random.random() < 0.5:  # Paint's pencil does not smooth its edges
        ink = ink.point(lambda value: 255 * (value > 127))
    paper, colour = _contrasting_colours(random)
    if alpha:
        # A transparent canvas is shown on white, so nobody draws on it in white.
        colour = colour * 0.6
        layers = [np.full(ink.size[::-1], value) for value in colour]
        image = Image.fromarray(np.stack([*layers, np.asarray(ink)], axis=2).astype(np.uint8))
        file = io.BytesIO()
        image.save(file, "PNG")
        return file.getvalue(), ".png"
    opacity = np.asarray(ink, np.float32)[..., None] / 255
    image = Image.fromarray((paper + opacity * (colour - paper)).astype(np.uint8))
    file = io.BytesIO()
    kind, suffix = (("PNG", ".png"), ("JPEG", ".jpg"), ("BMP", ".bmp"))[random.integers(3)]
    if kind == "PNG" and random.random() < 0.3:
        image = image.quantize(16)
    image.save(file, kind)
    return file.getvalue(), suffix


def _export(drawings: Sequence[Drawing], random: np.random.Generator) -> tuple[bytes, str]:
    """28 x 28 as MNIST is, white on black or inverted, at times as a JPEG; one digit."""
    (drawing,) = drawings
    points = np.concatenate(drawing.strokes)
    centre, extent = (points.min(axis=0) + points.max(axis=0)) / 2, np.ptp(points, axis=0).max()
    strokes = tuple((s - centre) * (150 / max(extent, 1)) + 128 for s in drawing.strokes)
    stages = stages_of_drawing(replace(drawing, strokes=strokes))
    image = Image.fromarray(stages.centred)
    if random.random() < 0.4:
        image = ImageChops.invert(image)
    file = io.BytesIO()
    kind, suffix = (("PNG", ".png"), ("JPEG", ".jpg"))[random.integers(2)]
    image.save(file, kind)
    return file.getvalue(), suffix
