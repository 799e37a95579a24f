"""Names of instances: labels to paths, the places of unlabelled layers, and what a name may be."""

from __future__ import annotations

import builtins
import keyword
import re
from typing import Any

from netc.diagnostics import Refused, Span, wording_names, wording_shapes
from netc.ir.module import Path
from netc.passes.elaboration.frame import Frame, Owner

SEGMENT = re.compile(r"[A-Za-z0-9_-]{1,64}\Z")
PARTS = 32  # of a path: the brackets of containers within containers are within what Python reads
# The attributes of torch.nn.Module that a child of the same name would hide; a test compares them with torch's.
MODULE = frozenset(
    "T_destination add_module apply bfloat16 buffers call_super_init children compile cpu cuda double dump_patches "
    "eval extra_repr float forward get_buffer get_extra_state get_parameter get_submodule half ipu "
    "load_state_dict modules mtia named_buffers named_children named_modules named_parameters parameters "
    "register_backward_hook register_buffer register_forward_hook register_forward_pre_hook "
    "register_full_backward_hook register_full_backward_pre_hook register_load_state_dict_post_hook "
    "register_load_state_dict_pre_hook register_module register_parameter register_state_dict_post_hook "
    "register_state_dict_pre_hook requires_grad_ set_extra_state set_submodule share_memory state_dict to to_empty "
    "train training type xpu zero_grad "
    "append extend insert pop items keys values clear update".split()
)


def snake_case(name: str) -> str:
    """`SqueezeExcite` is squeeze_excite, `DigitsCNN` is digits_cnn."""
    name = re.sub(r"([a-z0-9])([A-Z])", r"\1_\2", name)
    name = re.sub(r"([A-Z]+)([A-Z][a-z])", r"\1_\2", name)
    return name.lower()


def hides(name: str) -> bool:
    """Whether a child or an attribute of this name would hide one of torch.nn.Module."""
    return name in MODULE or name.startswith("__") or (name.startswith("_") and name[1:] in PRIVATE)


def check_segment(name: str, span: Span) -> None:
    """Refuses a name that PyTorch or Python could not keep."""
    if not SEGMENT.match(name):
        raise Refused(wording_names.bad_segment(span, name))
    if name.isdigit():
        return
    if hides(name):
        raise Refused(wording_names.reserved_name(span, name, "an attribute of torch.nn.Module"))
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        raise Refused(wording_names.reserved_name(span, name, "a Python keyword"))


PRIVATE = frozenset(
    "apply backward_hooks backward_pre_hooks buffers call_impl compiled_call_impl forward_hooks "
    "forward_hooks_always_called forward_hooks_with_kwargs forward_pre_hooks forward_pre_hooks_with_kwargs "
    "get_abs_string_index get_backward_hooks get_backward_pre_hooks get_item_by_idx get_name is_full_backward_hook load_from_state_dict "
    "load_state_dict_post_hooks load_state_dict_pre_hooks maybe_warn_non_full_backward_hook modules "
    "named_members non_persistent_buffers_set parameters register_load_state_dict_pre_hook "
    "register_state_dict_hook replicate_for_data_parallel save_to_state_dict slow_forward "
    "state_dict_hooks state_dict_pre_hooks version wrapped_call_impl".split()
)


TRAINING = "Training"  # the class that an emitted module has beside those of the spec
IMPORTED = frozenset({"torch", "nn", "F", "Tensor", "OrderedDict", "self", TRAINING})


def check_class(name: str, role: str, span: Span) -> None:
    """Refuses a block or net whose class Python could not have, or that would hide what its module uses."""
    if keyword.iskeyword(name):
        raise Refused(wording_names.reserved_class(span, name, role, "a Python keyword"))
    if hasattr(builtins, name):
        raise Refused(wording_names.reserved_class(span, name, role, "a name of Python's own"))
    if name in IMPORTED or (role == "net" and snake_case(name) in ("torch", "collections")):
        raise Refused(wording_names.reserved_class(span, name, role, "a name that the emitted module uses"))


def claim(frame: Frame, path: Path, identity: object, made: Any, span: Span) -> bool:
    """Enters `path` as the instance `identity`; True where it is that instance's already.

    Refuses a path that another instance has, or that another is within.
    """
    if len(path) > PARTS:
        raise frame.refuse(wording_shapes.too_much(span, "the path of this layer has too many parts", PARTS))
    owner = frame.owners.get(path)
    if owner is not None:
        if owner.identity is identity:
            return True
        raise frame.refuse(wording_names.name_taken(span, ".".join(path), owner.span))
    if path in frame.prefixes:
        raise frame.refuse(wording_names.name_taken(span, ".".join(path), frame.prefixes[path]))
    for i in range(1, len(path)):
        if path[:i] in frame.owners:
            raise frame.refuse(
                wording_names.name_taken(span, ".".join(path[:i]), frame.owners[path[:i]].span)
            )
        frame.prefixes.setdefault(path[:i], span)
    for segment in path:
        check_segment(segment, span)
    frame.owners[path] = Owner(identity, made, span)
    return False


def numbered(frame: Frame, kind: str) -> Path:
    """The path of the next unlabelled layer of `kind`: conv1, conv2, ..."""
    frame.counts[kind] += 1
    return (f"{kind}{frame.counts[kind]}",)
