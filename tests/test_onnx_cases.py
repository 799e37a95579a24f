"""netc's ops against the ONNX project's own test cases of nodes, which neither netc, torch nor onnxruntime computed."""

from dataclasses import replace
from functools import cache

import numpy as np
import onnx_cases
import onnx_layer_cases
import onnx_window_cases
import pytest
from onnx_case import EXPANDED, all_cases, compare, reason_left_out, tensor
from onnx_cases import RULES
from onnx_left_out import LEFT_OUT, NO_OP

REASONS = {name: reason for reason, names in LEFT_OUT.items() for name in names.split()}
ENOUGH = 680  # of the cases of onnx 1.23
NODES = sorted(RULES)
QUICK = (20,)  # the opset in which the controls run


@cache
def verdicts(op_type):
    """For each case of a node: None where it is compared, else why it is not, or the assertion that failed."""
    return {case.name: verdict(case) for case in all_cases()[0].get(op_type, ())}


def verdict(case):
    try:
        return reason_left_out(case, RULES[case.op_type])
    except Exception as error:
        return error


@pytest.mark.parametrize("op_type", NODES)
def test_netc_gives_what_the_cases_want(op_type):
    found = verdicts(op_type)
    failed = [f"{name}: {why}" for name, why in found.items() if isinstance(why, Exception)]
    assert not failed, "\n\n".join(failed)
    left_out = {name: why for name, why in found.items() if why and not why.startswith("dtype ")}
    assert left_out == {name: REASONS[name] for name in found if name in REASONS}


def test_none_is_forgotten():
    compared = [name for op_type in NODES for name, why in verdicts(op_type).items() if is_compared(why)]
    assert len(compared) >= ENOUGH
    assert all(any(map(is_compared, verdicts(op_type).values())) for op_type in NODES)


def is_compared(why):
    return why is None or (isinstance(why, str) and why.startswith("in part"))


def test_every_node_has_ops_or_a_reason_not_to():
    without = [node for nodes in NO_OP.values() for node in nodes.split()]
    assert len(set(without)) == len(without) and not set(without) & set(RULES)
    assert set(all_cases()[0]) <= {*without, *RULES}


def test_the_other_cases_are_bodies_of_functions_on_the_same_data():
    single, others = all_cases()
    known = {case.name: case for cases in single.values() for case in cases}
    for name, case in others.items():
        plain = known[name.removeprefix("test_").split(EXPANDED)[0]]
        held = [x for x in (*plain.inputs, *plain.outputs) if x is not None]
        again = [tensor(x) for part in case.data_sets[0] for x in part]
        tensors = [(a, b) for a, b in zip(held, again, strict=True) if isinstance(a, np.ndarray)]
        assert all(a.dtype == b.dtype and a.tobytes() == b.tobytes() for a, b in tensors), name


# -- controls: what is wrong does not pass ---------------------------------------------------------------


def case_named(name):
    return next(case for cases in all_cases()[0].values() for case in cases if case.name == name)


def first_compared(op_type):
    name = next(name for name, why in verdicts(op_type).items() if is_compared(why))
    return case_named(name)


@pytest.mark.parametrize("op_type", NODES)
def test_another_output_fails(op_type):
    case = first_compared(op_type)
    compare(case, RULES[op_type], QUICK)
    wrong = tuple(None if y is None else changed(y) for y in case.outputs)
    with pytest.raises(AssertionError, match="in numpy"):
        compare(replace(case, outputs=wrong), RULES[op_type], QUICK)


def changed(y):
    """y with its largest element moved by what float32 can tell."""
    if y.dtype.kind != "f":
        return ~y if y.dtype == bool else y + 1
    flat = np.where(np.isfinite(y), y, 0).ravel()
    at = np.abs(flat).argmax()
    moved = y.ravel().copy()
    moved[at] += max(2e-5, 2e-5 * abs(flat[at]))
    return moved.reshape(y.shape)


def torch_order(c, sizes, kernel, stride, dilation):
    left, right, top, bottom = c.attribute("pads")
    return [top, left], [bottom, right]


def odd_behind(c, sizes, kernel, stride, dilation):
    """The margins of SAME_UPPER, whatever is asked for."""
    assert c.attribute("auto_pad") == "SAME_LOWER"
    return [0] * len(sizes), [1] * len(sizes)


def first_axis_first(c, x, begin, end, **how):
    pairs = zip(begin, end, strict=True)
    return c.op("pad", x, padding=[n for pair in pairs for n in pair], **how)


def from_the_first(c, q, k, mask, past, lengths):
    """Causal as if there were no keys of the past."""
    return [], bool(c.attribute("is_causal"))


WRONG = {
    "conv_with_strides_and_asymmetric_padding": (onnx_window_cases, "margins", torch_order),
    "maxpool_2d_same_lower": (onnx_window_cases, "margins", odd_behind),
    "constant_pad": (onnx_cases, "padded", first_axis_first),
    "edge_pad": (onnx_cases, "PAD_MODES", {"edge": "reflect"}),
    "resize_upsample_sizes_cubic": (onnx_layer_cases, "MODES", {"cubic": {2: "bilinear"}}),
    "attention_4d_causal_with_past_and_present": (onnx_layer_cases, "visible", from_the_first),
    "attention_4d_attn_mask_bool": (onnx_layer_cases, "whole", lambda c, mask, k: c.leaf(~mask.array)),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_wrong_rule_fails(name, monkeypatch):
    case = case_named(name)
    compare(case, RULES[case.op_type], QUICK)
    monkeypatch.setattr(*WRONG[name])
    with pytest.raises(AssertionError, match="in numpy"):
        compare(case, RULES[case.op_type], QUICK)


# What changes no value in the cases that are compared.
NEUTRAL = {
    "Celu": "alpha",  # of inputs that are all positive
    "Conv": "kernel_shape",  # as the weight says
    "ConvTranspose": "kernel_shape",
    "Dropout": "ratio seed",  # of training
    "Mod": "fmod",  # where it is 0
    "Split": "num_outputs",  # as many as are taken
    "Swish": "alpha",  # where it is 1
    "TopK": "axis sorted",  # where the axis is the last one
}


@pytest.mark.parametrize("op_type", NODES)
def test_every_attribute_counts(op_type):
    """Without an attribute, some case of the node fails."""
    compared = {name for name, why in verdicts(op_type).items() if is_compared(why)}
    cases = [case for case in all_cases()[0][op_type] if case.name in compared]
    names = {name for case in cases for name in case.attributes}
    survivors = {name for name in names if not any(fails_without(case, name) for case in cases)}
    assert survivors == set(NEUTRAL.get(op_type, "").split())


def fails_without(case, name):
    if name not in case.attributes:
        return False
    rest = {other: value for other, value in case.attributes.items() if other != name}
    try:
        compare(replace(case, attributes=rest), RULES[case.op_type], QUICK)
    except Exception:
        return True
    return False
