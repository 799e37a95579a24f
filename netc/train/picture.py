"""Turns an image file into bytes [H, W, C], within limits."""

import warnings
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.files.read import open_regular, reason
from netc.train.dataset import Bytes

# Named, because Pillow reads others by looking for programs of the system (EPS), or hardly tested.
FORMATS = ("AVIF", "BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TIFF", "WEBP")
MODES = {1: "L", 3: "RGB"}
MOST_PIXELS = 2**26  # what a large photograph has
MOST_BYTES = 2**30
BITS_PER_SAMPLE, PHOTOMETRIC = 258, 262  # tags of TIFF
# What Pillow warns of (a palette's transparency, a damaged tag) either does not matter for pixels or is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


def open_picture(path: Path, channels: int, most: int = MOST_PIXELS) -> Image.Image:
    """The picture, decoded, upright, in grey or in colours."""
    try:
        with open_regular(path, MOST_BYTES) as file, Image.open(file, formats=_known()) as image:
            if image.width * image.height > most:
                raise Refused(say.too_many_pixels(path, image.size, most))
            depth = _depth(image, path)
            # From a file object: by its path, Pillow maps a raw TIFF that is to be turned with a wrong stride.
            negative = depth > 8 and _tag(image, PHOTOMETRIC) == 0  # Pillow inverts 8 bits alone
            return _of_bytes(ImageOps.exif_transpose(image), depth, negative).convert(MODES[channels])
    except Refused:
        raise
    except FileNotFoundError:
        raise Refused(say.not_an_image(path, "there is no such file")) from None
    except UnidentifiedImageError:
        raise Refused(say.not_an_image(path, f"it is none of {', '.join(_known())}, or damaged")) from None
    except OSError as error:
        raise Refused(say.not_an_image(path, reason(error))) from None
    except Exception as error:  # of whatever kind a decoder raises for a damaged file
        why = str(error) or "it is damaged"
        raise Refused(say.not_an_image(path, f"{type(error).__name__}: {why}")) from None


@cache
def _known() -> tuple[str, ...]:
    """The formats that this Pillow was built to read."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _depth(image: Image.Image, path: Path) -> int:
    """Bits of a channel; refused where numbers have no range to scale by, as Pillow would clip them to 0..255."""
    if image.mode.startswith("I;16"):
        return 12 if _tag(image, BITS_PER_SAMPLE) == (12,) else 16
    if image.mode == "I" and image.format in ("PNG", "PPM"):  # as some versions of Pillow hold 16 bits
        return 16
    if image.mode in ("I", "F"):
        raise Refused(
            say.no_range(path, "32-bit integers" if image.mode == "I" else "floating-point numbers")
        )
    return 8


def _tag(image: Image.Image, number: int) -> object:
    """A tag of a TIFF file, None in other formats."""
    return getattr(image, "tag_v2", {}).get(number)


def _of_bytes(image: Image.Image, depth: int, negative: bool) -> Image.Image:
    """8 bits a channel, scaled by the range of the mode. negative: 0 is white."""
    if depth > 8:
        gray = (np.asarray(image) >> (depth - 8)).astype(np.uint8)
        return Image.fromarray(255 - gray if negative else gray)
    if image.mode == "P" and isinstance(image.info.get("transparency"), bytes):
        return image.convert("RGBA")
    return image


def pixels(image: Image.Image) -> Bytes:
    """The bytes [H, W, C] of a grey or coloured picture."""
    array = np.asarray(image, dtype=np.uint8)
    return array[..., None] if array.ndim == 2 else array


def save_picture(array: Bytes, path: Path) -> None:
    """Write bytes [H, W, C] as a PNG."""
    Image.fromarray(array[..., 0] if array.shape[-1] == 1 else array).save(path, "PNG")
