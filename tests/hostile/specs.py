"""Makes small specs that ask for much work or memory: by elaboration, prover, parser, attributes, names and numbers."""

from __future__ import annotations

SIZE = 1 << 20
HEAD = "net A {\n input x: float32[N, 4]\n"
TAIL = " output relu(x)\n}\n"


def body(*lines: str) -> str:
    return HEAD + "".join(f" {line}\n" for line in lines) + TAIL


def filled(line: str) -> str:
    """A net of 1 MiB whose body is `line` again and again."""
    return HEAD + line * ((SIZE - len(HEAD) - len(TAIL)) // len(line)) + TAIL


def many(line: str, count: int, head: str = HEAD, tail: str = TAIL) -> str:
    """A net with `line` for each number."""
    return head + "".join(line.format(i=i) for i in range(count)) + tail


def blocks(count: int) -> str:
    """Blocks each of which calls the one before twice, with other sizes."""
    text = "block B0 {\n input x: [N, C]\n output x -> Linear(C + 1)\n}\n"
    for i in range(1, count):
        text += f"block B{i} {{\n input x: [N, C]\n output x -> B{i - 1} -> B{i - 1}\n}}\n"
    return text + f"net A {{\n input x: float32[N, 4]\n output x -> B{count - 1}\n}}\n"


def pyramid(branches: int) -> str:
    """Two inputs, each cut by many strides, whose lengths can be compared only as sums of quotients."""
    text = "net A {\n input x: float32[N, 3, L], z: float32[N, 3, K]\n"
    for k in range(2, branches + 2):
        text += f" y{k} = x -> Conv1d(3, {k}, stride={k})\n w{k} = z -> Conv1d(3, {k}, stride={k})\n"
    ends = [", ".join(f"{name}{k}" for k in range(2, branches + 2)) for name in "yw"]
    return text + f" output concat({ends[0]}, axis=2) + concat({ends[1]}, axis=2)\n}}\n"


def quotients(count: int) -> str:
    sizes = ", ".join(f"S{i}" for i in range(count))
    left = " + ".join(f"S{i} // {i + 2}" for i in range(count))
    return f"net A {{\n input x: float32[{sizes}]\n b = {left} >= {sizes.replace(',', ' +')}\n output relu(x)\n}}\n"


def factors(count: int) -> str:
    sizes = ", ".join(f"S{i}" for i in range(count))
    product = " * ".join(f"(S{i} // 2 - 1)" for i in range(count))
    return f"net A {{\n input x: float32[{sizes}]\n b = {product} >= 0\n output relu(x)\n}}\n"


LONG = "y = [0] * 100000"
POWERS = "p = N + N**2 + N**3 + N**4 + N**5 + N**6 + N**7"
PRESETS = (
    "net B(n: int) {\n input x: float32[N, 4]\n for i in range(n) { a = 1 + 1 }\n output relu(x)\n}\n"
    + "".join(f"net P{i} = B({90_000 + i})\n" for i in range(2000))
)

ELABORATION = {
    "an empty loop in a loop": body("y = range(100000)", "for i in y {\n for j in y {\n a = 1\n }\n }"),
    "slices in a loop": body(LONG, "for i in range(100000) { z = y[:] }"),
    "3,000 slices": body(LONG, *(f"z{i} = y[:]" for i in range(3000))),
    "3,000 ranges": body(*(f"z{i} = range(99999)" for i in range(3000))),
    "3,000 enumerations": body(LONG, *(f"z{i} = enumerate(y)" for i in range(3000))),
    "long strings": body(f's = "{"a" * 4000}"', 'for i in range(100000) { t = "{s}{i}" }'),
    "kept strings": body(f's = "{"a" * 4000}"', *(f't{i} = "{{s}}{i}"' for i in range(20000))),
    "lists compared": body(LONG, "z = y[:]", "for i in range(50000) { b = y == z }"),
    "lists passed to helpers": "fn f(a: list[int]) = 1\n" + body(LONG, "for i in range(50000) { b = f(y) }"),
    "lists indexed": body(LONG, "for i in range(100000) { b = max(y) }"),
    "starts by layers": body("for i in range(6000) { init zeros }", "z = x -> Linear(4) * 6000"),
    "parameters read": body(
        "z = x -> Linear(4) * 5000", 'for i in range(9999) { w = weights("*w*e*i*g*h*t") }'
    ),
    "copies of a layer": body("z = x -> Linear(4) * 24999"),
    "copies in float64": body("z = x -> Linear(4) * 24999").replace("float32", "float64"),
    "2,000 presets": PRESETS,
    "blocks of other sizes": blocks(16),
    "many inputs": many(" input a{i}: float32[N]\n", 40_000),
    "many metrics": many(' metric "m{i}": sum(x)\n', 20_000),
    "an if of many names": body(
        "for i in range(100000) {\n  if true {\n" + "".join(f"   a{i} = 1\n" for i in range(5000)) + "  }\n }"
    ),
    "an if never taken": body(
        "for i in range(100000) {\n  if false {\n"
        + "".join(f"   a{i} = 1\n" for i in range(5000))
        + "  }\n }"
    ),
    "mistakes in a loop": body("for i in range(100000) { z = nothing }"),
    "assertions": body(LONG, "for i in range(50000) { assert y == [1] }"),
    "denials": body("for i in range(400000 // 4) { a = not not not not true }"),
}
PROVER = {
    "quotients of many sizes": quotients(20),
    "a product of quotients": factors(6),
    "a pyramid of 12 branches": pyramid(12),
    "polynomials multiplied": body(POWERS, "for i in range(99000) { b = p * p * p * p * p }"),
    "polynomials compared": body(POWERS, "for i in range(99000) { b = p * p >= p }"),
    "quotients in quotients": body("y = N", *("y = (y + 1) // 2 + y // 3" for _ in range(20))),
    "large divisors": body("b = " + " + ".join(f"N // {k}" for k in range(4000, 4060)) + " == N"),
}
PARSER = {
    "1 MiB of a=1": filled("a=1\n"),
    "1 MiB of a sum": HEAD + " a = " + "1+" * (SIZE // 2 - 60) + "1\n" + TAIL,
    "1 MiB of brackets": filled("a=" + "(" * 60 + "x" + ")" * 60 + "\n"),
    "1 MiB of calls": filled("a=f(x,y=1)\n"),
    "1 MiB of strings": filled(f'a="{"{x}" * 1000}"\n'),
    "1 MiB of comments": filled("# a\n"),
    "1 MiB of mistakes": filled("a = $\n"),
    "1 MiB of open brackets": "(" * (SIZE - 1),
    "1 MiB of blank lines": HEAD + "\n" * (SIZE - 100) + TAIL,
    "brackets never closed": filled("a = (\n"),
    "an endless pipe": HEAD + " z = x\n" + "  -> relu\n" * 90_000 + TAIL,
}
ATTRIBUTES = {
    "an LSTM of 2^31 layers": "net A {\n input x: float32[5, N, 4]\n y, h, c = x -> LSTM(3, num_layers=2147483647)\n output y\n}\n",
    "a split into 2^31": "net A {\n input x: float32[N, 2147483647]\n y = split(x, 1, axis=1)\n output relu(x)\n}\n",
    "2^31 chunks": "net A {\n input x: float32[2147483647]\n y = chunk(x, 2147483647)\n output relu(x)\n}\n",
    "70 axes": "net A {\n input x: float32[N]\n param p: float32["
    + "1, " * 70
    + "]\n output x * sum(p)\n}\n",
    "a large orthogonal matrix": "net A {\n input x: float32[N, 8000]\n init orthogonal\n output x -> Linear(8000)\n}\n",
    "a map resized to 2^31": "net A {\n input x: float32[N, 1, 3]\n output x -> interpolate([2147483647])\n}\n",
    "windows of 2^31": "net A {\n input x: float32[N, 1, 2147483647]\n output x -> max_pool1d(2, stride=1, padding=1, dilation=3)\n}\n",
    "a sum of 20,000 tensors": body("z = concat(" + "x, " * 20_000 + "axis=1)"),
}
NAMES = {
    "40,000 names and mistakes": many(" abcdefgh{i} = 1\n", 40_000, tail=" b = abcdefghi\n" * 90 + TAIL),
    "mistakes by 40,000 names": many(" abcdefgh{i} = abcdefgk{i}\n", 20_000),
    "long labels": many(' z{i} = x -> "' + "a.b." * 15 + 'c{i}": Linear(3)\n', 8_000),
    "a name of 1 MiB": body("a = " + "b" * (SIZE - 100)),
    "blocks that mention each other": "".join(
        f"block B{i} {{\n input x: [N]\n output x -> B{(i + 1) % 3000} -> B{(i + 7) % 3000}\n}}\n"
        for i in range(3000)
    )
    + body("z = x -> B0"),
}
NUMBERS = {
    "1e300 as a position": body("z = x -> triu(int(1e300))"),
    "a start beyond float32": body("z = x -> Linear(3, init=kaiming_normal(a=1e200))"),
    "a step of 0": body("y = [1, 2, 3][::0]"),
    "a count beyond 2^63": body("y = enumerate([1, 2], 9223372036854775807)", "z = x -> triu(y[1][0])"),
    "a number of 4,096 digits": body(f's = "{"9" * 4096}"', "a = int(s)"),
    "powers": body("y = 9 ** 9 ** 9 ** 9"),
    "a size of 2^62": "net A {\n input x: float32[N, 4611686018427387904]\n output relu(x)\n}\n",
}
SPECS: dict[str, str] = {
    f"{kind}: {name}": text
    for kind, group in {
        "elaboration": ELABORATION, "prover": PROVER, "parser": PARSER, "attributes": ATTRIBUTES,
        "names": NAMES, "numbers": NUMBERS,
    }.items()
    for name, text in group.items()
}  # fmt: skip
