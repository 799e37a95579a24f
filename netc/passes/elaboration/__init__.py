"""Elaboration: from the syntax tree to the IR, with every shape inferred on the way."""
