"""The folder of a run: what stands in it, written whole or not at all, and read back."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from shutil import rmtree
from typing import Any

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.diagnostics.wording_weights import cannot_write
from netc.files.read import read_regular, reason
from netc.files.write import missing_folders, remove_empty, write_all, write_files
from netc.train.preprocess import Preprocess, from_json

WEIGHTS = "best.safetensors"
METRICS = "metrics.jsonl"
CURVES = "curves.png"
RUN = "run.json"
RUN_BYTES = 16 << 20
TEXTS = ("net", "class_name", "module", "onnx", "spec", "data")


@dataclass(frozen=True)
class Run:
    """What must be known of a run to evaluate it; `module`, `onnx` and `spec` are files in its folder.

    module: for others to use; netc never runs it. settings: what --set gave the net. start: the file that the first weights came from, if any.
    """

    folder: Path
    net: str
    class_name: str
    module: str
    onnx: str
    spec: str
    data: str
    classes: tuple[str, ...]
    preprocess: Preprocess
    settings: Mapping[str, Any] = field(default_factory=dict)
    start: str | None = None

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def as_json(self) -> dict[str, Any]:
        texts = {key: getattr(self, key) for key in TEXTS}
        return {
            **texts, "settings": dict(self.settings), "start": self.start, "classes": list(self.classes),
            "preprocess": self.preprocess.as_json(),
        }  # fmt: skip


@contextmanager
def new_folder(
    name: str, asked: Path | None = None, root: Path = Path("runs")
) -> Iterator[tuple[Path, Callable[[], None]]]:
    """A folder that did not exist, the one asked for or root/NAME-001 and so on, and how to keep it.

    What fails before it is kept takes it back: the mended command may want the same name.
    """
    missing = missing_folders(asked.parent if asked else root)
    kept = []
    folder: Path | None = None
    try:
        folder = _create(name, asked, root)
        yield folder, lambda: kept.append(True)
    except BaseException:
        if folder and not kept:
            rmtree(folder, ignore_errors=True)
        if not kept:
            remove_empty(missing)
        raise


def _create(name: str, asked: Path | None, root: Path) -> Path:
    if asked:
        try:
            asked.mkdir(parents=True)
        except FileExistsError:
            raise Refused(say.run_exists(asked)) from None
        except OSError as error:
            raise Refused(cannot_write(str(asked), reason(error))) from None
        return asked
    root.mkdir(parents=True, exist_ok=True)
    number = 1 + max((_number(path.name, name) for path in root.iterdir()), default=0)
    while True:
        try:
            (folder := root / f"{name}-{number:03d}").mkdir()
        except FileExistsError:  # another run took it in between
            number += 1
        else:
            return folder


def _number(folder: str, name: str) -> int:
    digits = folder.removeprefix(f"{name}-")
    return (
        int(digits) if folder != digits and digits.isascii() and digits.isdigit() and len(digits) < 9 else 0
    )


def write(path: Path, content: bytes | str) -> None:
    """Put a file in place in one go, so that no reader and no crash sees half of it."""
    data = content.encode() if isinstance(content, str) else content
    write_files({path: lambda descriptor: write_all(descriptor, data)}, sync=True)


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
    if not text.isascii() and any("\ud800" <= c <= "\udfff" for c in text):
        text = json.dumps(data, indent=2, allow_nan=False)  # a path that is not UTF-8 is escaped
    write(path, text + "\n")


def read_run(folder: Path) -> Run:
    """What run.json in `folder` says."""
    try:
        run = _run(folder, json.loads(read_regular(folder / RUN, RUN_BYTES)))
    except FileNotFoundError:
        why = f"it has no {RUN}" if folder.is_dir() else "there is no such folder"
        raise Refused(say.not_a_run(folder, why)) from None
    except NotADirectoryError:
        raise Refused(say.not_a_run(folder, "it is a file; give the run's folder")) from None
    except OSError as error:
        raise Refused(say.not_a_run(folder, f"{RUN}: {reason(error)}")) from None
    except RecursionError:
        raise Refused(say.not_a_run(folder, f"{RUN} is nested too deeply")) from None
    except ValueError as error:
        raise Refused(say.not_a_run(folder, f"{RUN} is not what netc writes: {str(error)[:300]}")) from None
    if not run.weights.is_file():
        raise Refused(say.not_a_run(folder, f"it has no {WEIGHTS}"))
    return run


def _run(folder: Path, data: Any) -> Run:
    """The facts in run.json; raises ValueError, saying what is wrong, for what netc did not write."""
    if not isinstance(data, dict):
        raise ValueError("it is not a table")
    data = {"spec": "spec.net", "settings": {}, **data}  # older runs have their spec there
    if missing := [key for key in (*TEXTS, "classes", "preprocess") if key not in data]:
        raise ValueError(f"it lacks {', '.join(missing)}")
    texts = {key: data[key] for key in TEXTS}
    classes, settings = data["classes"], data["settings"]
    if not isinstance(classes, list) or not all(
        isinstance(text, str) for text in (*texts.values(), *classes)
    ):
        raise ValueError("a name is not a text")
    if len(set(classes)) != len(classes):
        raise ValueError("a class is there twice")
    for key in ("module", "onnx"):
        if not is_inside(texts[key], 1):
            raise ValueError(f"`{key}` is no file in the folder")
    if not is_inside(texts["spec"], 2):
        raise ValueError("`spec` is no file in the folder")
    if not isinstance(settings, dict) or not all(map(_is_setting, settings.values())):
        raise ValueError("`settings` are not names with numbers, texts or lists of them")
    return Run(
        folder, **texts, classes=tuple(classes), preprocess=from_json(data["preprocess"]), settings=settings
    )


def is_inside(name: str, depth: int) -> bool:
    """Whether it names a file in the folder, at most so many folders down."""
    parts = name.split("/")
    return len(parts) <= depth and all(
        p not in ("", ".", "..") and "\0" not in p and "\\" not in p for p in parts
    )


def _is_setting(value: Any, depth: int = 4) -> bool:
    if isinstance(value, list):
        return depth > 0 and all(_is_setting(one, depth - 1) for one in value)
    return isinstance(value, bool | int | str) or (isinstance(value, float) and isfinite(value))
