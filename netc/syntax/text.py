"""Turns the bytes of a file into text that is safe to read and to show, or refuses them."""

import re

from netc.diagnostics import wording
from netc.diagnostics.diagnostic import Refused
from netc.diagnostics.source import Source, Span

FILE_BYTES = 1 << 20
FORBIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def read_text(path: str, data: bytes) -> Source:
    """The source in `data`: UTF-8, one byte-order mark dropped, CRLF made LF.

    Raises Refused for a file over 1 MiB, text that is not UTF-8 and characters that would hide or
    disguise other text (control characters, bidirectional and zero-width marks, a lone CR).
    """
    if len(data) > FILE_BYTES:
        raise Refused(wording.file_too_large(path, len(data), FILE_BYTES))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused(wording.not_utf8(path, error.start)) from None
    source = Source(path, text.replace("\r\n", "\n"))
    if found := FORBIDDEN.search(source.text):
        raise Refused(
            wording.forbidden_character(Span(source, found.start(), found.end()), ord(found.group()))
        )
    return source
