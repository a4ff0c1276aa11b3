import math
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from mnist_mlp.classify import Classifier
from mnist_mlp.data import Dataset, LabelledDrawings
from mnist_mlp.model import normalise
from mnist_mlp.pictures import PictureError, open_picture
from mnist_mlp.preprocess import (
    MAX_POINTS,
    MAX_STROKES,
    Drawing,
    DrawingError,
    images_of_drawings,
    render,
    stages_of_drawing,
    stages_of_picture,
)

SEVEN = [[[60, 200, 110], [50, 50, 220]]]


def centre_of_mass(image: np.ndarray) -> tuple[float, float]:
    ys, xs = np.mgrid[: image.shape[0], : image.shape[1]]
    return float((xs * image).sum() / image.sum()), float((ys * image).sum() / image.sum())


def black_on_white_picture() -> Image.Image:
    """A 7 in black on a white page, off the middle."""
    page = Image.new("L", (700, 900), 255)
    page.paste(Image.fromarray(render(Drawing.from_lists(SEVEN))).resize((300, 300)), (350, 20))
    return page


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    """What the network should see of `black_on_white_picture`, however it is stored."""
    return stages_of_picture(black_on_white_picture())[0].centred.astype(int)


class TestDrawing:
    def test_stages_follow_lecun(self):
        stages = stages_of_drawing(Drawing.from_lists(SEVEN))
        assert stages.black_on_white.shape == (512, 512)
        assert stages.black_on_white[0, 0] == 255
        assert stages.black_on_white[100, 260] == 0  # on the bar of the 7
        np.testing.assert_array_equal(stages.white_on_black, 255 - stages.black_on_white)
        width, height = stages.box[2:]
        assert stages.cropped.shape == (height, width)
        assert all(edge.any() for edge in (stages.cropped[0], stages.cropped[-1]))
        assert all(edge.any() for edge in (stages.cropped[:, 0], stages.cropped[:, -1]))
        assert max(stages.scaled.shape) == 20
        ratio = stages.scaled.shape[1] / stages.scaled.shape[0]
        assert ratio == pytest.approx(width / height, abs=0.05)
        assert len(np.unique(stages.scaled)) > 2  # anti-aliased
        assert stages.centred.shape == (28, 28)
        assert stages.centred.dtype == np.uint8
        assert stages.centred.sum() == stages.scaled.sum()
        # MNIST's own images have it between 13.5 and 14.5, counted from pixel 0.
        assert centre_of_mass(stages.centred) == pytest.approx((14, 14), abs=0.5)

    @pytest.mark.parametrize("move", [(0, 0), (-40, 25), (30, -35)])
    @pytest.mark.parametrize("size", [0.3, 0.7, 1.0])
    @pytest.mark.parametrize("brush", [4, 14, 30])
    def test_neither_place_nor_size_nor_brush_matters(self, move, size, brush):
        reference = stages_of_drawing(Drawing.from_lists(SEVEN)).centred.astype(int)
        stroke = [
            [128 + move[0] + size * (x - 128) for x in SEVEN[0][0]],
            [128 + move[1] + size * (y - 128) for y in SEVEN[0][1]],
        ]
        moved = stages_of_drawing(Drawing.from_lists([stroke], brush)).centred.astype(int)
        assert np.abs(moved - reference).mean() < 4

    def test_the_picture_shows_the_brush_that_was_used(self):
        thin, thick = (render(Drawing.from_lists(SEVEN, brush)) for brush in (4, 30))
        assert (thick == 0).sum() > 5 * (thin == 0).sum()

    def test_nothing_drawn_gives_nothing(self):
        assert stages_of_drawing(Drawing.from_lists([])) is None
        assert stages_of_drawing(Drawing.from_lists([[[], []]])) is None

    def test_ink_beside_the_pad_is_not_seen(self):
        assert stages_of_drawing(Drawing.from_lists([[[400, 420], [30, 40]]])) is None

    def test_a_tap_is_a_dot(self):
        stages = stages_of_drawing(Drawing.from_lists([[[100], [100]]]))
        assert stages.scaled.shape == (20, 20)
        assert stages.scaled[10, 10] == 255

    def test_a_stroke_that_leaves_the_pad_is_cut_at_its_edge(self):
        stages = stages_of_drawing(Drawing.from_lists([[[128, 400], [128, 128]]]))
        left, _, width, _ = stages.box
        assert left + width == 512

    @pytest.mark.parametrize(
        ("drawing", "complaint"),
        [
            ("7", "list of strokes"),
            (None, "list of strokes"),
            ([[1, 2]], "list of x and a list of y"),
            ([[[1, 2], [1]]], "same length"),
            ([[[1, math.nan], [1, 2]]], "finite"),
            ([[[1, math.inf], [1, 2]]], "finite"),
            ([[[1, "2"], [1, 2]]], "finite"),
            ([[[1, True], [1, 2]]], "finite"),
            ([[[1, 10_000], [1, 2]]], "outside"),
            ([[[1], [1]]] * (MAX_STROKES + 1), "200 strokes"),
            ([[[1] * (MAX_POINTS + 1), [1] * (MAX_POINTS + 1)]], "20,000 points"),
        ],
    )
    def test_a_bad_drawing_gives_one_sentence(self, drawing, complaint):
        with pytest.raises(DrawingError, match=complaint):
            Drawing.from_lists(drawing)

    @pytest.mark.parametrize("brush", [0, -3, 1000, math.nan, "14", None])
    def test_a_bad_brush_gives_one_sentence(self, brush):
        with pytest.raises(DrawingError, match="brush"):
            Drawing.from_lists(SEVEN, brush)

    def test_the_largest_drawing_is_taken(self):
        xs = [128 + 100 * math.cos(i / 50) for i in range(100)]
        stroke = [xs, xs[::-1]]
        assert stages_of_drawing(Drawing.from_lists([stroke] * MAX_STROKES)) is not None

    def test_many_drawings_at_once_are_the_same(self, val_anywhere: LabelledDrawings):
        drawings = val_anywhere.drawings[:20]
        images = images_of_drawings(drawings)
        for image, drawing in zip(images, drawings, strict=True):
            np.testing.assert_array_equal(image, stages_of_drawing(drawing).centred)


class TestPicture:
    @pytest.mark.parametrize(
        "mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "I", "F"]
    )
    def test_any_mode(self, mode: str, expected: np.ndarray):
        picture = black_on_white_picture().convert(mode)
        assert np.abs(stages_of_picture(picture)[0].centred - expected).mean() < 2

    def test_sixteen_bits(self, expected: np.ndarray):
        wide = np.asarray(black_on_white_picture()).astype(np.uint16) * 257
        picture = Image.fromarray(wide)
        assert picture.mode == "I;16"
        assert np.abs(stages_of_picture(picture)[0].centred - expected).mean() < 2

    def test_white_on_black_is_the_same(self, expected: np.ndarray):
        picture = Image.fromarray(255 - np.asarray(black_on_white_picture()))
        np.testing.assert_array_equal(stages_of_picture(picture)[0].centred, expected)

    def test_black_strokes_on_a_transparent_canvas(self, expected: np.ndarray):
        ink = 255 - np.asarray(black_on_white_picture())
        layers = [np.zeros_like(ink)] * 3 + [ink]
        picture = Image.fromarray(np.stack(layers, axis=2), "RGBA")
        np.testing.assert_array_equal(stages_of_picture(picture)[0].centred, expected)

    def test_a_palette_with_a_transparent_colour(self, expected: np.ndarray):
        picture = black_on_white_picture().point(lambda v: 255 * (v > 127)).convert("P")
        picture.info["transparency"] = 255
        assert np.abs(stages_of_picture(picture)[0].centred - expected).mean() < 2

    def test_exif_orientation(self, tmp_path: Path, expected: np.ndarray):
        turned = black_on_white_picture().transpose(Image.Transpose.ROTATE_90)
        exif = Image.Exif()
        exif[0x0112] = 6  # shown upright after a quarter turn clockwise
        turned.save(tmp_path / "photo.png", exif=exif)
        upright = open_picture(tmp_path / "photo.png")
        np.testing.assert_array_equal(stages_of_picture(upright)[0].centred, expected)

    @pytest.mark.parametrize("grey", [0, 90, 255])
    def test_a_blank_page_has_no_ink(self, grey: int):
        assert stages_of_picture(Image.new("L", (300, 200), grey)) == ()

    def test_noise_without_ink_is_no_ink(self):
        noise = np.random.default_rng(0).normal(200, 4, (200, 200)).clip(0, 255)
        assert stages_of_picture(Image.fromarray(noise.astype(np.uint8))) == ()

    def test_the_smallest_picture(self):
        assert stages_of_picture(Image.new("L", (1, 1))) == ()

    @pytest.mark.parametrize("inverted", [False, True])
    @pytest.mark.parametrize("resample", [Image.Resampling.NEAREST, Image.Resampling.BICUBIC])
    def test_mnist_images_enlarged_and_moved_keep_their_prediction(
        self, mnist: Dataset, classifier: Classifier, inverted: bool, resample
    ):
        random = np.random.default_rng(0)
        images = mnist.test.images[:500]
        with torch.inference_mode():
            expected = classifier.model(normalise(images)).argmax(dim=1).tolist()
        same = 0
        for image, digit in zip(images.numpy(), expected, strict=True):
            page = Image.new("L", (600, 500))
            corner = int(random.integers(0, 320)), int(random.integers(0, 220))
            page.paste(Image.fromarray(image).resize((280, 280), resample), corner)
            if inverted:
                page = Image.fromarray(255 - np.asarray(page))
            same += classifier.read_picture(page).number == str(digit)
        assert same >= 495


class TestOpenPicture:
    @pytest.fixture
    def bad(self, tmp_path: Path) -> Path:
        return tmp_path / "bad.png"

    def complaint(self, path: Path) -> str:
        with pytest.raises(PictureError) as error:
            open_picture(path)
        return str(error.value)

    def test_missing(self, bad: Path):
        assert self.complaint(bad) == "There is no such file."

    def test_a_folder(self, tmp_path: Path):
        assert self.complaint(tmp_path) == "This is a folder, not a picture."

    def test_text(self, bad: Path):
        bad.write_text("hello")
        assert "not a picture" in self.complaint(bad)

    def test_truncated(self, bad: Path):
        black_on_white_picture().save(bad)
        bad.write_bytes(bad.read_bytes()[:900])
        assert "cut short" in self.complaint(bad)

    def test_too_many_pixels_are_refused_from_the_header(self, bad: Path):
        Image.new("1", (9000, 9000)).save(bad)
        # With its pixels gone only the header can be the reason.
        bad.write_bytes(bad.read_bytes()[:200])
        assert "50 megapixels" in self.complaint(bad)

    def test_a_decompression_bomb(self, bad: Path):
        Image.new("1", (30_000, 30_000)).save(bad)
        assert "50 megapixels" in self.complaint(bad)

    def test_too_many_bytes(self, bad: Path):
        bad.write_bytes(bytes(10_000_001))
        assert "10 MB" in self.complaint(bad)
