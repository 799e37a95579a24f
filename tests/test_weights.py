"""Weights: drawn alike everywhere, read strictly, written for all to read, never over a stranger's file."""

import json
import os
import struct
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from handmade import Hand
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open

from netc.backends.onnx_file import write_onnx
from netc.backends.output import SMALL, write_output, written_by_netc
from netc.backends.safetensors_file import read_header
from netc.backends.to_onnx import to_onnx
from netc.backends.to_torch import to_torch
from netc.backends.weights import Drawn, load_weights, opened_weights, write_safetensors
from netc.diagnostics import Refused
from netc.dims import size
from netc.ir.module import Param, Type
from netc.ops.contract import Init
from netc.passes.initial import draw, state


def param(shape, init, dtype="float32", trainable=True):
    return Param("p", Type(dtype, shape), ("p",), init, trainable)


@pytest.fixture
def table():
    hand = Hand()
    x = hand.input("x", "float32", size("N"), 3, 8, 8)
    x = hand.apply("Conv2d", x, path="features.0", out_channels=4, kernel_size=3)
    x = hand.apply("BatchNorm2d", x, path="features.1")
    x = hand.apply("global_avg_pool", x)
    return state(hand.net("Small", hand.apply("Linear", x, path="classifier", out_features=7)))


@pytest.fixture
def stored(table, tmp_path):
    """A file with all weights of `table`, as safetensors itself writes it."""
    arrays = dict(zip(table, Drawn(table).pieces(list(table)), strict=True))
    safetensors.numpy.save_file(arrays, tmp_path / "w.safetensors")
    return tmp_path / "w.safetensors", arrays


def refusals(path, table):
    with pytest.raises(Refused) as refused, opened_weights(path, table):
        pass
    return refused.value.diagnostics


# -- drawing ------------------------------------------------------------------------------------------


def test_every_start():
    assert draw("a", param((2, 3), Init("zeros")), 0).tolist() == [[0] * 3] * 2
    assert draw("a", param((3,), Init("ones")), 0).tolist() == [1, 1, 1]
    assert draw("a", param((), Init("constant", 0.25)), 0) == 0.25
    counter = draw("a", param((), Init("zeros"), "int64"), 0)
    assert counter.dtype == np.int64 and counter == 0
    uniform = draw("a", param((200, 100), Init("uniform", -0.5, 0.25)), 0)
    assert uniform.dtype == np.float32 and -0.5 <= uniform.min() < -0.49 and 0.24 < uniform.max() <= 0.25
    fan = draw("a", param((200, 100), Init("fan_in", 100)), 0)
    assert -0.1 <= fan.min() < -0.099 and 0.099 < fan.max() <= 0.1
    normal = draw("a", param((200, 100), Init("normal", 2.0, 0.5)), 0)
    assert abs(normal.mean() - 2) < 0.02 and abs(normal.std() - 0.5) < 0.02
    wide = draw("a", param((200, 100), Init("normal", 0.0, 1.0), "float64"), 0)
    assert wide.dtype == np.float64 and len(np.unique(wide.astype(np.float32))) < len(np.unique(wide))


def test_numbers_depend_on_seed_and_name_alone():
    one = param((5,), Init("normal", 0.0, 1.0))
    first = draw("a.weight", one, 0)
    for name, seed in (("b.weight", 0), ("a.weight", 1)):
        assert not np.isin(draw(name, one, seed), first).any()
    np.testing.assert_array_equal(draw("a.weight", one, 0), first)


def test_numbers_stay_what_they_were():
    """Published files and runs rest on them."""
    values = draw("fc.weight", param((3,), Init("uniform", 0.0, 1.0)), 7)
    np.testing.assert_array_equal(values, np.array(PINNED, np.float32))


PINNED = [0.011171340942382812, 0.5167977213859558, 0.8290722966194153]


def test_order_and_size_do_not_matter(table):
    big = {f"big{i}": param((300, 301), Init("normal", 0.0, 1.0)) for i in range(9)}
    both = {**table, **big}
    names = list(both)
    forth = dict(zip(names, Drawn(both, 5).pieces(names), strict=True))
    back = dict(zip(names[::-1], Drawn(both, 5).pieces(names[::-1]), strict=True))
    for name in names:
        np.testing.assert_array_equal(forth[name], back[name])
        np.testing.assert_array_equal(forth[name], draw(name, both[name], 5))


def test_a_layers_start_is_torchs():
    hand = Hand()
    x = hand.input("x", "float32", 2, 3, 8, 8)
    net = hand.net("Conv", hand.apply("Conv2d", x, path="conv", out_channels=64, kernel_size=5))
    ours = dict(zip(state(net), Drawn(state(net)).pieces(list(state(net))), strict=True))
    theirs = torch.nn.Conv2d(3, 64, 5)
    for name in ("weight", "bias"):
        bound, wanted = np.abs(ours[f"conv.{name}"]).max(), float(getattr(theirs, name).detach().abs().max())
        assert bound == pytest.approx(wanted, rel=0.1)


# -- reading ------------------------------------------------------------------------------------------


def test_a_file_that_fits_is_read(table, stored):
    path, arrays = stored
    for name, array in load_weights(path, table).items():
        np.testing.assert_array_equal(array, arrays[name])


def test_header_agrees_with_safetensors(stored):
    path, _ = stored
    header = read_header(path)
    with safe_open(path, "numpy") as file:
        assert set(file.keys()) == set(header.tensors)
        for name, tensor in header.tensors.items():
            bytes_ = path.read_bytes()[tensor.offset : tensor.offset + tensor.length]
            assert bytes_ == file.get_tensor(name).tobytes()


def test_a_missing_counter_is_zero(table, stored):
    path, arrays = stored
    del arrays["features.1.num_batches_tracked"]
    arrays["features.1.running_mean"] += 1
    safetensors.numpy.save_file(arrays, path)
    loaded = load_weights(path, table)
    assert loaded["features.1.num_batches_tracked"] == 0
    assert loaded["features.1.num_batches_tracked"].dtype == np.int64


def test_every_misfit_is_in_one_report(table, stored):
    path, arrays = stored
    arrays["classifer.weight"] = arrays.pop("classifier.weight")
    arrays["features.0.bias"] = arrays["features.0.bias"].astype(np.float16)
    arrays["features.1.bias"] = np.zeros(5, np.float32)
    safetensors.numpy.save_file(arrays, path)
    found = {d.code: d for d in refusals(path, table)}
    assert sorted(found) == ["E0702", "E0703", "E0704", "E0705"]
    assert "`classifier.weight`" in found["E0702"].message and "`classifer.weight`" in found["E0702"].help
    assert "`classifer.weight`" in found["E0703"].message and "`classifier.weight`" in found["E0703"].help
    assert "[5]" in found["E0704"].message and "[4]" in found["E0704"].message
    assert "float16" in found["E0705"].message and "float32" in found["E0705"].message


def test_weights_of_another_net_are_one_finding(table, stored):
    path, arrays = stored
    safetensors.numpy.save_file({f"module.{name}": array for name, array in arrays.items()}, path)
    (only,) = refusals(path, table)
    assert only.code == "E0703" and f"none of the {len(arrays)} names" in only.message
    assert "`module." in only.notes[0].text


def test_a_tensor_of_another_shape_is_not_proposed(table, stored):
    path, arrays = stored
    arrays["classifer.weight"] = arrays.pop("classifier.weight").reshape(-1)
    safetensors.numpy.save_file(arrays, path)
    found = {d.code: d for d in refusals(path, table)}
    assert found["E0702"].help is None


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_other_dtypes_are_refused(table, stored, dtype):
    path, arrays = stored
    tensors = {name: torch.from_numpy(np.atleast_1d(a)).reshape(a.shape) for name, a in arrays.items()}
    tensors["classifier.bias"] = tensors["classifier.bias"].to(dtype)
    from safetensors.torch import save_file

    save_file(tensors, path)
    (finding,) = refusals(path, table)
    assert finding.code == "E0705" and str(dtype).removeprefix("torch.") in finding.message


def test_a_long_report_is_cut(table, stored):
    path, arrays = stored
    arrays |= {f"more{i}": np.zeros(1, np.float32) for i in range(50)}
    safetensors.numpy.save_file(arrays, path)
    found = refusals(path, table)
    assert len(found) == 20 and "30 more" in found[-1].notes[-1].text


def damaged(data, how):
    length = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + length])
    name = "features.0.bias"
    if how == "truncated":
        return data[:-1]
    if how == "longer":
        return data + b"x"
    if how == "empty":
        return b""
    if how == "endless header":
        return struct.pack("<Q", 2**63) + data[8:]
    if how == "not JSON":
        return data[:8] + b"\xff" * length + data[8 + length :]
    if how == "deep JSON":
        return struct.pack("<Q", 200_000) + b"[" * 200_000
    if how == "a list":
        return struct.pack("<Q", 2) + b"[]"
    if how == "twice":
        text = json.dumps(header).replace('"features.0.weight"', f'"{name}"').encode()
        return struct.pack("<Q", len(text)) + text + data[8 + length :]
    if how == "overlap":
        header[name]["data_offsets"] = header["features.1.bias"]["data_offsets"]
    if how == "shape":
        header[name]["shape"] = [2]
    if how == "negative":
        header[name]["shape"] = [-2, -2]
    if how == "huge":
        header[name]["shape"] = [2**62, 2**62]
    if how == "float offsets":
        header[name]["data_offsets"] = [0.0, 16.0]
    if how == "dtype":
        header[name]["dtype"] = "F4"
    if how == "fields":
        header[name] = {"dtype": "F32"}
    if how == "metadata":
        header["__metadata__"] = {"a": 1}
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + length :]


HOWS = ("truncated", "longer", "empty", "endless header", "not JSON", "deep JSON", "a list", "twice",
        "overlap", "shape", "negative", "huge", "float offsets", "dtype", "fields", "metadata")  # fmt: skip


@pytest.mark.parametrize("how", HOWS)
def test_a_damaged_file_is_refused(table, stored, how):
    path, _ = stored
    path.write_bytes(damaged(path.read_bytes(), how))
    (finding,) = refusals(path, table)
    assert finding.code == "E0701" and len(finding.message) < 1000


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_a_broken_header_never_raises_anything_else(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("fuzz") / "w.safetensors"
    good = {"a": np.arange(4, dtype=np.float32), "b": np.zeros((2, 2), np.int64)}
    whole = bytearray(safetensors.numpy.save(good))
    for _ in range(data.draw(st.integers(1, 6))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(whole)
    try:
        header = read_header(path)
    except Refused:
        return
    assert sum(t.length for t in header.tensors.values()) <= len(whole)


def test_a_missing_file_and_a_folder_are_refused(table, tmp_path):
    assert refusals(tmp_path / "none.safetensors", table)[0].code == "E0701"
    assert refusals(tmp_path, table)[0].code == "E0701"


# -- writing ------------------------------------------------------------------------------------------


def test_what_is_written_loads_strictly(table, tmp_path):
    path = tmp_path / "small.safetensors"
    write_safetensors(path, table, Drawn(table, 2), '{"net":"Small"}')
    loaded = safetensors.numpy.load_file(path)
    assert set(loaded) == set(table)
    for name, array in loaded.items():
        np.testing.assert_array_equal(array, draw(name, table[name], 2))
    with safe_open(path, "numpy") as file:
        assert file.metadata() == {"netc": '{"net":"Small"}'}
    for tensor in read_header(path).tensors.values():
        assert tensor.offset % np.dtype(tensor.dtype).itemsize == 0


def test_two_writings_are_the_same_to_the_byte(table, tmp_path):
    for name in "ab":
        write_safetensors(tmp_path / name, table, Drawn(table), "{}")
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_weights_are_copied_into_onnx(tmp_path):
    """Tensors large and small, from a file that is then overwritten itself."""
    hand = Hand()
    x = hand.input("x", "float32", 2, 300)
    x = hand.apply("Linear", x, path="wide", out_features=400)
    net = hand.net("Wide", hand.apply("Linear", x, path="narrow", out_features=2))
    table = state(net)
    assert SMALL < 300 * 400 * 4
    source = tmp_path / "wide.safetensors"
    write_safetensors(source, table, Drawn(table, 4), "{}")
    write_onnx(tmp_path / "drawn.onnx", to_onnx(net), Drawn(table, 4))
    with opened_weights(source, table) as weights:
        write_onnx(tmp_path / "copied.onnx", to_onnx(net), weights)
        write_safetensors(source, table, weights, "{}")
    assert (tmp_path / "drawn.onnx").read_bytes() == (tmp_path / "copied.onnx").read_bytes()
    np.testing.assert_array_equal(
        load_weights(source, table)["wide.weight"], draw("wide.weight", table["wide.weight"], 4)
    )


def test_without_copy_file_range_the_bytes_are_the_same(tmp_path, monkeypatch):
    big = {"w": param((500, 500), Init("normal", 0.0, 1.0))}
    write_safetensors(tmp_path / "big", big, Drawn(big), "{}")
    monkeypatch.delattr(os, "copy_file_range")
    with opened_weights(tmp_path / "big", big) as weights:
        write_safetensors(tmp_path / "copy", big, weights, "{}")
    assert (tmp_path / "big").read_bytes() == (tmp_path / "copy").read_bytes()


def test_a_strangers_file_stays(table, tmp_path):
    for name in ("a.safetensors", "a.onnx", "a.py"):
        path = tmp_path / name
        path.write_bytes(b"mine")
        with pytest.raises(Refused, match="E0707"):
            write_output(path, lambda sink: sink.write(b"new"))
        assert path.read_bytes() == b"mine"
        write_output(path, lambda sink: sink.write(b"new"), force=True)
        assert path.read_bytes() == b"new"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.onnx", "a.py", "a.safetensors"]


def test_netcs_own_files_are_known(table, tmp_path):
    hand = Hand()
    net = hand.net("One", hand.apply("relu", hand.input("x", "float32", 2)))
    write_onnx(tmp_path / "a.onnx", to_onnx(net), Drawn({}))
    write_safetensors(tmp_path / "a.safetensors", table, Drawn(table), "{}")
    (tmp_path / "a.py").write_text(to_torch(net))
    assert all(written_by_netc(tmp_path / f"a.{kind}") for kind in ("onnx", "safetensors", "py"))
    (tmp_path / "b.py").write_text("x = 1\n\n# Written by netc 0.1\n")
    assert not written_by_netc(tmp_path / "b.py")


def test_a_failure_leaves_the_old_file_and_no_other(table, tmp_path):
    path = tmp_path / "a.safetensors"
    write_safetensors(path, table, Drawn(table), "{}")
    before = path.read_bytes()

    def fail(sink):
        sink.write(b"half")
        sink.flush()
        raise OSError(28, "No space left on device")

    with pytest.raises(Refused, match=r"E0708.*No space left"):
        write_output(path, fail)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.safetensors"]


def test_folders_are_made_and_files_are_readable_by_others(tmp_path):
    path = tmp_path / "deep" / "er" / "a.py"
    write_output(path, lambda sink: sink.write(b"x"))
    mask = os.umask(0)
    os.umask(mask)
    assert path.stat().st_mode & 0o777 == 0o666 & ~mask


# -- what else is refused -----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["wide.weight", "narrow.bias"])
def test_numbers_that_are_not_finite_are_counted_and_refused(tmp_path, name, value):
    hand = Hand()
    x = hand.apply("Linear", hand.input("x", "float32", 2, 700), path="wide", out_features=3000)
    table = state(hand.net("Wide", hand.apply("Linear", x, path="narrow", out_features=2)))
    arrays = {n: draw(n, p, 1) for n, p in table.items()}
    safetensors.numpy.save_file(arrays, path := tmp_path / "w.safetensors")
    assert set(load_weights(path, table)) == set(table)
    arrays[name] = arrays[name].copy()
    arrays[name].flat[-1] = arrays[name].flat[0] = value
    safetensors.numpy.save_file(arrays, path)
    (finding,) = refusals(path, table)
    assert finding.code == "E0714"
    assert f"`{name}`" in finding.message and f"2 of its {arrays[name].size:,} numbers" in finding.message


@pytest.mark.parametrize("zipped", [True, False])
def test_files_of_torch_are_recognized_and_never_opened(table, tmp_path, zipped):
    import torch

    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "evil"), "w"))

    path = tmp_path / "model.pth"
    torch.save({"a": Evil()}, path, _use_new_zipfile_serialization=zipped)
    (finding,) = refusals(path, table)
    assert finding.code == "E0701" and "weights_only=True" in finding.help
    assert not (tmp_path / "evil").exists()


def test_the_help_for_files_of_torch_works(table, tmp_path, monkeypatch):
    """Also for tensors that share memory, which safetensors refuses as they are."""
    import torch

    monkeypatch.chdir(tmp_path)
    arrays = {name: draw(name, param, 3) for name, param in table.items()}
    torch.save({name: torch.tensor(value) for name, value in arrays.items()}, "model.pth")
    (finding,) = refusals(Path("model.pth"), table)
    code = finding.help.split(": ", 1)[1]
    exec("import torch, safetensors.torch\n" + code, {})
    for name, value in load_weights(Path("model.safetensors"), table).items():
        np.testing.assert_array_equal(value, arrays[name])


def test_a_header_that_begins_as_a_pickle_is_a_header(tmp_path):
    """640 bytes of header are written as 0x80 0x02."""
    fields = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes((640).to_bytes(8, "little") + fields.ljust(640) + bytes(4))
    assert set(read_header(path).tensors) == {"a"}
