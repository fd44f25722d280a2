"""Which frames of a stream are taken so that they come at no more than a wanted rate."""

# Part of the time between two frames by which one may come early and is still taken.
EARLY_SHARE = 0.25


class FramePace:
    """Keeps to `fps` on average; a frame that is late is made up for by at most one that follows sooner."""

    def __init__(self, fps: float) -> None:
        self._period_s = 1 / fps
        self._due_s = 0.0

    def is_early(self, time_s: float) -> bool:
        """Return whether a frame of this time is to be left out."""
        return time_s < self._due_s - EARLY_SHARE * self._period_s

    def take(self, time_s: float) -> None:
        """Count a frame of this time as taken."""
        self._due_s = max(self._due_s, time_s - self._period_s) + self._period_s
