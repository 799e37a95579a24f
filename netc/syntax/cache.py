"""Names the file in which the grammar's parse tables are kept between runs."""

import os
from hashlib import sha256
from pathlib import Path


def cache_file(grammar: str) -> str | bool:
    """A file in the user's own cache folder (lark's cache is a pickle), or False where there is none."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    folder = Path(base) / "netc"
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.getuid() or folder.stat().st_mode & 0o022:
            return False
    except (OSError, AttributeError):
        return False
    return str(folder / f"grammar-{sha256(grammar.encode()).hexdigest()[:16]}.lark")
