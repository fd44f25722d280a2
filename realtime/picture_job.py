"""One still picture in, one stylised picture out."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .engine import Engine
from .errors import StylizeError
from .finish import finish
from .input_motion import Look
from .loaded_style import LoadedStyle, load_style
from .output_file import require_not_read, require_paths, write_whole
from .paint_mask import mask_path, still_mask
from .people_mask import PeopleMask, open_people_network
from .picture import SAVE_OPTIONS, keeps_alpha, mask_of, read_picture, write_picture
from .settings import Controls, Settings
from .split import Split
from .style_choice import StyleChoice


@dataclass(frozen=True, slots=True)
class PictureReport:
    """What a finished picture is: size in pixels, `run_s` wall-clock seconds with reading and writing."""

    output: Path
    width: int
    height: int
    style: str
    engine: str
    run_s: float
    notes: tuple[str, ...]


class PictureJobs:
    """Stylises picture files with one style and one set of options; the network is loaded once for all of them.

    `check_stop` is called before each job; what it raises ends the job.

    Raises:
        StylizeError: style, engine or options cannot be used.
    """

    def __init__(
        self,
        style: StyleChoice,
        settings: Settings,
        controls: Controls,
        *,
        check_stop: Callable[[], None] = lambda: None,
    ) -> None:
        self._style = style
        self._settings = settings
        self._controls = controls
        self._check_stop = check_stop
        self._mask = mask_path(settings, controls)
        self._clock: Callable[[], float] = time.perf_counter
        self._loaded: LoadedStyle = load_style(
            style, engine=settings.engine, device=settings.device, precision=settings.precision
        )
        self._people: Engine | None = None
        if controls.paint is not None:
            try:
                self._people = open_people_network()
            except StylizeError:
                self._loaded.close()
                raise
        self._stylizer = self._loaded.stylizer(size_px=settings.size, shifts=settings.shifts)

    def __enter__(self) -> "PictureJobs":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._loaded.close()
        if self._people is not None:
            self._people.close()

    @cached_property
    def _mask_levels(self) -> NDArray[np.uint8]:
        """The mask, (H, W), read once for all pictures."""
        assert self._mask is not None
        return mask_of(read_picture(self._mask))

    def run(self, input_path: Path, output_path: Path) -> PictureReport:
        """Stylise one picture; on failure nothing is left under `output_path` that was not there before.

        Raises:
            StylizeError: the input cannot be read or the output not be written.
        """
        self._check_stop()
        settings = self._settings
        require_paths(input_path, output_path, suffixes=SAVE_OPTIONS, overwrite=settings.overwrite)
        require_not_read(output_path, filter(None, [*self._style.pictures, self._mask]))
        started_s = self._clock()
        picture = read_picture(input_path)
        mask = None
        if self._mask is not None:  # before it is painted, which takes long where the picture is large
            name = f"the mask {self._mask}"
            mask = still_mask(self._mask_levels, picture.rgb, name=name, inverted=settings.invert_mask)
        made = self._stylizer.stylize(picture.rgb, strength=self._controls.strength)
        stylized, alpha = finish(picture.rgb, made, self._controls), picture.alpha
        if mask is not None:
            stylized = mask.mix(picture.rgb, stylized)
        elif self._people is not None:
            people = PeopleMask(self._people)
            stylized = people.mix(picture.rgb, stylized, people.find(picture.rgb), Look(None), self._controls)
        if settings.split is not None:
            split = Split(settings.split)
            stylized = split.join(picture.rgb, stylized)
            alpha = split.join(alpha, alpha) if alpha is not None else None
        suffix = output_path.suffix.lower()
        result = replace(picture, rgb=stylized, alpha=alpha)
        write_whole(output_path, lambda part: write_picture(part, result, suffix=suffix), overwrite=settings.overwrite)
        height, width = stylized.shape[:2]
        notes = picture.notes
        if alpha is not None and not keeps_alpha(suffix):
            notes = (*notes, f"{suffix} holds no transparency: the picture is put on white")
        return PictureReport(
            output=output_path,
            width=width,
            height=height,
            style=self._style.label,
            engine=self._loaded.engine.description,
            run_s=self._clock() - started_s,
            notes=notes,
        )
