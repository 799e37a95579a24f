"""Turns the tokens of a file into those that the grammar reads: a newline ends a statement, where one can end."""

from collections.abc import Iterator

from lark import Token

from netc.budget import TOKEN, budget
from netc.diagnostics import wording
from netc.diagnostics.diagnostic import Refused
from netc.diagnostics.source import Source, Span

NESTING = 64
OPEN = {"LPAR": "RPAR", "LSQB": "RSQB", "LBRACE": "RBRACE"}


class Layout:
    """Lark's post-lexer: drops newlines inside () and [] and before -> and else, and doubled ones."""

    always_accept = ("_NL",)
    source: Source
    ending: bool  # whether what is parsed ends with a newline: a file does, an expression does not

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        ending = self.ending
        brackets: list[Token] = []
        newline: Token | None = None
        last: Token | None = None
        work = budget()
        for token in stream:
            work.spend(TOKEN)
            if token.type == "_NL":
                if not brackets or brackets[-1].type == "LBRACE":
                    newline = newline or token
                continue
            if token.type == "RBRACE" and newline is None and last is not None:
                newline = Token.new_borrow_pos("_NL", "\n", token)
            if (
                newline
                and last is not None
                and last.type not in ("_NL", "LBRACE")
                and token.type not in ("_ARROW", "_ELSE")
            ):
                yield newline
            newline = None
            self._track(brackets, token)
            last = token
            yield token
        if brackets:
            raise Refused(wording.unclosed_bracket(self._span(brackets[-1])))
        if last is not None and ending:
            yield newline or Token(
                "_NL",
                "\n",
                start_pos=last.end_pos,
                line=last.end_line,
                column=last.end_column,
                end_pos=last.end_pos,
            )

    def _track(self, brackets: list[Token], token: Token) -> None:
        if token.type in OPEN:
            if len(brackets) >= NESTING:
                raise Refused(wording.nested_too_deeply(self._span(token), NESTING))
            brackets.append(token)
        elif token.type in OPEN.values():
            if not brackets or OPEN[brackets[-1].type] != token.type:
                opened = self._span(brackets[-1]) if brackets else None
                raise Refused(wording.unbalanced_bracket(self._span(token), opened))
            brackets.pop()

    def _span(self, token: Token) -> Span:
        return Span(self.source, token.start_pos or 0, token.end_pos or 0)
