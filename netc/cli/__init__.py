"""The command line: one file a verb; the only place that prints or exits."""

from netc.cli.main import main

__all__ = ["main"]
