"""What the tests of `stylize-keyframe` share: words that make a run short."""

from collections.abc import Callable

# Gets further words, and maybe the paths `content` and `styles`; returns the exit code.
Run = Callable[..., int]
QUICK = (
    "--size", "32", "--iterations", "2", "--precision", "fp32", "--device", "cpu", "--content-layer", "relu2_1",
    "--style-layer", "relu1_1",
)  # fmt: skip
