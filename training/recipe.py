"""A recipe: every setting of one training, read from TOML; unknown keys are errors."""

import dataclasses
import tomllib
from pathlib import Path
from typing import Any, ClassVar, TypeVar

# The sides of what the networks take are multiples of it (`network.SIZE_MULTIPLE`; torch is not imported here).
SIDE_STEP_PX = 8
# Of the network that finds people (`people_network.py`).
PEOPLE_SIDE_STEP_PX = 16
# Before a name of an `initial`: the style that ships is meant, whatever run of that name lies beside this one.
SHIPPED_PREFIX = "shipped:"

AnyRecipe = TypeVar("AnyRecipe", bound="LoopRecipe | CycleGanRecipe")


def _require_counts(name: str, *, batch: int, steps: int) -> None:
    if batch < 1 or steps < 0:
        raise ValueError(f"{name}: batch is {batch} and steps is {steps}, but must be at least 1 and 0")


def _require_sides(name: str, **sides_px: int) -> None:
    for side, value in sides_px.items():
        if value < SIDE_STEP_PX or value % SIDE_STEP_PX:
            raise ValueError(f"{name}: {side} is {value}, but must be a multiple of {SIDE_STEP_PX}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LoopRecipe:
    """What the training of one network needs (`trainer.py`), whatever it learns.

    `steps` of 0 means that a time budget decides. Sizes are in pixels of a side. `batch` is shared out among the
    devices, so that a recipe means the same on one and on eight of them.
    """

    NETWORKS: ClassVar[tuple[str, ...]] = ()

    name: str
    title: str
    kind: str
    network: str
    crop_px: int = 256
    batch: int = 4
    steps: int
    learning_rate: float
    warmup_steps: int
    gradient_norm_max: float = 5.0
    ema_decay: float
    seed: int = 1

    def __post_init__(self) -> None:
        _require_counts(self.name, batch=self.batch, steps=self.steps)
        _require_sides(self.name, crop_px=self.crop_px)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe(LoopRecipe):
    """What every training of a style needs; loss weights are relative to a content weight of 1.

    `initial` names the style whose trained network is the start (see `initial.py`), empty for random weights: what
    keeps the content recognisable is learned once.
    """

    initial: str = ""
    style_size_px: int
    style_weight: float
    coherence_weight: float
    # Of the squared error in colour, against 1 for the error in luminance (`coherence.py`).
    coherence_chroma_weight: float = 0.5
    grid_weight: float = 300.0
    total_variation_weight: float = 0.1
    # Of patterns in flat areas (`flatness.py`): for prints and drawings, whose paper is empty.
    flat_weight: float = 0.0


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FeedForwardRecipe(Recipe):
    """A network for one style picture; `picture` is its file name, and artist and years are shown on its card."""

    NETWORKS: ClassVar[tuple[str, ...]] = ("slim", "johnson")

    picture: str
    artist: str
    artist_died: str
    year: str
    kind: str = "feed-forward"
    network: str = "slim"
    style_size_px: int = 512
    steps: int = 1400
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    style_weight: float = 15.0
    # Flicker that the starry night lost against training without it, on four sequences, and its style loss then: 60:
    # 40 %, 1.1 times; 150 with colour counted half: 43 %, 1.8 times; 200 with colour in full: 71 %, 2 times.
    coherence_weight: float = 150.0
    ema_decay: float = 0.99


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class AdainRecipe(Recipe):
    """A network that paints in the style of any picture, trained on a folder of paintings.

    `reconstruction_weight` is of the mean square error between a painting and what the network makes of it in its own
    style, and between a photograph and what is made of it at a low strength. `style_loss` compares Gram matrices or
    means and standard deviations.
    """

    NETWORKS: ClassVar[tuple[str, ...]] = ("slim", "vgg")
    STYLE_LOSSES: ClassVar[tuple[str, ...]] = ("gram", "mean-std")

    kind: str = "adain"
    network: str = "slim"
    style_loss: str = "gram"
    style_size_px: int = 256
    steps: int = 0
    learning_rate: float = 1.5e-3
    warmup_steps: int = 100
    style_weight: float = 5.0
    coherence_weight: float = 30.0
    reconstruction_weight: float = 10.0
    ema_decay: float = 0.995

    def __post_init__(self) -> None:
        LoopRecipe.__post_init__(self)  # `super()` does not know the class that `slots` has made
        _require_sides(self.name, style_size_px=self.style_size_px)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FewShotRecipe(Recipe):
    """A network for one video, learned from stylised frames of it; made by a command, not read from a file.

    `style_size_px` is the short side of the frames, `crop_px` that of the patches which VGG19 sees. `pixel_weight` is
    of the mean absolute difference to a key frame; `style_weight` counts at key frames and between them. `footage`
    tells videos, key frames and moments apart, so that no run is continued with others.
    """

    title: str = ""
    kind: str = "few-shot"
    footage: str = ""
    network: str = "slim"
    batch: int = 1
    steps: int = 0
    learning_rate: float = 4e-3
    warmup_steps: int = 20
    pixel_weight: float = 10.0
    style_weight: float = 10.0
    # E_warp and style loss between key frames after 300 steps at 240x136 (four key frames of 40 frames): 100: 25.1e-4
    # and 0.026, 200: 19.9e-4 and 0.029.
    coherence_weight: float = 100.0
    ema_decay: float = 0.98


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DistillRecipe(LoopRecipe):
    """A small backbone that learns VGG19's features; weights are relative to 1 for the error of the features.

    Of each batch, the first `optimized` pictures have gone `optimized_steps` steps, each of up to `optimized_step_max`
    of the range of a value, towards the style of the last ones as the network sees it.
    """

    NETWORKS: ClassVar[tuple[str, ...]] = ("distilled-vgg",)

    kind: str = "distill"
    network: str = "distilled-vgg"
    crop_px: int = 160
    steps: int = 0
    learning_rate: float = 2e-4
    warmup_steps: int = 20
    ema_decay: float = 0.99
    gram_weight: float = 0.5
    optimized: int = 1
    optimized_steps: int = 4
    optimized_step_max: float = 0.06
    noise_max: float = 0.2


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRecipe(LoopRecipe):
    """A network that finds people; `composite_share` of its pictures are put together (`dataset_people.py`)."""

    NETWORKS: ClassVar[tuple[str, ...]] = ("people",)

    kind: str = "people"
    network: str = "people"
    # The short side of what the network sees of a frame.
    crop_px: int = 96
    batch: int = 24
    steps: int = 0
    learning_rate: float = 2e-3
    warmup_steps: int = 50
    ema_decay: float = 0.99
    composite_share: float = 0.35
    noise_max: float = 0.06

    def __post_init__(self) -> None:
        LoopRecipe.__post_init__(self)  # `super()` does not know the class that `slots` has made
        if self.crop_px % PEOPLE_SIDE_STEP_PX:
            raise ValueError(f"{self.name}: crop_px is {self.crop_px}, but must be a multiple of {PEOPLE_SIDE_STEP_PX}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class CycleGanRecipe:
    """A network that turns photographs into paintings of a folder, and back (Zhu et al. 2017).

    Weights are relative to an adversarial weight of 1; those of cycle and identity are of the mean absolute error in
    [0, 1], half of the paper's in [-1, 1]. `discriminator_channels` are those of the first layer. The defaults are the
    paper's, but for terms that it does not have. A slim painter may start from a style, as `initial` says in other
    recipes, at a strength of 0 to 1.
    """

    NETWORKS: ClassVar[tuple[str, ...]] = ("slim", "resnet6", "resnet9")

    name: str
    title: str
    kind: str = "cyclegan"
    network: str = "slim"
    initial: str = ""
    initial_strength: float = 0.7
    crop_px: int = 160
    batch: int = 1
    steps: int = 0
    learning_rate: float = 2e-4
    discriminator_learning_rate: float = 2e-4
    discriminator_channels: int = 64
    cycle_weight: float = 20.0
    identity_weight: float = 10.0
    # Of the distance from the paintings' mean texture (`objective_cyclegan.py`); at 0 no VGG19 is needed.
    texture_weight: float = 0.0
    coherence_weight: float = 100.0
    coherence_chroma_weight: float = 0.5
    grid_weight: float = 300.0
    ema_decay: float = 0.999
    seed: int = 1

    def __post_init__(self) -> None:
        _require_counts(self.name, batch=self.batch, steps=self.steps)
        _require_sides(self.name, crop_px=self.crop_px)


StyleRecipe = FeedForwardRecipe | AdainRecipe | CycleGanRecipe
KINDS: dict[str, type[StyleRecipe]] = {
    "feed-forward": FeedForwardRecipe,
    "adain": AdainRecipe,
    "cyclegan": CycleGanRecipe,
}


def load_recipe(path: Path) -> StyleRecipe:
    """Read the recipe of a style; without `kind` it is a feed-forward one.

    Raises ValueError that names the unknown, missing or mistyped keys and the choices there are.
    """
    with path.open("rb") as file:
        kind = tomllib.load(file).get("kind", "feed-forward")
    _require_choice(path, "kind", kind, tuple(KINDS))
    loaded = load_recipe_as(KINDS[kind], path)
    if isinstance(loaded, AdainRecipe):
        _require_choice(path, "style_loss", loaded.style_loss, AdainRecipe.STYLE_LOSSES)
    return loaded


def load_recipe_as(recipe: type[AnyRecipe], path: Path) -> AnyRecipe:
    """Read a recipe of one kind. Raises ValueError as `load_recipe`."""
    with path.open("rb") as file:
        values = tomllib.load(file)
    fields = {field.name: field for field in dataclasses.fields(recipe)}
    unknown = sorted(set(values) - set(fields))
    missing = sorted(
        name for name, field in fields.items() if field.default is dataclasses.MISSING and name not in values
    )
    if unknown or missing:
        raise ValueError(f"{path}: unknown keys {unknown}, missing keys {missing}; known: {', '.join(fields)}")
    for name, value in values.items():
        _require_type(path, fields[name], value)
    loaded = recipe(**values)
    _require_choice(path, "kind", loaded.kind, (str(fields["kind"].default),))
    _require_choice(path, "network", loaded.network, recipe.NETWORKS)
    return loaded


def _require_type(path: Path, field: "dataclasses.Field[Any]", value: object) -> None:
    accepted = (int, float) if field.type is float else (field.type,)
    if not isinstance(value, accepted) or isinstance(value, bool):  # type: ignore[arg-type]
        raise ValueError(f"{path}: {field.name} is {value!r} but must be {getattr(field.type, '__name__', field.type)}")


def _require_choice(path: Path, name: str, value: object, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise ValueError(f"{path}: {name} is {value!r} but must be one of {', '.join(choices)}")
