"""Recipes: what is unknown, missing or of another type is named; those that ship can be read."""

from pathlib import Path

import pytest

import training
from training.recipe import FeedForwardRecipe, load_recipe

# Those of styles; the others are read in test_distill.py and test_people.py.
OTHERS = {"small-backbone", "people"}
RECIPES = sorted(
    path for path in (Path(training.__file__).parent / "recipes").glob("*.toml") if path.stem not in OTHERS
)
REQUIRED = {
    "name": "x",
    "title": "X",
    "picture": "x.jpg",
    "artist": "A",
    "artist_died": "1900",
    "year": "1890",
}


def _write(folder: Path, values: dict[str, object]) -> Path:
    path = folder / "recipe.toml"
    lines = [
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}" for key, value in values.items()
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_recipe_that_ships_can_be_read(path: Path) -> None:
    assert load_recipe(path).name == path.stem


def test_there_are_recipes_and_each_has_its_picture() -> None:
    pictures = [recipe.picture for recipe in map(load_recipe, RECIPES) if isinstance(recipe, FeedForwardRecipe)]

    assert len(pictures) >= 10
    assert len(set(pictures)) == len(pictures)


def test_values_given_replace_the_defaults(tmp_path: Path) -> None:
    recipe = load_recipe(_write(tmp_path, REQUIRED | {"steps": 7, "style_weight": 3, "learning_rate": 0.5}))

    assert recipe == FeedForwardRecipe(**REQUIRED, steps=7, style_weight=3, learning_rate=0.5)  # type: ignore[arg-type]


def test_unknown_keys_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown keys \['stepz', 'wheel'\], missing keys \[\].*known: .*name, title"):
        load_recipe(_write(tmp_path, REQUIRED | {"wheel": 1, "stepz": 2}))


@pytest.mark.parametrize("name", REQUIRED)
def test_missing_key_is_named(tmp_path: Path, name: str) -> None:
    values = {key: value for key, value in REQUIRED.items() if key != name}

    with pytest.raises(ValueError, match=rf"missing keys \['{name}'\]"):
        load_recipe(_write(tmp_path, values))


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("steps", 1.5, "int"),
        ("steps", True, "int"),
        ("steps", "many", "int"),
        ("style_weight", "3", "float"),
        ("style_weight", False, "float"),
        ("title", 7, "str"),
    ],
)
def test_value_of_another_type_is_named(tmp_path: Path, name: str, value: object, expected: str) -> None:
    with pytest.raises(ValueError, match=f"{name} is {value!r} but must be {expected}"):
        load_recipe(_write(tmp_path, REQUIRED | {name: value}))


@pytest.mark.parametrize("kind", ["feed-forward", "adain", "cyclegan"])
@pytest.mark.parametrize(("name", "value"), [("batch", 0), ("steps", -1), ("crop_px", 20), ("crop_px", 0)])
def test_value_that_no_training_can_have_is_refused(tmp_path: Path, kind: str, name: str, value: int) -> None:
    required = REQUIRED if kind == "feed-forward" else {"name": "any", "title": "Any", "kind": kind}

    with pytest.raises(ValueError, match=f"{name} is {value}"):
        load_recipe(_write(tmp_path, required | {name: value}))


def test_paintings_of_a_size_that_the_network_does_not_take_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="style_size_px is 50"):
        load_recipe(_write(tmp_path, {"name": "any", "title": "Any", "kind": "adain", "style_size_px": 50}))


def test_file_that_is_no_toml_is_a_value_error(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text("name = ", encoding="utf-8")

    with pytest.raises(ValueError, match="Invalid value"):
        load_recipe(path)
