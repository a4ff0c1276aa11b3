import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFilter

from mnist_mlp.classify import Classifier
from mnist_mlp.data import LabelledDrawings, default_data_dir, read_drawings
from mnist_mlp.pictures import (
    FULL_SIZE,
    MAX_FILE_BYTES,
    PictureError,
    find_ink,
    open_picture,
    outlined,
    stroke_width,
    upright,
)
from tests.photographs import KINDS, PHOTOGRAPHS, Picture, picture, pictures
from tests.test_cli import png_header

SEED = 20
EACH = 5


@pytest.fixture(scope="module")
def pen() -> LabelledDrawings:
    path = default_data_dir() / "pen" / "val.ndjson"
    if not path.exists():
        pytest.skip("pen/val.ndjson is needed below MNIST_DATA_DIR")
    return read_drawings(path)


@pytest.fixture(scope="module")
def real(pen: LabelledDrawings) -> list[Picture]:
    """Fifty pictures, five of each kind."""
    return list(pictures(pen, EACH * len(KINDS), SEED))


def test_real_pictures_are_read(real: list[Picture], classifier: Classifier):
    wrong = [p.kind for p in real if classifier.read_picture(p.open()).number != p.number]
    assert len(wrong) <= 0.05 * len(real), wrong
    assert all(wrong.count(kind) <= 2 for kind in KINDS)


def test_the_same_seed_makes_the_same_pictures(pen: LabelledDrawings, real: list[Picture]):
    again = next(iter(pictures(pen, 1, SEED)))
    assert again == real[0]
    assert next(iter(pictures(pen, 1, SEED + 1))).content != again.content


def test_numbers_of_three_digits(pen: LabelledDrawings, classifier: Classifier):
    numbers = list(pictures(pen, 10, SEED, [*PHOTOGRAPHS, "paint"], digits=3))
    readings = [classifier.read_picture(number.open()) for number in numbers]
    right = sum(r.number == n.number for r, n in zip(readings, numbers, strict=True))
    assert right >= 8
    for reading in readings:
        lefts = [digit.stages.box[0] for digit in reading.digits]
        assert lefts == sorted(lefts)
        assert all(len(digit.guesses) == 3 for digit in reading.digits)


def page(colour: tuple[int, int, int], ink: tuple[int, int, int], size=(600, 400)) -> Image.Image:
    """An L in one colour on another."""
    image = Image.new("RGB", size, colour)
    ImageDraw.Draw(image).line((200, 100, 200, 300, 320, 300), fill=ink, width=20)
    return image


def as_photograph(image: Image.Image) -> Image.Image:
    """Half of it in the shade, with the grain of a sensor."""
    pixels = np.asarray(image.filter(ImageFilter.GaussianBlur(1)), np.float32)
    light = np.linspace(1, 0.4, image.width)[None, :, None]
    noise = np.random.default_rng(0).normal(0, 3, pixels.shape)
    return Image.fromarray((pixels * light + noise).clip(0, 255).astype(np.uint8))


def written(image: Image.Image) -> np.ndarray:
    mask = Image.new("1", image.size)
    ImageDraw.Draw(mask).line((200, 100, 200, 300, 320, 300), fill=1, width=20)
    return np.asarray(mask)


@pytest.mark.parametrize("make", [lambda image: image, as_photograph])
@pytest.mark.parametrize(
    ("paper", "ink"),
    [
        ((255, 255, 255), (0, 0, 0)),
        ((20, 30, 25), (230, 230, 220)),
        ((250, 230, 90), (40, 60, 160)),
        ((120, 120, 120), (220, 60, 60)),
        ((90, 160, 90), (200, 110, 90)),  # the same luminance
    ],
)
def test_ink_in_any_colours(paper, ink, make):
    image = make(page(paper, ink))
    found = find_ink(image)
    (box,) = found.boxes
    assert box == pytest.approx((190, 100, 130, 210), abs=12)
    mask, truth = found.image >= 128, written(image)
    assert (mask & truth).sum() / (mask | truth).sum() > 0.8


@pytest.mark.parametrize("ruling", ["lined", "squared"])
def test_ruled_lines_are_not_ink(ruling: str):
    image = page((245, 245, 240), (30, 30, 60))
    draw = ImageDraw.Draw(image)
    for y in range(20, 400, 40):
        draw.line((0, y, 600, y + 8), fill=(90, 90, 120), width=2)
    if ruling == "squared":
        for x in range(20, 600, 40):
            draw.line((x, 0, x - 6, 400), fill=(90, 90, 120), width=2)
    found = find_ink(as_photograph(image))
    assert len(found.boxes) == 1
    assert found.image[:80].max() < 64
    assert found.image[:, 400:].max() < 64


def test_a_table_around_the_paper_is_not_ink():
    image = page((245, 245, 240), (30, 30, 60))
    ImageDraw.Draw(image).rectangle((0, 0, 90, 400), fill=(70, 50, 40))
    (box,) = find_ink(as_photograph(image)).boxes
    assert box == pytest.approx((190, 100, 130, 210), abs=12)


def test_light_ink_on_a_transparent_canvas_is_seen():
    ink = np.zeros((100, 80, 4), np.uint8)
    ink[20:80, 36:44] = 255
    (box,) = find_ink(Image.fromarray(ink)).boxes
    assert box == (36, 20, 8, 60)


def test_boxes_are_in_pixels_of_the_whole_picture(tmp_path: Path, classifier: Classifier):
    large = page((255, 255, 255), (0, 0, 0)).resize((3000, 2000))
    large.save(tmp_path / "large.jpg")
    opened = open_picture(tmp_path / "large.jpg")
    assert max(opened.size) < 2000  # decoded at a fraction of its size
    assert opened.info[FULL_SIZE] == (3000, 2000)
    (digit,) = classifier.read_picture(opened).digits
    assert digit.stages.box == pytest.approx((950, 500, 650, 1050), abs=20)


def test_an_open_file_is_read_as_one_on_disk(tmp_path: Path):
    image = page((255, 255, 255), (0, 0, 0)).resize((3000, 2000))
    image.save(tmp_path / "large.jpg")
    content = io.BytesIO((tmp_path / "large.jpg").read_bytes())
    content.seek(100)
    opened, same = open_picture(content), open_picture(tmp_path / "large.jpg")
    assert opened.info[FULL_SIZE] == (3000, 2000)
    assert opened.size == same.size
    assert np.array_equal(np.asarray(opened), np.asarray(same))


@pytest.mark.parametrize("size", [(600, 400), (40, 28)])
def test_ink_is_outlined(size: tuple[int, int]):
    image = page((255, 255, 255), (0, 0, 0)).resize(size, Image.Resampling.BOX)
    drawn = outlined(image, find_ink(image).image, 480)
    assert drawn.size == (480, 320 if size[0] == 600 else 336)
    red, _, blue = np.moveaxis(np.asarray(drawn, int), 2, 0)
    orange = red - blue > 100
    # Around the ink and nowhere else: next to the L, not in the empty right half.
    assert orange.any()
    assert not orange[:, 300:].any()
    assert not orange[: drawn.height // 6].any()


def test_the_largest_picture_is_looked_at_small():
    assert upright(Image.new("L", (5000, 3000), 255)).shape == (600, 1000, 3)


@pytest.mark.parametrize("width", [3, 8, 21])
def test_the_width_of_a_stroke(width: int):
    ink = np.zeros((200, 100), np.uint8)
    ink[10:190, 40 : 40 + width] = 255
    assert stroke_width(ink) == pytest.approx(width, rel=0.15)
    assert stroke_width(np.zeros((5, 5), np.uint8)) == 0


@pytest.mark.parametrize("stroke", [0.02, 0.3])
def test_thin_and_thick_pens_become_alike(pen, classifier: Classifier, stroke: float):
    """Drawn with pens far from MNIST's, and still read."""
    random = np.random.default_rng(3)
    right = 0
    for drawing, label in zip(pen.drawings[:40], pen.labels[:40].tolist(), strict=True):
        from tests.photographs import coverage

        mask = coverage([drawing], (400, 400), 220, stroke, random)
        right += classifier.read_picture(mask).number == str(label)
    assert right >= 36


def test_a_blank_photograph_has_no_ink():
    assert find_ink(as_photograph(Image.new("RGB", (700, 500), (235, 235, 230)))).boxes == ()


class TestRefused:
    def complaint(self, path: Path) -> str:
        with pytest.raises(PictureError) as error:
            open_picture(path)
        return str(error.value)

    def test_animated(self, tmp_path: Path):
        frames = [Image.new("L", (50, 50), grey) for grey in (0, 255)]
        frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
        assert "animated" in self.complaint(tmp_path / "a.gif")

    @pytest.mark.parametrize(
        ("content", "sentence"),
        [
            (b"", "not a picture"),
            (b"hello", "not a picture"),
            (bytes(MAX_FILE_BYTES + 1), "The file is over 10 MB."),
            (png_header(30_000, 30_000), "over 50 megapixels"),
            (png_header(100, 100), "damaged or cut short"),
        ],
    )
    def test_an_open_file(self, content: bytes, sentence: str):
        with pytest.raises(PictureError, match=sentence):
            open_picture(io.BytesIO(content))

    def test_a_photograph_with_a_preview_behind_is_read(self, tmp_path: Path):
        frames = [page((255, 255, 255), (0, 0, 0)), Image.new("RGB", (60, 40))]
        frames[0].save(tmp_path / "phone.mpo", save_all=True, append_images=frames[1:])
        assert len(find_ink(open_picture(tmp_path / "phone.mpo")).boxes) == 1

    def test_one_pixel(self, tmp_path: Path):
        Image.new("L", (1, 1)).save(tmp_path / "one.png")
        assert self.complaint(tmp_path / "one.png") == "The picture is only 1 x 1 pixels large."


def test_a_photograph_may_be_asked_for_in_any_size(pen: LabelledDrawings):
    photo = picture(
        "lined paper", [pen.drawings[0]], "0", np.random.default_rng(0), size=(800, 600)
    )
    with Image.open(io.BytesIO(photo.content)) as image:
        assert sorted(image.size) == [600, 800]
