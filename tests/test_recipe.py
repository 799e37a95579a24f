"""Recipes: what a train block may say, what --set changes, and that each mistake is reported once."""

import subprocess
import sys

import pytest

from netc.diagnostics import Refused, Source, Span
from netc.diagnostics.habits import RECIPE
from netc.diagnostics.wording_names import unknown_setting
from netc.passes.recipe import Invocation, Setting, read_recipe
from netc.passes.recipe_schema import SETTINGS
from netc.passes.recipe_tree import recipe_of
from netc.syntax import tree
from netc.syntax.parse import parse

SGD = Invocation("sgd", (0.4,), {"momentum": 0.9, "nesterov": True, "weight_decay": 5e-4})
BLOCK = (
    Setting("optimizer", (SGD,)),
    Setting("schedule", (Invocation("one_cycle", (), {"epochs": 20, "warmup": 0.2}),)),
    Setting("augment", (Invocation("random_crop", (32,), {"padding": 4}), Invocation("horizontal_flip"))),
    Setting("batch", (512,)),
    Setting("ema", (0.999,)),
)


def codes(settings, overrides=()):
    with pytest.raises(Refused) as refused:
        read_recipe(settings, overrides)
    return [d.code for d in refused.value.diagnostics]


def only(settings, overrides=()):
    with pytest.raises(Refused) as refused:
        read_recipe(settings, overrides)
    (diagnostic,) = refused.value.diagnostics
    return diagnostic


def test_the_design_pages_block():
    recipe = read_recipe(BLOCK)
    assert recipe.optimizer.name == "sgd"
    assert recipe.optimizer.arguments == {
        "lr": 0.4, "momentum": 0.9, "nesterov": True, "weight_decay": 5e-4,
    }  # fmt: skip
    assert (recipe.schedule.name, recipe.schedule.arguments) == ("one_cycle", {"warmup": 0.2})
    assert [(a.name, a.arguments) for a in recipe.augment] == [
        ("random_crop", {"size": 32, "padding": 4}), ("horizontal_flip", {"p": 0.5}),
    ]  # fmt: skip
    assert (recipe.batch, recipe.epochs, recipe.ema, recipe.seed) == (512, 20, 0.999, 0)


def test_a_silent_block_has_defaults():
    recipe = read_recipe(())
    assert recipe.optimizer.name == "adamw" and recipe.optimizer.arguments["betas"] == (0.9, 0.999)
    assert (recipe.schedule, recipe.augment, recipe.batch, recipe.epochs) == (None, (), 128, 10)


@pytest.mark.parametrize("text, read, expected", [
    ("train.batch=64", lambda r: r.batch, 64),
    ("train.optimizer.lr=0.1", lambda r: r.optimizer.arguments["lr"], 0.1),
    ("train.lr=1", lambda r: r.optimizer.arguments["lr"], 1.0),
    ("train.epochs=2", lambda r: r.epochs, 2),
    ("train.schedule.epochs=3", lambda r: r.epochs, 3),
    ("train.schedule.warmup=0.1", lambda r: r.schedule.arguments["warmup"], 0.1),
    ("train.warmup=0", lambda r: r.schedule.arguments["warmup"], 0.0),
    ("train.schedule=cosine", lambda r: (r.schedule.name, r.schedule.arguments["warmup"]), ("cosine", 0.0)),
    ("train.schedule=none", lambda r: r.schedule, None),
    ("train.ema=none", lambda r: r.ema, None),
    ("train.seed = 7", lambda r: r.seed, 7),
    ("train.augment=['horizontal_flip']", lambda r: [a.name for a in r.augment], ["horizontal_flip"]),
    ("train.augment=none", lambda r: r.augment, ()),
    ("train.augment.random_crop.padding=2", lambda r: r.augment[0].arguments["padding"], 2),
    ("train.optimizer='adamw'", lambda r: r.optimizer.arguments["weight_decay"], 0.01),
])  # fmt: skip
def test_an_override_changes_what_it_names(text, read, expected):
    assert read(read_recipe(BLOCK)) != expected
    assert read(read_recipe(BLOCK, (text,))) == expected


def test_later_overrides_win_and_reach_defaults():
    assert read_recipe(BLOCK, ("train.batch=1", "train.batch=2")).batch == 2
    assert read_recipe((), ("train.lr=0.5",)).optimizer.arguments["lr"] == 0.5
    swapped = read_recipe((), ("train.optimizer=sgd", "train.optimizer.lr=0.5"))
    assert swapped.optimizer.arguments == {"lr": 0.5, "momentum": 0.0, "nesterov": False, "weight_decay": 0.0}


@pytest.mark.parametrize("setting, code", [
    (Setting("optimiser", (SGD,)), "E0801"),
    (Setting("batch", (Invocation("big"),)), "E0809"),
    (Setting("batch", (1, 2)), "E0809"),
    (Setting("optimizer", (3,)), "E0809"),
    (Setting("optimizer", (Invocation("sdg"),)), "E0803"),
    (Setting("optimizer", (Invocation("sgd"),)), "E0807"),
    (Setting("optimizer", (Invocation("sgd", (0.1,), {"momentun": 0.9}),)), "E0804"),
    (Setting("optimizer", (Invocation("sgd", (0.1,), {"lr": 0.9}),)), "E0808"),
    (Setting("optimizer", (Invocation("sgd", (0.1, 0.9, True, 0.0, 4)),)), "E0808"),
    (Setting("optimizer", (Invocation("sgd", ("fast",)),)), "E0805"),
    (Setting("optimizer", (Invocation("sgd", (True,)),)), "E0805"),
    (Setting("optimizer", (Invocation("sgd", (0.1,), {"nesterov": 1}),)), "E0805"),
    (Setting("optimizer", (Invocation("sgd", (float("inf"),)),)), "E0806"),
    (Setting("optimizer", (Invocation("sgd", (0.1,), {"nesterov": True}),)), "E0810"),
    (Setting("optimizer", (Invocation("adamw", (), {"betas": [0.9]}),)), "E0805"),
    (Setting("optimizer", (Invocation("adamw", (), {"betas": [0.9, 1.0]}),)), "E0806"),
    (Setting("augment", (Invocation("horizontal_flip"), Invocation("horizontal_flip"))), "E0802"),
    (Setting("augment", (Invocation("random_crop"),)), "E0807"),
    (Setting("schedule", (Invocation("cosine", (), {"warmup": 1.5}),)), "E0806"),
    (Setting("batch", (0,)), "E0806"),
    (Setting("batch", (12.5,)), "E0805"),
    (Setting("epochs", (2**40,)), "E0806"),
    (Setting("ema", (1.0,)), "E0806"),
    (Setting("seed", (-1,)), "E0806"),
])  # fmt: skip
def test_each_kind_of_mistake_has_its_code(setting, code):
    assert codes((setting,)) == [code]


@pytest.mark.parametrize("text, code", [
    ("train.batch", "E0811"), ("train.batch=", "E0811"), ("train=3", "E0811"), ("batch=3", "E0811"),
    ("train.batch=[1", "E0811"), ("train.batch=1\nseed=2", "E0811"), ("train.bacth=3", "E0812"),
    ("train.batch.size=3", "E0812"), ("train.optimizer.betas=[0.9, 0.9]", "E0812"),
    ("train.nesterof=true", "E0812"),
    ("train.augment.flip.p=0.1", "E0812"), ("train.optimizer.lr.x=1", "E0812"), ("train.batch='x'", "E0805"),
    ("train.batch=big", "E0805"), ("train.lr=-1", "E0806"), ("train.optimizer=sdg", "E0803"),
    ("train.optimizer=3", "E0809"), ("train.batch=1979-05-27", "E0805"),
])  # fmt: skip
def test_each_wrong_override_has_its_code(text, code):
    assert codes(BLOCK, (text,)) == [code]


@pytest.mark.parametrize("text, instead", [
    ("train.optimizer=adamw(lr=1e-3)", "--set train.optimizer=adamw --set train.lr=1e-3"),
    ("train.schedule=cosine()", "--set train.schedule=cosine"),
    ("train.augment=random_crop(size=32, padding=4)", "--set train.augment=random_crop "
     "--set train.augment.random_crop.size=32 --set train.augment.random_crop.padding=4"),
    ("train.optimizer=sgd(0.1)", "--set train.batch=64"),
])  # fmt: skip
def test_a_call_is_set_part_by_part(text, instead):
    diagnostic = only(BLOCK, (text,))
    assert (diagnostic.code, diagnostic.help) == ("E0811", f"write {instead}")
    if "sgd" not in text:
        read_recipe((), tuple(part for part in instead.split() if part != "--set"))


@pytest.mark.parametrize("name, meant", [("random_flip", "horizontal_flip"), ("RandomHorizontalFlip", "horizontal_flip"),
                                         ("RandomCrop", "random_crop")])  # fmt: skip
def test_augmentations_of_other_libraries_are_known(name, meant):
    assert only((Setting("augment", (Invocation(name),)),)).help == f"did you mean `{meant}`?"


def test_a_setting_of_the_recipe_is_told_from_one_of_the_net():
    """Every setting, and every argument that --set has a short form for."""
    choices = [c for name in ("optimizer", "schedule") for c in SETTINGS[name].choices.values()]
    assert set(RECIPE) == {*SETTINGS, *(name for choice in choices for name in choice.names)}
    assert unknown_setting("lr", ["width"]).help == "the recipe's is `train.lr`"
    assert unknown_setting("widht", ["width"]).help == "did you mean `width`?"


def test_an_override_replaces_the_schedules_epochs_but_the_spec_may_not_contradict_itself():
    twice = (*BLOCK, Setting("epochs", (5,)))
    assert codes(twice) == ["E0810"]
    assert read_recipe(twice, ("train.epochs=7",)).epochs == 7
    assert read_recipe((*BLOCK, Setting("epochs", (20,)))).epochs == 20


def test_five_mistakes_are_five_findings_in_the_order_of_the_spec():
    text = "optimizer sdg(lr=1)\nbatch 0\nbatches 3\nschedule cosine(warmpu=0.1)\naugment random_crop\n"
    source, spans = Source("a.net", text), []
    for line in text.splitlines():
        start = text.index(line)
        spans.append(Span(source, start, start + len(line)))
    settings = [
        Setting("optimizer", (Invocation("sdg", (), {"lr": 1}, spans[0]),), spans[0]),
        Setting("batch", (0,), spans[1]),
        Setting("batches", (3,), spans[2]),
        Setting("schedule", (Invocation("cosine", (), {"warmpu": 0.1}, spans[3]),), spans[3]),
        Setting("augment", (Invocation("random_crop", (), {}, spans[4]),), spans[4]),
    ]
    with pytest.raises(Refused) as refused:
        read_recipe(settings, ("train.optimizer.lr=2",))
    found = refused.value.diagnostics
    assert [(d.code, d.span.line) for d in found] == [
        ("E0803", 1), ("E0806", 2), ("E0801", 3), ("E0804", 4), ("E0807", 5),
    ]  # fmt: skip
    helps = ["did you mean `sgd`?", "did you mean `batch`?", "write random_crop(size=...)"]
    assert [d.help for d in found][::2] == helps


def test_messages_say_what_is_taken():
    batch = only((Setting("batch", (0,)),))
    assert batch.message == "`batch` must be a whole number from 1 to 2147483647, and is 0"
    wrong = only(BLOCK, ("train.batch='x'",))
    assert wrong.message.endswith('not "x"') and wrong.notes[0].text == "from --set train.batch='x'"
    assert only(BLOCK, ("train.bacth=3",)).help == "did you mean `batch`?"
    assert len(only(BLOCK, ("train.x=" + "[" * 5000,)).message) < 300


def test_every_default_passes_its_own_check():
    for kind in SETTINGS.values():
        for choice in kind.choices.values():
            for argument in choice.arguments:
                if argument.takes.typed(argument.default) is not None:
                    assert argument.takes.within(argument.default)
        if kind.takes and kind.default is not None:
            assert kind.takes.within(kind.takes.typed(kind.default))


def test_no_torch_is_needed():
    code = "import sys, netc.passes.recipe; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# From the text of a spec


def train_block(text):
    source = Source("a.net", f"train {{\n{text}\n}}\n")
    file, found = parse(source)
    assert not found
    (block,) = file.items
    assert isinstance(block, tree.Train)
    return block


def test_a_block_is_read_from_its_text():
    block = train_block("""    optimizer sgd(lr=0.4, momentum=0.9, nesterov=true, weight_decay=5e-4)
    schedule one_cycle(epochs=2 * 10, warmup=1 / 5)
    augment random_crop(32, padding=4), horizontal_flip
    batch 2**9
    ema 0.999""")
    assert recipe_of(block) == read_recipe(BLOCK)
    assert recipe_of(block, ("train.batch=3",)).batch == 3
    assert recipe_of(None) == read_recipe(())


def test_mistakes_are_underlined_where_they_stand():
    block = train_block("""    optimizer adamw(1e-3, betas=[0.9, 2], epss=1)
    schedule cosine(epochs=x)
    batch 1, 2
    seed -1
    epochs 3 if true else 4""")
    with pytest.raises(Refused) as refused:
        recipe_of(block)
    assert sorted((d.span.line, d.code, d.span.text) for d in refused.value.diagnostics) == [
        (2, "E0804", "epss"), (2, "E0806", "[0.9, 2]"), (3, "E0809", "x"), (4, "E0809", "batch 1, 2"),
        (5, "E0806", "-1"), (6, "E0809", "3 if true else 4"),
    ]  # fmt: skip


def test_an_endless_sum_is_refused():
    with pytest.raises(Refused) as refused:
        recipe_of(train_block(f"    batch {' + '.join(['1'] * 5000)}"))
    assert [d.code for d in refused.value.diagnostics] == ["E0809"]
