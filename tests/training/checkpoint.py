"""Checkpoints of two trainings, compared."""

from typing import Any

import torch

TIMES = {"elapsed_s", "minutes"}


def assert_same_state(first: Any, second: Any) -> None:
    """Compare checkpoints bit for bit, in all but the time they took."""
    if isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first.keys() - TIMES:
            assert_same_state(first[key], second[key])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same_state(one, other)
    elif isinstance(first, torch.Tensor):
        assert torch.equal(first, second)
    else:
        assert first == second
