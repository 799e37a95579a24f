"""The `netc` command: finds the verb and imports it when it is called."""

from __future__ import annotations

import gc
import os
import signal
import sys
from contextlib import suppress
from importlib import import_module
from io import TextIOWrapper
from typing import NoReturn

import click

from netc import __version__
from netc.cli.report import fail
from netc.diagnostics import Refused
from netc.diagnostics.render import visible
from netc.files.read import reason

VERBS = {
    "check": "Check specs: names, shapes, the recipe.",
    "compile": "Write PyTorch source, an ONNX file and the weights.",
    "show": "Show each layer with its shape, parameters and multiply-adds.",
    "verify": "Run a net three ways and compare: numpy, PyTorch, ONNX.",
    "gradcheck": "Check gradients against differences, in float64.",
    "grad": "Print the graph of a net's gradients.",
    "trace": "Show value and gradient at each node, for given inputs.",
    "train": "Train a net by the recipe in its spec.",
    "eval": "Measure a trained run on its test images.",
    "run": "Classify images with an exported ONNX file.",
    "fuzz": "Compare all targets on random programs.",
    "specs": "List the specs that come with netc, or print one.",
    "ops": "List the layers and functions, or tell all of one.",
    "explain": "Explain the code of an error.",
}
TRAINING = ("train", "eval")
NO_ARGUMENTS = getattr(click.exceptions, "NoArgsIsHelpError", ())  # of click 8.2 on: its message is the help
UNCOLLECTED = 1_000_000  # objects made before Python looks for unused ones: trees and IR are used to the end


class Verbs(click.Group):
    """The verbs, each in a module of its own so that `check` does not load what `train` needs."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name not in VERBS:
            return None
        if name not in TRAINING:
            gc.set_threshold(UNCOLLECTED)
        module = import_module(f"netc.cli.{'evaluate' if name == 'eval' else name}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        from netc.diagnostics.wording import nearest

        if args and args[0] not in VERBS and not args[0].startswith("-"):
            near = nearest(args[0], VERBS)
            hint = f" Did you mean `{near}`?" if near else f" The verbs are {', '.join(VERBS)}."
            raise click.UsageError(f"There is no verb `{args[0]}`.{hint}")
        return super().resolve_command(ctx, args)


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, prog_name="netc")
def cli() -> None:
    """netc compiles neural networks: a short .net spec to readable PyTorch and to ONNX, proved to agree.

    \b
    netc check specs/resnet.net
    netc compile specs/resnet.net --net ResNet50 -o out
    netc train specs/digits.net --net DigitsCNN --data digits
    """


def main() -> None:
    """Runs a verb. Exit status: 0 clean, 1 findings, 2 wrong usage, 130 interrupted, 143 terminated."""
    sys.setrecursionlimit(20_000)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # not every terminal has every character
            stream.reconfigure(errors="backslashreplace")
    _end_on_signals()
    try:
        sys.exit(_status())
    except (KeyboardInterrupt, click.Abort):
        click.echo("interrupted", err=True)
        sys.exit(130)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except OSError as error:
        if os.environ.get("NETC_DEBUG"):
            raise
        what = visible(f"{error.filename}: " if error.filename else "") + visible(reason(error))
        _complain(f"error: {what}")
    except MemoryError:
        _complain("error: there is not enough memory for this")
    except Exception as error:
        if os.environ.get("NETC_DEBUG"):
            raise
        _complain(
            f"error: netc itself failed ({type(error).__name__}: {visible(str(error)[:300])}).\n"
            "This is a bug of netc; NETC_DEBUG=1 shows where."
        )


def _status() -> int:
    """Runs a verb and says what it refuses."""
    try:
        code = cli.main(standalone_mode=False)
        return code if isinstance(code, int) else 0
    except Refused as refused:
        fail(refused.diagnostics)
    except click.ClickException as error:
        _show(error)
        return error.exit_code
    except ImportError as error:
        from netc.cli.packages import refusal

        if (lacking := refusal(error)) is None:
            raise
        fail(lacking.diagnostics)


def _show(error: click.ClickException) -> None:
    """Wrong usage, as click says it, with what the user wrote made safe for a terminal."""
    if isinstance(error, NO_ARGUMENTS):
        error.show()
        return
    context = getattr(error, "ctx", None)
    if context is not None:
        hint = f"Try '{context.command_path} --help' for help.\n"
        click.echo(f"{context.get_usage()}\n{hint}", err=True)
    lines = error.format_message().split("\n")
    click.echo("Error: " + "\n".join(map(visible, lines)), err=True)


def _end_on_signals() -> None:
    """SIGTERM and SIGHUP unwind as Ctrl-C does, so that what was half done is taken back."""

    def end(number: int, frame: object) -> NoReturn:
        sys.exit(128 + number)

    for name in ("SIGTERM", "SIGHUP"):
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, end)


def _complain(text: str) -> NoReturn:
    """Says what went wrong and exits with 1, also where standard output takes nothing any more."""
    click.echo(text, err=True)
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.exit(1)
