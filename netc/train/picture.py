"""Turns an image file into bytes [H, W, C], within limits."""

import warnings
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
BITS_PER_SAMPLE = 258  # a tag of TIFF
# What Pillow warns of (a palette's transparency, a damaged tag) either does not matter for pixels or is an error here.
warnings.filterwarnings("ignore", module=r"PIL\.")


def open_picture(path: Path, channels: int, most: int = MOST_PIXELS) -> Image.Image:
    """The picture, decoded, upright, in grey or in colours."""
    try:
        with open_regular(path, MOST_BYTES) as file, Image.open(file, formats=FORMATS) as image:
            if image.width * image.height > most:
                raise Refused(say.too_many_pixels(path, image.size, most))
            depth = _depth(image, path)
            # From a file object: by its path, Pillow maps a raw TIFF that is to be turned with a wrong stride.
            return _of_bytes(ImageOps.exif_transpose(image), depth).convert(MODES[channels])
    except Refused:
        raise
    except FileNotFoundError:
        raise Refused(say.not_an_image(path, "there is no such file")) from None
    except UnidentifiedImageError:
        raise Refused(say.not_an_image(path, f"it is none of {', '.join(FORMATS)}, or damaged")) from None
    except OSError as error:
        raise Refused(say.not_an_image(path, reason(error))) from None
    except Exception as error:  # of whatever kind a decoder raises for a damaged file
        why = str(error) or "it is damaged"
        raise Refused(say.not_an_image(path, f"{type(error).__name__}: {why}")) from None


def _depth(image: Image.Image, path: Path) -> int:
    """Bits of a channel; refused where numbers have no range to scale by, as Pillow would clip them to 0..255."""
    if image.mode.startswith("I;16"):
        return 12 if getattr(image, "tag_v2", {}).get(BITS_PER_SAMPLE) == (12,) else 16
    if image.mode == "I" and image.format == "PPM":  # Pillow has scaled it to 0..65535
        return 16
    if image.mode in ("I", "F"):
        raise Refused(
            say.no_range(path, "32-bit integers" if image.mode == "I" else "floating-point numbers")
        )
    return 8


def _of_bytes(image: Image.Image, depth: int) -> Image.Image:
    """8 bits a channel, scaled by the range of the mode."""
    if depth > 8:
        return Image.fromarray((np.asarray(image) >> (depth - 8)).astype(np.uint8))
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
