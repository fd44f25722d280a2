"""What `--style` and `--mix` name: a style of its own, or pictures for the any-style model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .catalogue import MODEL_SUFFIX, Style, any_style_model, is_any_style, is_file, load_styles, resolve_style
from .errors import UsageError
from .settings import MIXED_STYLES_MAX


@dataclass(frozen=True, slots=True)
class StyleChoice:
    """A model to run; an any-style model with the pictures to paint after and their shares, whose sum is 1."""

    model: Style
    pictures: tuple[Path, ...] = ()
    shares: tuple[float, ...] = ()

    @classmethod
    def mixed(cls, model: Style, names: Sequence[str], weights: Sequence[float]) -> "StyleChoice":
        """Return the mix of pictures of these names, whose weights are at least 0 and not all of them 0."""
        return cls(model, tuple(map(Path, names)), tuple(weight / sum(weights) for weight in weights))

    @property
    def label(self) -> str:
        """Name model and pictures for people: `starry-night` or `any-style: 67 % waves.jpg, 33 % stars.png`.

        A file that the user named keeps its suffix, which tells it from a style of the catalogue.
        """
        if not self.pictures:
            return self.model.name if self.model.card else self.model.path.name
        if len(self.pictures) == 1:
            return f"{self.model.name}: {self.pictures[0].name}"
        parts = (f"{100 * share:.0f} % {path.name}" for share, path in zip(self.shares, self.pictures, strict=True))
        return f"{self.model.name}: {', '.join(parts)}"


def choose_style(styles: tuple[str, ...], mix: tuple[float, ...] | None = None) -> StyleChoice:
    """Return what `--style`, given once or more, and `--mix` stand for; no picture is opened.

    Raises:
        UsageError: no such style or picture, what cannot be mixed, or weights that do not go with the pictures.
    """
    if len(styles) > MIXED_STYLES_MAX:
        raise UsageError(f"--style is given {len(styles)} times; at most {MIXED_STYLES_MAX} pictures can be mixed")
    if mix is not None and len(mix) != len(styles):
        raise UsageError(f"--mix has {len(mix)} weights for {len(styles)} --style; give each --style picture one")
    catalogue = load_styles()
    model = any_style_model(catalogue)
    if model is not None and all(_is_picture(text, catalogue) for text in styles):
        return StyleChoice(model, tuple(map(Path, styles)), mix or (1 / len(styles),) * len(styles))
    text = next(text for text in styles if model is None or not _is_picture(text, catalogue))
    resolved = resolve_style(text, catalogue)
    if len(styles) > 1:
        raise UsageError(
            f"--style {resolved.name} cannot be mixed: only pictures can; give one --style, or pictures only"
        )
    if is_any_style(resolved):
        raise UsageError(f"--style {resolved.name} paints after a picture; give that instead: --style PICTURE")
    return StyleChoice(resolved)


def _is_picture(text: str, catalogue: Mapping[str, Style]) -> bool:
    """Return whether `text` is neither a model nor a name of the catalogue but a file; reading it shows what it is."""
    path = Path(text)
    return path.suffix.lower() != MODEL_SUFFIX and text not in catalogue and is_file(path)
