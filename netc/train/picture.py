"""Turns an image file into bytes [H, W, C], within limits."""

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.train.dataset import Bytes

MODES = {1: "L", 3: "RGB"}
# Pillow itself refuses above 178 million; this is what a large photograph has.
MOST_PIXELS = 2**26


def open_picture(path: Path, channels: int, most: int = MOST_PIXELS) -> Image.Image:
    """The picture, decoded, upright, in grey or in colours."""
    try:
        with Image.open(path) as image:
            if image.width * image.height > most:
                raise Refused(say.too_many_pixels(path, image.size, most))
            return ImageOps.exif_transpose(_of_bytes(image)).convert(MODES[channels])
    except FileNotFoundError:
        raise Refused(say.not_an_image(path, "there is no such file")) from None
    except IsADirectoryError:
        raise Refused(say.not_an_image(path, "it is a folder; give images")) from None
    except UnidentifiedImageError:
        raise Refused(say.not_an_image(path, "its format is not known")) from None
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Refused(say.not_an_image(path, why)) from None


def _of_bytes(image: Image.Image) -> Image.Image:
    """16 bits a pixel become 8: Pillow itself would clip them."""
    if not image.mode.startswith("I;16"):
        return image
    return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))


def pixels(image: Image.Image) -> Bytes:
    """The bytes [H, W, C] of a grey or coloured picture."""
    array = np.asarray(image, dtype=np.uint8)
    return array[..., None] if array.ndim == 2 else array


def save_picture(array: Bytes, path: Path) -> None:
    """Write bytes [H, W, C] as a PNG."""
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(path, "PNG")
