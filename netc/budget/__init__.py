"""What one check may take: a count of work that is the same on every machine, and a time behind it (`deadline`)."""

from netc.budget.work import ITEMS, TOKEN, WORK, Budget, Exhausted, budget, spend, spending

__all__ = ["ITEMS", "TOKEN", "WORK", "Budget", "Exhausted", "budget", "spend", "spending"]
