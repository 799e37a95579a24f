"""numpy, loaded when it is first used: checking a spec needs none of it, and it is slow to import."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
else:

    class _Numpy:
        """Stands for the module; an attribute of it is looked up once, when it is first asked for."""

        def __getattr__(self, name: str) -> Any:
            found = getattr(import_module("numpy"), name)
            setattr(self, name, found)
            return found

    np = _Numpy()


def magnitude(x: Any) -> Any:
    """|x|; of complex numbers x or -x by the sign of the real part, as a complex step needs it."""
    return np.where(x.real < 0, -x, x) if np.iscomplexobj(x) else np.abs(x)


__all__ = ["magnitude", "np"]
