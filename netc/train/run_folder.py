"""The folder of a run: what stands in it, written whole or not at all, and read back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from netc.diagnostics import Refused
from netc.diagnostics import wording_train as say
from netc.files.write import write_all, write_files
from netc.train.preprocess import Preprocess, from_json

WEIGHTS = "best.safetensors"
METRICS = "metrics.jsonl"
CURVES = "curves.png"
RUN = "run.json"
TEXTS = ("net", "class_name", "module", "onnx", "data")


@dataclass(frozen=True)
class Run:
    """What must be known of a run to evaluate it; `module` and `onnx` are files in its folder.

    settings: what --set gave the net. start: the file that the first weights came from, if any.
    """

    folder: Path
    net: str
    class_name: str
    module: str
    onnx: str
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


def new_folder(name: str, asked: Path | None = None, root: Path = Path("runs")) -> Path:
    """A folder that did not exist: the one asked for, or root/NAME-001 and so on."""
    if asked:
        try:
            asked.mkdir(parents=True)
        except FileExistsError:
            raise Refused(say.run_exists(asked)) from None
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
    write(path, json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_run(folder: Path) -> Run:
    """What run.json in `folder` says."""
    try:
        data = json.loads((folder / RUN).read_text("utf-8"))
        texts = {key: data[key] for key in TEXTS}
        classes = data["classes"]
        if not all(isinstance(text, str) for text in (*texts.values(), *classes)):
            raise ValueError("a name in run.json is not a text")
        if any(Path(texts[key]).name != texts[key] for key in ("module", "onnx")):
            raise ValueError("run.json names a file outside the folder")
        run = Run(folder, **texts, classes=tuple(classes), preprocess=from_json(data["preprocess"]))
    except FileNotFoundError:
        raise Refused(say.not_a_run(folder, f"it has no {RUN}")) from None
    except NotADirectoryError:
        raise Refused(say.not_a_run(folder, "it is a file; give the run's folder")) from None
    except KeyError as error:
        raise Refused(say.not_a_run(folder, f"{RUN} lacks {error}")) from None
    except OSError as error:
        raise Refused(say.not_a_run(folder, error.strerror or str(error))) from None
    except (ValueError, TypeError) as error:
        raise Refused(say.not_a_run(folder, str(error))) from None
    if not run.weights.is_file():
        raise Refused(say.not_a_run(folder, f"it has no {WEIGHTS}"))
    return run
