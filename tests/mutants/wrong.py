"""Small nets that are refused, each for one reason: what a mutant of a rule may let through."""

from __future__ import annotations

WRONG: dict[str, str] = {  # each is refused, and for one reason
    "a layer shared by tensors of other sizes": """
        net Wrong {
            input a: float32[N, 4], b: float32[N, 5]
            enc = Linear(3)
            output (a -> enc) + (b -> enc)
        }""",
    "a block shared by tensors of other sizes": """
        block Unit(width: int) {
            input x: [N, C]
            output x -> Linear(width)
        }
        net Wrong {
            input a: float32[N, 4], b: float32[N, 5]
            enc = Unit(3)
            output (a -> enc) + (b -> enc)
        }""",
    "two layers of one name": """
        net Wrong {
            input x: float32[N, 4]
            output x -> fc: Linear(4) -> fc: Linear(4)
        }""",
    "a layer within another": """
        net Wrong {
            input x: float32[N, 4]
            output x -> fc: Linear(4) -> "fc.inner": Linear(4)
        }""",
    "a parameter of a free size": """
        net Wrong {
            input x: float32[N, T]
            output x -> Linear(4)
        }""",
    "declared sizes that do not agree": """
        block Square {
            input x: [N, C, C]
            output relu(x)
        }
        net Wrong {
            input x: float32[N, 4, 5]
            output x -> Square
        }""",
    "a dtype that is not the declared one": """
        block Whole {
            input x: int64[N]
            output x * 2
        }
        net Wrong {
            input x: float32[N]
            output x -> Whole
        }""",
    "a number that float32 cannot hold": """
        net Wrong {
            input x: float32[N]
            output x * 1e300
        }""",
    "a fraction beside whole numbers": """
        net Wrong {
            input x: int64[N]
            output x * 0.5
        }""",
    "an axis with nothing on it": """
        net Wrong {
            input x: float32[N, H]
            output reshape(x[:, 1:], N * (H - 1)) + reshape(x[:, :-1], N * (H - 1)) -> flatten(0), x[:, H:]
        }""",
    "an axis that may be empty": """
        net Wrong {
            input x: float32[N, 2, H, W]
            output pad(flatten(x, 2), [-1, 0])
        }""",
    "sizes that are not known to be equal": """
        net Wrong {
            input x: float32[N, A], y: float32[N, B]
            output x + y
        }""",
    "a condition on a free size": """
        net Wrong {
            input x: float32[N, T]
            output relu(x) if T > 4 else x
        }""",
    "a block's condition on a free size of its caller": """
        block Asks {
            input x: [N, C]
            output relu(x) if C == 4 else x
        }
        net Wrong {
            input x: float32[N, T]
            output x -> Asks
        }""",
    "a name of one branch": """
        net Wrong(on: bool = false) {
            input x: float32[N, 4]
            if on { y = relu(x) }
            output y
        }""",
    "an assertion that fails": """
        net Wrong {
            input x: float32[N, 4]
            y = x -> Linear(3)
            assert params == 16
            output y
        }""",
    "too few names": """
        net Wrong {
            input x: float32[3, N]
            a, b = x
            output a + b
        }""",
    "statistics of another size": """
        net Wrong {
            input x: float32[N, 3, 8, 8]
            bn = BatchNorm2d
            output (x -> bn), (x -> Conv2d(4, 1) -> bn)
        }""",
    "a least size that two layers ask for": """
        net Wrong {
            input x: float32[4, 1, H, 3]
            output x -> Conv2d(1, 3) -> max_pool2d(4)
        }""",
}
