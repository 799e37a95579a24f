"""Enters every op of every family in the registry."""
