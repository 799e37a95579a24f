"""Runs an ONNX file in a process of its own: a path on standard input, then inputs, to outputs on standard output."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from typing import Any

PROVIDERS = {"cpu": ["CPUExecutionProvider"], "cuda": ["CUDAExecutionProvider", "CPUExecutionProvider"]}
HEAD = 16  # bytes before a message: the length of its header, a JSON table, and of the bytes behind it
LARGEST = 2**31 - 1  # bytes of an ONNX file
LONGEST = 2000  # characters of a reason
# Only fatal messages: onnxruntime reports a GPU that is not there as an error, and then does without.
QUIET = 4


def pack(header: dict[str, Any], data: bytes | memoryview = b"") -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + len(data).to_bytes(8, "little") + text + data


def serve(source: Any, target: int) -> None:
    """Answers messages until there are no more."""
    session = None
    while True:
        head = source.read(HEAD)
        if len(head) < HEAD:
            return
        header = json.loads(source.read(int.from_bytes(head[:8], "little")))
        data = source.read(int.from_bytes(head[8:], "little"))
        try:
            if session is None:
                session = _load(header["path"], header["device"])
                reply = pack(_facts(session))
            else:
                reply = _run(session, header, data)
        except ImportError as error:
            reply = pack({"missing": error.name})
        except Exception as error:  # onnxruntime's exceptions have no base class of their own
            reply = pack({"error": str(error)[:LONGEST] or type(error).__name__})
        view = memoryview(reply)
        while view:
            view = view[os.write(target, view) :]


def _load(path: str, device: str) -> Any:
    import onnxruntime as ort

    from netc.files.read import open_regular, read_regular

    open_regular(path, LARGEST).close()
    available = ort.get_available_providers()
    wanted = device
    if wanted == "auto":
        wanted = "cuda" if PROVIDERS["cuda"][0] in available else "cpu"
    options = ort.SessionOptions()
    options.log_severity_level = QUIET
    ort.set_default_logger_severity(QUIET)
    # onnxruntime takes a name that is UTF-8 alone.
    is_text = path.encode(errors="replace") == os.fsencode(path)
    file = path if is_text else read_regular(path, LARGEST)
    return ort.InferenceSession(file, options, [p for p in PROVIDERS[wanted] if p in available])


def _facts(session: Any) -> dict[str, Any]:
    """What is to be known of a loaded file. shape: names and None stand for sizes that are free."""
    return {
        "inputs": [{"name": i.name, "type": i.type, "shape": i.shape} for i in session.get_inputs()],
        "metadata": session.get_modelmeta().custom_metadata_map.get("netc"),
        "providers": session.get_providers(),
    }


def _run(session: Any, header: dict[str, Any], data: bytes) -> bytes:
    """The first output in float32, or its shape alone where it is not the one that is wanted."""
    import numpy as np

    if not (outputs := session.get_outputs()):
        raise ValueError("it has no output")
    batch = np.frombuffer(data, np.float32).reshape(header["shape"])
    (output,) = session.run([outputs[0].name], {session.get_inputs()[0].name: batch})
    shape = [int(size) for size in np.shape(output)]
    if shape != header["wanted"]:
        return pack({"shape": shape})
    return pack({"shape": shape}, np.ascontiguousarray(output, np.float32).tobytes())


def _end_with(parent: int) -> None:
    """Ends this process with its parent, also in the midst of a computation."""
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(1)


def main() -> None:
    replies = os.dup(1)
    os.dup2(2, 1)  # what onnxruntime prints is no reply
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    serve(sys.stdin.buffer, replies)
