"""From the text of a .net file to its syntax tree."""

from netc.syntax.parse import KEYWORDS, parse, parse_expression

__all__ = ["KEYWORDS", "parse", "parse_expression"]
