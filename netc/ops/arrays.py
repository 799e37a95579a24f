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


def log_one_plus_exp(z: Any) -> Any:
    """log(1 + exp z). Both parts take the same side at 0, so that a complex step sees no kink where there is none."""
    return np.where(z.real < 0, 0, z) + np.log1p(np.exp(-magnitude(z)))


__all__ = ["log_one_plus_exp", "magnitude", "np"]
