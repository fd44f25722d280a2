"""Loads styles beside a live run: what was asked for first, then the neighbours, so that changing over does not wait.

A style is loaded, its pictures are encoded and its network is compiled for the frames at hand, all in the thread
"styles"; only then the view that the network's threads read is replaced. What `live_fit.py` makes of the codes of
pictures comes seconds later, and is faded over to.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace

from .catalogue import any_style_model
from .engine import Engine, open_style
from .errors import StylizeError, UsageError
from .graph import FEED_FORWARD, TRANSFER
from .live_fit import LiveFit
from .live_settings import LiveSettings
from .live_style import LiveStyle, PictureMix, StyleView
from .loaded_style import open_encoder
from .picture import Picture, over_white, read_picture
from .settings import MIXED_STYLES_MAX
from .style_choice import StyleChoice
from .style_code import StyleCode, encode_picture, mix_codes

# The present style, the one before, and a neighbour on each side.
ENGINES_KEPT = 4
# Codes are a few kilobytes, but each keeps its picture alive.
CODES_KEPT = 2 * MIXED_STYLES_MAX
# Frames run undisturbed for this long before and between the preloading of neighbours: the governor needs it to see.
PRELOAD_AFTER_S = 2.5
_STEP_S = 0.2
_JOIN_TIMEOUT_S = 10.0


@dataclass(frozen=True, slots=True)
class _Encoded:
    """A picture with its code, the encoder's guess or fitted."""

    picture: Picture
    code: StyleCode
    is_fitted: bool


class StyleBank:
    """Holds the styles of a live run; `view` may be read by any thread at any time.

    `fault` is one line about the last style that could not be had, empty after one that could. `is_busy` tells that
    loading or compiling takes processor time from the frames. The first style is loaded at once.

    Raises:
        StylizeError: the first style or its engine cannot be used.
    """

    def __init__(
        self,
        choice: StyleChoice,
        neighbours: Callable[[StyleChoice], Sequence[StyleChoice]],
        *,
        settings: LiveSettings,
        size_px: int,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.fault = ""
        self.choice = choice
        self._neighbours = neighbours
        self._settings = settings
        self._clock = clock
        self._engines: dict[str, Engine] = {}
        self._codes: dict[int, _Encoded] = {}
        self._asked: StyleChoice | PictureMix | None = None
        self._asked_size_px: int | None = None
        self._fitted: list[tuple[Picture, StyleCode]] = []
        self._fit = LiveFit(self._take_fitted, self._tell)
        self._frame_size: tuple[int, int] | None = None
        self._unusable: set[str] = set()
        self._unusable_sizes_px: set[int] = set()
        self._quiet_since_s: float | None = None
        self._changing_to: StyleChoice | PictureMix | None = None
        self._is_changing = False
        self.is_busy = False
        self._changed = threading.Condition()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="styles", daemon=True)
        self.view = StyleView(self._load(choice), size_px, settings.shifts)

    def __enter__(self) -> "StyleBank":
        self._fit.__enter__()
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        self._fit.__exit__(*exception)
        self._thread.join(_JOIN_TIMEOUT_S)
        for engine in self._engines.values():
            engine.close()

    @property
    def is_loading(self) -> bool:
        """Tell whether something that was asked for is on its way."""
        return self._asked is not None or self._asked_size_px is not None or self._is_changing

    @property
    def wanted_label(self) -> str:
        """The label of the style that is on its way, else of the present one; empty for pictures on their way."""
        wanted = self._asked or self._changing_to
        if wanted is None:
            return self.view.style.label
        return wanted.label if isinstance(wanted, StyleChoice) else ""

    def ask(self, choice: StyleChoice) -> None:
        """Change over to `choice` as soon as it is ready; the last call wins."""
        self._ask(choice)

    def ask_pictures(self, pictures: Sequence[tuple[str, Picture]], weights: Sequence[float]) -> None:
        """Change over to a mix of pictures; at once where all are encoded.

        Raises:
            UsageError: no any-style model, too many pictures, or weights that do not go with them.
        """
        if any_style_model() is None:
            raise UsageError("there is no any-style model here: pictures cannot be used as styles")
        if not 1 <= len(pictures) <= MIXED_STYLES_MAX:
            raise UsageError(f"{len(pictures)} pictures were given; 1 to {MIXED_STYLES_MAX} can be mixed")
        if len(weights) != len(pictures) or min(weights) < 0 or not sum(weights) > 0:
            raise UsageError("give each picture a weight of at least 0, and not all of them 0")
        self._ask(PictureMix(tuple(pictures), tuple(weights)))

    def ask_size(self, size_px: int, frame_size: tuple[int, int]) -> None:
        """Run at another short side once the network is compiled for it; `frame_size` is (width, height)."""
        with self._changed:
            self._frame_size = frame_size
            is_new = size_px != self.view.size_px and size_px not in self._unusable_sizes_px
            self._asked_size_px = size_px if is_new else None
            if self._asked_size_px is not None:
                self._changed.notify_all()

    def has_shown(self) -> None:
        """Say that frames are shown: from now on there is time for neighbours, too."""
        if self._quiet_since_s is None:
            self._quiet_since_s = self._clock()

    def _is_quiet(self) -> bool:
        return self._quiet_since_s is not None and self._clock() - self._quiet_since_s >= PRELOAD_AFTER_S

    def _ask(self, what: StyleChoice | PictureMix) -> None:
        with self._changed:
            self._asked = what
            self._changed.notify_all()

    def _take_fitted(self, picture: Picture, code: StyleCode) -> None:
        with self._changed:
            self._fitted.append((picture, code))
            self._changed.notify_all()

    def _tell(self, fault: str) -> None:
        self.fault = fault

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(
                    lambda: self._stopped or self._asked or self._asked_size_px or self._fitted, _STEP_S
                )
                if self._stopped:
                    return
                fitted, self._fitted = self._fitted, []
                asked, self._changing_to, self._asked = self._asked, self._asked, None
                size_px, self._asked_size_px = self._asked_size_px, None
                self._is_changing = asked is not None or size_px is not None
            self.is_busy = self._is_changing
            try:
                self._keep(fitted)
                if asked is not None:
                    self._change_to(asked)
                    self.fault = ""
                else:
                    self._change_to_fitted(fitted)
                if size_px is not None:
                    self._change_size(size_px)
                elif asked is None and self._is_quiet():
                    self._preload()
            except StylizeError as error:
                self.fault = str(error)
            except Exception as error:  # the border of the thread: the style before goes on, and people are told
                self.fault = f"the style cannot be used: {' '.join(str(error).split())}"
            finally:
                if self.is_busy and self._quiet_since_s is not None:
                    self._quiet_since_s = self._clock()
                self._changing_to, self._is_changing, self.is_busy = None, False, False

    def _change_size(self, size_px: int) -> None:
        try:
            self._warm_up(self.view.style, size_px)
        except StylizeError:
            self._unusable_sizes_px.add(size_px)  # too much for the device, say; it would be asked for with each frame
            raise
        self.view = replace(self.view, size_px=size_px)

    def _keep(self, fitted: Sequence[tuple[Picture, StyleCode]]) -> None:
        for picture, code in fitted:
            if id(picture) in self._codes:
                self._codes[id(picture)] = _Encoded(picture, code, is_fitted=True)

    def _change_to_fitted(self, fitted: Sequence[tuple[Picture, StyleCode]]) -> None:
        """Fade over to codes that were fitted meanwhile, where their pictures are seen."""
        style = self.view.style
        if style.mix and any(picture is seen for picture, _ in fitted for _, seen in style.mix.pictures):
            style = replace(self._load_mix(style.mix)[0], label=style.label)
            self.view = self.view.changed_to(style, self._clock())

    def _change_to(self, asked: StyleChoice | PictureMix) -> None:
        if isinstance(asked, StyleChoice):
            style = self._load(asked)
            choice = asked
        else:
            style, choice = self._load_mix(asked)
        if self.view.size_px is not None:
            self._warm_up(style, self.view.size_px)
        self.choice = choice
        same_model = style.engine is self.view.style.engine
        # What a slider sends is shown at once: each fade would begin where the last was just about to lead.
        quick = same_model and not isinstance(asked, StyleChoice)
        self.view = (
            replace(self.view, style=style, before=None) if quick else self.view.changed_to(style, self._clock())
        )

    def _load(self, choice: StyleChoice) -> LiveStyle:
        if choice.pictures:
            pictures = [(path.name, read_picture(path)) for path in choice.pictures]
            return replace(self._load_mix(PictureMix(pictures, choice.shares))[0], label=choice.label)
        return LiveStyle(choice.label, self._engine(choice))

    def _load_mix(self, mix: PictureMix) -> tuple[LiveStyle, StyleChoice]:
        model = any_style_model()
        if model is None:
            raise UsageError("there is no any-style model here: pictures cannot be used as styles")
        choice = StyleChoice.mixed(model, [name for name, _ in mix.pictures], mix.weights)
        pictures = [picture for _, picture in mix.pictures]
        missing = [picture for picture in pictures if id(picture) not in self._codes]
        if missing:
            with closing(open_encoder(model)) as encoder:
                for picture in missing:
                    guess = encode_picture(encoder, over_white(picture))
                    self._codes[id(picture)] = _Encoded(picture, guess, is_fitted=False)
        for known in [key for key in self._codes if key not in map(id, pictures)]:
            if len(self._codes) > CODES_KEPT:
                del self._codes[known]
        encoded = [self._codes[id(picture)] for picture in pictures]
        self._fit.ask(model, [(one.picture, one.code) for one in encoded if not one.is_fitted])
        code = mix_codes([one.code for one in encoded], mix.weights)
        return LiveStyle(choice.label, self._engine(choice), code, mix), choice

    def _engine(self, choice: StyleChoice) -> Engine:
        """Return the engine of a model, most recently used last; those that are let go end with their last frame."""
        key = str(choice.model.path)
        engine = self._engines.pop(key, None)
        if engine is None:
            engine = open_style(
                choice.model,
                engine=self._settings.engine,
                device=self._settings.device,
                precision=self._settings.precision,
                contract=TRANSFER if choice.pictures else FEED_FORWARD,
            )
        self._engines[key] = engine
        while len(self._engines) > ENGINES_KEPT:
            del self._engines[next(iter(self._engines))]
        return engine

    def _warm_up(self, style: LiveStyle, size_px: int) -> None:
        if self._frame_size is not None:
            width, height = self._frame_size
            style.stylizer(size_px=size_px, shifts=self._settings.shifts).warm_up(width=width, height=height)

    def _preload(self) -> None:
        """Make one neighbour of the present style ready that is not yet; one that cannot be is told when asked for."""
        for choice in self._neighbours(self.choice):
            key, size_px = str(choice.model.path), self.view.size_px
            if choice.pictures or size_px is None or key in self._engines or key in self._unusable:
                continue
            self.is_busy = True
            try:
                self._warm_up(self._load(choice), size_px)
            except StylizeError:
                self._unusable.add(key)
            present = str(self.choice.model.path)
            if present in self._engines:  # it stays the most recently used
                self._engines[present] = self._engines.pop(present)
            return
