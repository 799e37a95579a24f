"""Small nets that meet what emitters and passes do: brackets, names, sizes, sharing, containers, losses."""

from __future__ import annotations

NETS: dict[str, str] = {
    "brackets": """
        net Brackets {
            input x: float32[N, 3]
            input y: float32[N, 3]
            z = (x - (y - 1)) * (x + y) - (x - y - 2)
            w = 2 / (1 + x * x) / (3 - y / (2 + y * y)) - (-x) ** 2 + (-(x + y)) * 3
            v = where(x + y > 0.25, z, -(w - z))
            output v, (x + y)[:, 1], -x ** 2, 2 ** (x - y), (x * 2).reshape(N * 3) if false else flatten(x - y, 0)
        }""",
    "variables": """
        net Variables {
            input x: float32[N, 6]
            a = x -> Linear(6) -> relu
            b = a -> Linear(6) -> tanh
            c = a * b + x
            d = (c -> Linear(6)) - (a -> Linear(6))
            e = sigmoid(d) * d + maximum(c, 0.5) - minimum(2, d)
            a = e + a
            output a, b + d, c
        }""",
    "sizes": """
        net Sizes {
            input x: float32[N, 2, H, W]
            input y: float32[M, W]
            p = x -> Conv2d(4, 3, 2, padding=1) -> relu
            q = reshape(p, N, 4, -1)
            s = x[:, :, ::2, 1:]
            t = sum(s, axis=3)
            u = expand(reshape(y[:, 0], M, 1), M, N)
            r = concat(flatten(p, 2), flatten(max_pool2d(x -> Conv2d(4, 1), 2), 2), axis=2)
            output q, t, u, r, reshape(y, W * M), x[:, :, -1] -> flatten(0, 1)
        }""",
    "multiples": """
        net Multiples {
            input x: float32[N, 3, H, W]
            down = x -> Conv2d(4, 3, 2, padding=1) -> Conv2d(6, 3, 2, padding=1)
            up = down -> ConvTranspose2d(4, 2, 2) -> ConvTranspose2d(3, 2, 2)
            parts = rearrange(x, "n c (h a) (w b) -> n (h w) (a b c)", a=4, b=2)
            output x + up, parts, mean(rearrange(up, "n c h w -> n (c h w)"), axis=1)
        }""",
    "blocks": """
        block Unit(width: int, stride: int = 1, slope: float = 0.1) {
            input x: [N, C, H, W]
            y = x -> Conv2d(width, 3, stride, padding=1, bias=false) -> BatchNorm2d -> leaky_relu(slope)
            skip = x if stride == 1 and C == width else x -> shortcut: Conv2d(width, 1, stride)
            if C > 4 { skip = skip * 2 }
            if C < 4 { skip = skip * 3 }
            if C >= 4 and C <= 4 { skip = skip + 1 }
            output y + skip * 0.5
        }
        block Counted(wanted: list[bool]) {
            input x: [N, C]
            found = [false] * 6
            if C > 4 { found = [true] + found[1:] }
            if C >= 4 { found = found[:1] + [true] + found[2:] }
            if C < 4 { found = found[:2] + [true] + found[3:] }
            if C <= 4 { found = found[:3] + [true] + found[4:] }
            if C == 4 { found = found[:4] + [true] + found[5:] }
            if C != 4 { found = found[:5] + [true] }
            assert found == wanted
            output x
        }
        net Blocks(widths: list[int] = [4, 6]) {
            input x: float32[N, 3, 8, 6]
            y = x -> stem: (Conv2d(4, 3, padding=1) -> relu)
            for i, width in enumerate(widths) {
                y = y -> "layer{i + 1}": (Unit(width, stride=1 if i == 0 else 2, slope=0.2) -> Unit(width) * 2)
            }
            z = y -> global_avg_pool -> Linear(4) -> Counted([false, true, false, true, true, false])
            z = z -> Linear(5) -> Counted([true, true, false, false, false, true])
            z = z -> Linear(3) -> Counted([false, false, true, true, false, true])
            output z -> head: Linear(5)
        }""",
    "series": """
        block Mix(width: int, gain: float) {
            input x: [N, C]
            output x * gain + (x -> Linear(2 * width) -> gelu -> Linear(C))
        }
        net Series {
            input x: float32[N, 4]
            for i in range(5) { x = x -> "mix{i + 2}": Mix(3 + i, 0.5) }
            for i in range(4) { x = x -> "more{i + 1}": Mix(4 + 2 * i, sqrt(3)) }
            output x -> tail: (Linear(4) -> LayerNorm -> relu -> last: Linear(2)), softmax(x / sqrt(7), axis=-1)
        }""",
    "shared": """
        net Shared {
            input a: float32[N, 5]
            input b: float32[M, 5]
            enc = Linear(5)
            body = tied: (Linear(5) -> tanh -> Linear(5))
            x = a -> enc -> body
            y = b -> enc -> body -> body
            param scale: float32[5] = uniform(0.5, 1.5)
            param shift: float32[5] = constant(0.25)
            param unit: float32[5] = ones
            assert params == 30 + 60 + 5 * 3 + 10
            param noise: float32[2, 1, 5] = normal(mean=0.5, std=0.01)
            output x * scale + shift * unit, y @ transpose(enc.weight, 0, 1) + noise[0]
        }""",
    "parts": """
        net Parts {
            input x: float32[3, N, 6]
            q, k, v = x
            first, second = split(q, [2, 4], axis=1)
            only = chunk(k, 1, axis=1)[0]
            a, b = chunk(v, 2, axis=-1)
            output first, concat(second, a, axis=1), b - only[:, :3], sum(x, axis=[0, 2]), max(x, axis=-1, keepdims=true)
        }""",
    "whole": """
        net Whole {
            input i: int64[N, 4]
            input x: float32[N, 4]
            input on: bool[N, 4]
            input k: int32[N, 4]
            j = i * 2 + 1
            output j, where(on, x, 0.0), sum(i, axis=1), argmax(x, axis=1), cast(i, "float32") / 3, i == 1, x > 0, k == 0, maximum(x, 0)
        }""",
    "losses": """
        net Losses {
            input x: float32[N, 6]
            target label: int64[N]
            target value: float32[N, 3]
            h = x -> Linear(8) -> tanh
            aux = h -> Linear(3)
            fc = Linear(4)
            logits = h -> fc
            output logits
            loss cross_entropy(logits, label, smoothing=0.1)
            loss 0.3 * mse(aux, value)
            loss decay: 0.01 * sum(fc.weight ** 2)
            metric accuracy(logits, label)
            metric mse(aux, value)
        }""",
    "attention": """
        net Attention(heads: int = 2) {
            input x: float32[N, T, 8]
            q, k, v = x -> Linear(24) -> rearrange("n t (three h d) -> three n h t d", three=3, h=heads)
            scores = softmax(q @ transpose(k, -1, -2) / sqrt(8 // heads), axis=-1)
            y = rearrange(scores @ v, "n h t d -> n t (h d)")
            output x + (y -> Linear(8)) -> LayerNorm, mean(x, axis=1), x[..., 1]
            assert shape(x[..., 1]) == [N, T]
        }""",
    "asking": """
        block Inner {
            input x: [N, C]
            output concat(x, x, axis=1) if C == 4 else x
        }
        block Outer {
            input x: [N, C]
            output x -> Inner
        }
        net Asking {
            input x: float32[N, 4]
            input y: float32[N, 5]
            a, b = [x -> Outer, y -> Outer]
            assert shape(a) == [N, 8]
            assert shape(b) == [N, 5]
            output a, b
        }""",
    "containers": """
        net Containers {
            input x: float32[N, 4]
            y = x -> features: (Linear(4) -> relu -> last: Linear(4) -> Linear(4) * 2 -> (Linear(4) -> tanh) * 2)
            for i in range(2) { y = y -> stages[i].inner: (Linear(4) -> Linear(4)) }
            output y -> Linear(4) -> "head.{3 - 1}": Linear(4) -> Linear(3) -> out: Linear(2)
        }""",
    "presets": """
        # net: Presets
        net Wide(width: int = 3, depth: int = 1, on: bool = false) {
            input x: float32[N, 4]
            output (x -> Linear(width) * depth) * (2 if on else 1)
        }
        net Base = Wide(width=5, on=true)
        net Presets {
            input x: float32[N, 4]
            y = x -> Base(depth=2)
            z = x -> Base(width=6)
            assert shape(y) == [N, 5] and shape(z) == [N, 6]
            assert params == 25 + 30 + 30
            output y, z
        }""",
    "arguments": """
        block Related(width: int, gain: float, count: int = 1) {
            input x: [N, C]
            h = x -> Linear(width + 5) -> tanh -> Linear(width // 2) -> tanh
            output (h -> Linear(C)) * gain + x * count
        }
        block Pick(first: bool, factor: float, window: int) {
            input a: [N, C, L]
            input b: [N, C, L]
            z = (a if first else b) -> Conv1d(2, window, padding="same")
            output (z -> Conv1d(C, 1)) * factor
        }
        block Weigh(factor: float, window: int) {
            input a: [N, C, L]
            output (a -> Conv1d(C, window, padding="same")) * factor
        }
        block Bend(first: bool) {
            input a: [N, C, L]
            output (relu(a) if first else tanh(a)) -> Conv1d(C, 1)
        }
        net Arguments {
            input x: float32[N, 3]
            input a: float32[N, 2, 6]
            for i in range(4) { x = x -> Related(4 + 3 * i, 0.5 + i, count=2 if i == 1 else 1) }
            for i in range(5) { x = x -> "step{i}": Linear(3 + 2 * i) -> tanh }
            y = x -> "held.0": Linear(4)
            z = y -> "held.1": Linear(4)
            output y + z, Pick(true, 1.0, 1)(a, a * 2) + Pick(false, 3.0, 3)(a, a - 1), a -> Bend(true) -> Bend(false) -> Weigh(1.0, 1) -> Weigh(3.0, 3)
        }""",
    "formulas": """
        net Formulas {
            input x: float32[N, 2, H, W]
            s = x[:, 0, 1:, :]
            p = max_pool2d(x, 2, ceil_mode=true)
            c = x -> Conv2d(3, 3, 2, padding=1)
            e = expand(reshape(sum(x, axis=[0, 1, 2, 3]), 1, 1), (H + 1) // 2, W - 1)
            output reshape(s, N, (H - 1) * W), reshape(c, 3 * N, (H + 1) // 2 * ((W + 1) // 2)), e, p
        }""",
    "read": """
        block Unit(width: int) {
            input x: [N, C]
            output x -> fc: Linear(width)
        }
        net Read {
            input x: float32[N, 4]
            unit = Unit(4)
            y = x -> unit
            assert params == 20
            output y @ unit.fc.weight
        }""",
    "twice": """
        net Twice {
            input x: float32[N, 4]
            output maximum(x -> fc: Linear(6), 0.5)
        }""",
    "recurrent": """
        net Recurrent {
            input x: float32[5, N, 3]
            y, h, c = x -> LSTM(4)
            z, last, _ = LSTM(4)(y, h, c)
            output z, last * 2
        }""",
    "copies": """
        net Copies {
            input x: float32[N, 3]
            y = relu(x)
            output x, y, y, identity(y)
        }""",
    "saturated": """
        net Saturated {
            input x: float32[N, 5]
            output log(sigmoid(x * 20)), softmax(x * 300, axis=-1), log_softmax(x * 300, axis=-1)
        }""",
    "numbers": """
        fn halved(v, least = 2) = max(least, min(v // 2, 9), abs(-3) - 1)
        net Numbers(widths: list[int] = [6, 14, 40]) {
            input x: float32[N, 7]
            for i, width in enumerate(widths, 1) {
                x = x -> Linear(halved(width)) if width % 4 != 2 or i == 1 else x -> Linear(sum([width, i, -3]))
            }
            for part in reversed(range(2)) { x = x -> "back{part}": Linear(round(2.6) + part) -> tanh }
            n = len(widths) if 1 < len(widths) <= 3 and not false else 9
            assert n == 3 and halved(6) == 3 and halved(40) == 9 and halved(2) == 2
            assert not 1 < n < 2 and (n < 2 or n > 2) and min([4, 2]) == 2 and max(1, 5, 3) == 5
            assert not (true and false)
            assert false or true
            assert (false or false) == false
            assert sum([1, 2, 3]) == 6 and range(2, 8, 3) == [2, 5] and 7 // 2 == 3 and -7 % 4 == 1
            output x * n - floor(2.5) ** 2 / 7 // 1, (x -> Linear(ceil(7 / 2) % 3 + 1)) * -1, x[..., -1] * widths[-1]
        }""",
    "double": """
        net Double {
            input x: float64[N, 4]
            output x -> Linear(3) -> sigmoid
        }""",
    "named": """
        block Named(width: int, x2: int = 3) {
            input x: [N, C]
            param width_: float32[1] = ones
            output (x -> x2: Linear(width)) * width_ + width * x2
        }
        net Collide {
            input self_: float32[N, 4]
            output (self_ -> Named(4)) + (self_ -> Named(4, x2=5))
        }""",
}

NAMES: dict[str, str] = {  # of the parameters, biases left out, as language.md says
    "containers": "features.0 features.last features.3 features.4 features.5.0 features.6.0 stages.0.inner.0 "
    "stages.0.inner.1 stages.1.inner.0 stages.1.inner.1 fc1 head.2 fc2 out",
    "presets": "wide1.fc1 wide1.fc2 wide2.fc1",
}

ONCE: dict[str, str] = {"twice": "self.fc("}  # what stands in the emitted source once

GRADIENTS: dict[str, str] = {
    "shared": """
        net Shared {
            input a: float32[N, 4]
            input b: float32[N, 4]
            target label: int64[N]
            enc = Linear(4)
            x = a -> enc -> tanh
            y = b -> enc -> sigmoid
            z = x * y + x - y / (2 + x * x)
            param scale: float32[4] = ones
            logits = (z * scale) @ transpose(enc.weight, 0, 1)
            output logits
            loss cross_entropy(logits, label)
            loss 0.3 * mse(x, y)
            loss 0.1 * sum(scale ** 2 + scale ** 3)
        }""",
    "normalised": """
        net Normalised {
            input x: float32[N, 2, 6, 5]
            target label: int64[N]
            y = x -> Conv2d(4, 3, padding=1, bias=false) -> BatchNorm2d -> tanh -> avg_pool2d(2)
            y = y + (y -> Conv2d(4, 3, padding=1) -> GroupNorm(2) -> gelu)
            logits = y -> global_avg_pool -> dropout(0.3) -> fc: Linear(3)
            output logits
            loss cross_entropy(logits, label)
        }""",
    "batch": """
        net Batch {
            input x: float32[8, 3]
            target y: float32[8, 2]
            h = x -> Linear(4, bias=false) -> BatchNorm1d -> sigmoid
            output h -> Linear(2)
            loss mse(h -> out: Linear(2), y)
        }""",
    "parts": """
        net Parts {
            input x: float32[3, N, 4]
            q, k, v = x
            first, second = split(q, [1, 3], axis=1)
            unused, used = chunk(chunk(k * k, 1, axis=1)[0], 2, axis=1)
            s = softmax(k @ transpose(v, 0, 1), axis=-1) * sum(used)
            output concat(first * 2, second ** 2, axis=1) + ((s @ v)[:, ::2] -> Linear(4)), mean(k[1:] * v[:-1], axis=0)
        }""",
}
