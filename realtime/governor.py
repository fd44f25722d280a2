"""Hold the frame rate by the size at which the network runs: lower it at once, raise it with patience, never swing.

Time comes with each call; nothing here waits or measures by itself.
"""

from statistics import median

# Short sides, in pixels; one step is about 1.5 times the work of the one below.
STEPS_PX = (144, 180, 216, 270, 324, 396, 486, 594, 720, 900, 1080)
# In the middle: on a slow machine the first seconds are usable, on a fast one two windows lead to the whole size.
START_PX = 486
WINDOW_S = 1.0
# Share of the time of a frame that the busiest stage may take: above the first the size is lowered to what is expected
# to take the second, which is far lower, since not all of a stage's work shrinks with the size; it is raised to the
# largest that is expected to stay below the third.
LOAD_MAX, LOAD_AIM, LOAD_RAISE = 0.95, 0.55, 0.6
# Frames shown, as a share of those wanted, below which the run lags, if frames were dropped: else it is the camera that
# has become slower.
SHOWN_MIN = 0.92
# Windows in a row that must have room before the size is raised: soon at first, then only where it is there to stay.
RAISE_PATIENCE_WINDOWS, EARLY_RAISE_PATIENCE_WINDOWS, EARLY_WINDOWS = 10, 2, 4
# Windows in a row with one sign of too much to do before the size is lowered; both signs together are answered at once,
# one alone may be another program that started up, or a style that is being loaded.
STRAIN_PATIENCE_WINDOWS = 3
# A size that did not hold for this long after it was raised to is barred, each time for twice as long.
PROBATION_S = 20.0
BARRED_S, BARRED_MAX_S = 30.0, 1800.0


class Governor:
    """Chooses the short side for `wanted_fps`; one thread. `size_px` is the choice in force."""

    def __init__(self, *, wanted_fps: float, start_px: int = START_PX) -> None:
        self.size_px = start_px
        self._wanted_fps = wanted_fps
        self._busy_s: list[float] = []
        self._began_s: float | None = None
        self._dropped_before = 0
        self._windows = self._room_windows = self._strained_windows = 0
        self._raised: tuple[int, float] | None = None
        self._barred: dict[int, tuple[float, float]] = {}

    def see(self, busy_s: float, *, now_s: float, arriving_fps: float, dropped: int, short_side_px: int) -> int:
        """Take the time that the busiest stage needed for a frame that was shown now; return the size to run at.

        `arriving_fps` are the frames that come from the source, `dropped` how many were lost since the run began, and
        `short_side_px` is that of the frame.
        """
        if self._began_s is None:
            self._began_s, self._dropped_before = now_s, dropped
        self._busy_s.append(busy_s)
        elapsed_s = now_s - self._began_s
        if elapsed_s >= WINDOW_S and len(self._busy_s) > 1:
            wanted_fps = min(self._wanted_fps, arriving_fps) or self._wanted_fps
            self._decide(
                load=median(self._busy_s) * wanted_fps,
                lags=dropped > self._dropped_before and (len(self._busy_s) - 1) / elapsed_s < SHOWN_MIN * wanted_fps,
                now_s=now_s,
                largest_px=short_side_px,
            )
            self.start_window()
        return self.size_px

    def start_window(self) -> None:
        """Forget the frames of this window: they were disturbed, or made at another size."""
        self._busy_s.clear()
        self._began_s = None

    def _decide(self, *, load: float, lags: bool, now_s: float, largest_px: int) -> None:
        steps = [*(step for step in STEPS_PX if step < largest_px), largest_px]
        current = max((step for step in steps if step <= self.size_px), default=steps[0])
        self.size_px = current
        self._windows += 1
        is_heavy = load > LOAD_MAX
        self._strained_windows = self._strained_windows + 1 if is_heavy or lags else 0
        if self._strained_windows:
            self._room_windows = 0
            if not (is_heavy and lags) and self._strained_windows < STRAIN_PATIENCE_WINDOWS:
                return
            self._strained_windows = 0
            aim = LOAD_AIM / max(load, LOAD_AIM / 0.99)  # always lower, even where no stage alone is to blame
            lower = [step for step in steps if (step / current) ** 2 <= aim]
            self.size_px = lower[-1] if lower else steps[0]
            self._bar_if_on_probation(now_s)
            return
        barred = [size for size, (until_s, _) in self._barred.items() if now_s < until_s]
        limit = min(barred, default=largest_px + 1)
        fitting = [step for step in steps if current < step < limit and load * (step / current) ** 2 <= LOAD_RAISE]
        self._room_windows = self._room_windows + 1 if fitting else 0
        is_early = self._windows <= EARLY_WINDOWS
        if self._room_windows >= (EARLY_RAISE_PATIENCE_WINDOWS if is_early else RAISE_PATIENCE_WINDOWS):
            self._room_windows = 0
            self._raised = (fitting[-1], now_s)
            self.size_px = fitting[-1]

    def _bar_if_on_probation(self, now_s: float) -> None:
        if self._raised is None:
            return
        size_px, raised_s = self._raised
        if now_s - raised_s <= PROBATION_S:
            _, last_s = self._barred.get(size_px, (0.0, BARRED_S / 2))
            barred_s = min(2 * last_s, BARRED_MAX_S)
            self._barred[size_px] = (now_s + barred_s, barred_s)
        self._raised = None
