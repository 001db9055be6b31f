"""From a picture to what a vision network reads, as the image processors of transformers 5.23 do it with Pillow:
resized, cut to the middle, scaled, normalised (`CLIPImageProcessorPil`, `SiglipImageProcessorPil`).

Where torchvision is installed the library resizes with that: fewer than one number in a hundred is then another one, by
one or two of 255.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from embedway.errors import InvalidInput, ModelFilesError, UnsupportedModel
from embedway.models.folder import read_json
from embedway.models.images import LIMITS

Floats = npt.NDArray[np.float32]
Size = tuple[int, int]
"""Height and width."""

PROCESSOR = "processor_config.json"
IMAGE_PROCESSOR = "preprocessor_config.json"
"""Where the image processor's settings are: since version 5 within the first, before in a file of their own."""


@dataclass(frozen=True, slots=True)
class Preparation:
    """How a picture is prepared. `shortest` is the length that its shorter side gets; `size` what it is resized to
    whatever its shape; one of them or none. `crop` is cut out of the middle. Colours 0 to 255 are multiplied by
    `factor`, and then `mean` is subtracted and divided by `deviation`, for red, green and blue.
    """

    shortest: int | None
    size: Size | None
    resample: Image.Resampling
    crop: Size | None
    factor: float
    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def result(self) -> Size | None:
        """The size that every picture has in the end, or None where that depends on the picture."""
        return self.crop or self.size

    def apply(self, picture: Image.Image) -> Floats:
        """Channels first, `[3, height, width]`. Raises `InvalidInput` for a picture too long and thin to be resized."""
        pixels = np.asarray(self._resize(picture))
        if self.crop is not None:
            pixels = cut_middle(pixels, self.crop)
        scaled = pixels.astype(np.float32) * np.float32(self.factor)
        mean, deviation = (np.array(numbers, dtype=np.float32) for numbers in (self.mean, self.deviation))
        return np.ascontiguousarray(((scaled - mean) / deviation).transpose(2, 0, 1))

    def _resize(self, picture: Image.Image) -> Image.Image:
        target = self.size or (self.shortest and keep_shape(picture, self.shortest))
        if not target:
            return picture
        height, width = target
        if height * width > LIMITS.pixels:
            raise InvalidInput(
                f"The image of {picture.width} x {picture.height} pixels is too long and thin for this model: "
                "cut it first."
            )
        return picture.resize((width, height), self.resample)


def keep_shape(picture: Image.Image, shortest: int) -> Size:
    """Height and width with the shorter side `shortest`, the longer one in proportion and rounded down."""
    width, height = picture.size
    longest = int(shortest * max(width, height) / min(width, height))
    return (longest, shortest) if width <= height else (shortest, longest)


def cut_middle(pixels: npt.NDArray[np.uint8], size: Size) -> npt.NDArray[np.uint8]:
    """The middle of `[height, width, 3]`; what is smaller is surrounded by black."""
    short = [max(0, wanted - there) for wanted, there in zip(size, pixels.shape, strict=False)]
    if any(short):
        pixels = np.pad(pixels, [(-(-one // 2), one // 2) for one in short] + [(0, 0)])
    top, left = ((there - wanted) // 2 for wanted, there in zip(size, pixels.shape, strict=False))
    return pixels[top : top + size[0], left : left + size[1]]


def unfold(pixels: Floats, side: int) -> Floats:
    """`[channels, height, width]` -> `[patches, channels * side * side]`, row by row of patches; what is left over on
    the right and below is not seen, as by a convolution.
    """
    channels, height, width = pixels.shape
    down, across = height // side, width // side
    patches = pixels[:, : down * side, : across * side].reshape(channels, down, side, across, side)
    return np.ascontiguousarray(patches.transpose(1, 3, 0, 2, 4)).reshape(down * across, -1)


def read_preparation(folder: Path, defaults: Mapping[str, Any]) -> Preparation:
    """What the folder says of its image processor; what it leaves open is in `defaults`, that class's own.

    Raises `ModelFilesError` where it says nothing, or what does not fit together; `UnsupportedModel` for what is not
    done here.
    """
    told = {**defaults, **{key: value for key, value in _settings(folder).items() if value is not None}}
    try:
        shortest, size = _read_size(folder, told) if told["do_resize"] else (None, None)
        return Preparation(
            shortest=shortest,
            size=size,
            resample=Image.Resampling(told["resample"]),
            crop=_pair(told["crop_size"]) if told["do_center_crop"] else None,
            factor=float(told["rescale_factor"]) if told["do_rescale"] else 1.0,
            mean=_colours(told["image_mean"]) if told["do_normalize"] else (0.0, 0.0, 0.0),
            deviation=_colours(told["image_std"]) if told["do_normalize"] else (1.0, 1.0, 1.0),
        )
    except (TypeError, ValueError, LookupError) as error:
        raise ModelFilesError(
            f"The image processor's settings in {folder} are damaged ({error}): fetch them again."
        ) from error


def _settings(folder: Path) -> Mapping[str, Any]:
    if (folder / PROCESSOR).is_file():
        nested = read_json(folder / PROCESSOR, dict[str, Any]).get("image_processor")
        if isinstance(nested, dict):
            return nested
    if not (folder / IMAGE_PROCESSOR).is_file():
        raise ModelFilesError(f"{folder} has no {IMAGE_PROCESSOR}, which says how images are prepared: fetch it too.")
    return read_json(folder / IMAGE_PROCESSOR, dict[str, Any])


def _read_size(folder: Path, told: Mapping[str, Any]) -> tuple[int | None, Size | None]:
    size = told["size"]
    if isinstance(size, int):
        return (None, (size, size)) if told["square"] else (size, None)
    if not isinstance(size, dict):
        raise ValueError(f"{size!r} is no size")  # noqa: TRY004 -- of a file, not of an argument
    if "longest_edge" in size or not ({"height", "width"} <= size.keys() or "shortest_edge" in size):
        raise UnsupportedModel(
            f"The model in {folder} is not supported yet: its images are resized by {' and '.join(sorted(size))}."
        )
    if "shortest_edge" in size:
        return _positive(size["shortest_edge"]), None
    return None, _pair(size)


def _pair(size: Any) -> Size:
    if isinstance(size, int):
        return _positive(size), _positive(size)
    return _positive(size["height"]), _positive(size["width"])


def _positive(value: Any) -> int:
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{value!r} is no length in pixels")
    return value


def _colours(values: Any) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != 3:
        raise ValueError(f"{values!r} are not three colours")
    return numbers
