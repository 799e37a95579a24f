"""Hostile inputs: what a small file may make of the compiler. `python -m tests.hostile` runs them all."""
