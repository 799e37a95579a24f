"""The ops: each is one class with all its facets, in the file of its family; `OPS` loads it by name."""
