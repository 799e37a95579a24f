"""PyTorch source: from typed blocks to classes, as text; torch itself is never imported."""
