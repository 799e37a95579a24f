"""Bugs that can be switched on one by one, and the harnesses that must notice each: `python -m tests.mutants`."""
