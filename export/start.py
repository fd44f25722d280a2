"""What `--start` of the training commands names: the network that a training begins with."""

from realtime.catalogue import resolve_style
from realtime.errors import UsageError
from training.recipe import SHIPPED_PREFIX

NO_START = "none"


def initial_of(start: str) -> str:
    """Return what a recipe calls the network to start from: a shipped style, a file, or nothing.

    Raises:
        UsageError: there is no such style, or it is of a kind whose networks are others.
    """
    if start == NO_START:
        return ""
    style = resolve_style(start)
    kind = style.card.get("kind", "feed-forward")
    if kind != "feed-forward":
        raise UsageError(f"--start {start}: a style of kind {kind} cannot be the start; name another or {NO_START}")
    return str(style.path) if style.is_users or not style.card else f"{SHIPPED_PREFIX}{style.name}"
