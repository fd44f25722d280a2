"""The course of an optimisation: its losses as a plot, its pictures as a strip."""

from math import nan
from pathlib import Path

from matplotlib.figure import Figure
from PIL import Image, ImageDraw, ImageFont

from training.keyframe import Keyframe, KeyframeStep

# Iterations after which the strip shows the picture, counted over all scales; the last one comes after them.
STRIP_ITERATIONS = (0, 10, 50, 100, 300)
STRIP_HEIGHT_PX = 320
LABEL_HEIGHT_PX, LABEL_SIZE_PX, GAP_PX = 32, 18, 8


class Course:
    """Remembers every step's losses and, if asked to, small pictures of some."""

    def __init__(self, keyframe: Keyframe, *, keeps_pictures: bool) -> None:
        self._keyframe = keyframe
        self._keeps_pictures = keeps_pictures
        self._terms: list[dict[str, float]] = []
        self._numbers: list[int] = []
        self._scale_starts: list[int] = []
        self._scale: int | None = None
        self._pictures: list[tuple[int, Image.Image]] = []

    def add(self, step: KeyframeStep) -> None:
        """Take a step; what a resumed run did before it was stopped is not known."""
        number = step.scale * self._keyframe.settings.iterations + step.iterate.iteration
        if step.scale != self._scale:
            self._scale_starts.append(number)
            self._scale = step.scale
        weights = self._keyframe.settings.weights
        weighted = {name: getattr(weights, name) * term for name, term in step.iterate.terms.items()}
        self._terms.append({"total": step.iterate.total, **weighted})
        self._numbers.append(number)
        # A finer scale begins with the number at which the coarser one ended.
        if self._keeps_pictures and number in STRIP_ITERATIONS and number not in dict(self._pictures):
            self._pictures.append((number, self._small(self._keyframe.image_of(step.iterate))))

    def save_plot(self, path: Path, *, format: str) -> None:
        """Draw the terms as they are weighted, and their sum. Raises OSError or ValueError if it cannot be written."""
        figure = Figure(figsize=(9, 4.5), layout="constrained")
        axes = figure.subplots()
        for name in self._terms[0]:
            axes.plot(self._numbers, [terms[name] or nan for terms in self._terms], label=name.replace("_", " "))
        for number in self._scale_starts[1:]:
            axes.axvline(number, color="#999", linestyle="--")
        axes.set(xlabel="iteration", ylabel="weighted loss", yscale="log")
        axes.legend()
        figure.savefig(path, format=format)

    def save_strip(self, path: Path, *, format: str) -> None:
        """Put the pictures side by side, the best one at the end. Raises OSError if it cannot be written."""
        best = self._keyframe.best
        assert best is not None  # `add` had a step
        last = f"best, {self._numbers[-1]}"
        shown = [(str(number), picture) for number, picture in self._pictures if number != self._numbers[-1]]
        shown.append((last, self._small(self._keyframe.image_of(best))))
        width = sum(picture.width for _, picture in shown) + GAP_PX * (len(shown) - 1)
        strip = Image.new("RGB", (width, LABEL_HEIGHT_PX + max(picture.height for _, picture in shown)), "white")
        draw, font, left = ImageDraw.Draw(strip), ImageFont.load_default(LABEL_SIZE_PX), 0
        for label, picture in shown:
            draw.text((left, 4), label, fill="black", font=font)
            strip.paste(picture, (left, LABEL_HEIGHT_PX))
            left += picture.width + GAP_PX
        strip.save(path, format=format)

    def _small(self, picture: Image.Image) -> Image.Image:
        """Return the picture at the strip's height, that of the result if that is less."""
        width, height = self._keyframe.sizes[-1]
        shown = min(STRIP_HEIGHT_PX, height)
        return picture.resize((round(width * shown / height), shown), Image.Resampling.LANCZOS)
