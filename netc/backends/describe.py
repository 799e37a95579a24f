"""Turns a net into the description that its files carry: its name, what inputs must meet, how to feed it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from netc import __version__
from netc.ir.module import Net


def describe(
    net: Net,
    preprocess: Mapping[str, Any] | None = None,
    classes: Sequence[str] | None = None,
    training: Mapping[str, Any] | None = None,
    layouts: Mapping[str, Any] | None = None,
) -> str:
    """JSON for the one key "netc" of a file's metadata: several keys come out in random order elsewhere."""
    needed = [str(c) for c in net.constraints if training is not None or not c.training]
    facts: dict[str, Any] = {
        "net": net.name,
        "version": __version__,
        "constraints": needed,
    }
    if preprocess is not None:
        facts["preprocess"] = dict(preprocess)
    if classes is not None:
        facts["classes"] = list(classes)
    if training is not None:
        facts["training"] = dict(training)
    if layouts:
        facts["layouts"] = dict(layouts)
    return json.dumps(facts, separators=(",", ":"))
