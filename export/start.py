"""What `--start` of the training commands names: the network that a training begins with."""

from realtime.catalogue import resolve_style
from realtime.errors import UsageError

NO_START = "none"


def initial_of(start: str) -> str:
    """Return what a recipe calls the network to start from: a shipped style's name, a file, or nothing.

    Raises:
        UsageError: there is no such style, or it is an any-style model.
    """
    if start == NO_START:
        return ""
    style = resolve_style(start)
    if style.card.get("kind", "feed-forward") != "feed-forward":
        raise UsageError(f"--start {start}: an any-style model cannot be the start; name another style or {NO_START}")
    return str(style.path) if style.is_users or not style.card else style.name
