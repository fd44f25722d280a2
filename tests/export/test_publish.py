"""What is published is what the runtime accepts; nothing is lost when it fails, and no name leads astray."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import publish as publish_module
from export.publish import LOCK_FILE, publish, require_free_name
from realtime.catalogue import CATALOGUE_FILE, load_catalogue, load_styles, read_model, verify_style
from realtime.errors import StyleError
from realtime.settings import DEFAULT_STYLE


def _card(name: str) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"Title of {name}",
        "artist": "A. Painter",
        "year": "1890",
        "scores": {"style_loss": 0.1234, "content_loss": 0.567},
    }


def test_published_style_is_found_and_verified_by_the_runtime(tmp_path: Path) -> None:
    publish(b"weights", _card("new"), tmp_path)

    style = load_catalogue(tmp_path)["new"]

    assert read_model(style) == b"weights"
    assert style.title == "Title of new"


def test_style_published_again_replaces_itself_and_leaves_the_others(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        publish(b"first " + name.encode(), _card(name), tmp_path)

    publish(b"second", _card("a") | {"title": "Újra"}, tmp_path)

    catalogue = load_catalogue(tmp_path)
    assert list(catalogue) == ["a", "b", "c"]
    assert catalogue["a"].title == "Újra"
    assert [read_model(style) for style in catalogue.values()] == [b"second", b"first b", b"first c"]


def test_model_too_large_to_ship_is_refused_and_nothing_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish_module, "MODEL_BYTES_MAX", 3)

    with pytest.raises(ValueError, match="new has 4 bytes, more than the 3"):
        publish(b"1234", _card("new"), tmp_path)

    assert not list(tmp_path.iterdir())


def test_variants_and_parts_are_files_of_the_style(tmp_path: Path) -> None:
    parts = {"encoder": b"enc", "fitter": b"fit"}
    publish(b"fp32", _card("a"), tmp_path, variants={"int8": (b"int8", 43.9), "fp16": (b"half", 60.0)}, parts=parts)

    style = load_catalogue(tmp_path)["a"]
    int8 = style.variant("int8")
    verify_style(style)
    assert int8 is not None
    assert read_model(int8) == b"int8"
    assert [(item["precision"], item["psnr_db"]) for item in style.card["variants"]] == [("int8", 43.9), ("fp16", 60.0)]
    assert {part: (tmp_path / style.card[part]["file"]).read_bytes() for part in parts} == parts


def test_files_that_the_new_version_lacks_are_removed(tmp_path: Path) -> None:
    publish(b"1", _card("a"), tmp_path, variants={"int8": (b"2", 40.0)})
    publish(b"1", _card("a-int8"), tmp_path)

    publish(b"3", _card("a"), tmp_path)

    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["a-int8.onnx", "a.onnx", CATALOGUE_FILE]
    assert load_catalogue(tmp_path)["a"].variant("int8") is None


@pytest.mark.parametrize("failing", ["a.onnx", "a.int8.onnx", CATALOGUE_FILE])
def test_failure_at_any_file_leaves_the_other_styles_and_no_rubbish(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    publish(b"other", _card("b"), tmp_path)
    replace = os.replace

    def fail(source: Path, target: Path) -> None:
        if target.name == failing:
            raise OSError("no space left")
        replace(source, target)

    monkeypatch.setattr(publish_module.os, "replace", fail)

    with pytest.raises(OSError, match="no space left"):
        publish(b"new", _card("a"), tmp_path, variants={"int8": (b"2", 40.0)})

    assert [read_model(style) for style in load_catalogue(tmp_path).values()] == [b"other"]
    assert not list(tmp_path.glob("*.part"))
    assert not list(tmp_path.glob(".*.part"))


def test_two_who_publish_at_once_lose_no_style(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_all = publish_module._write_all

    def slow(*arguments: object) -> None:
        time.sleep(0.1)  # the catalogue has been read, and is not written yet
        write_all(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(publish_module, "_write_all", slow)
    with ThreadPoolExecutor(3) as pool:
        list(pool.map(lambda name: publish(b"model", _card(name), tmp_path), ("a", "b", "c")))

    assert list(load_catalogue(tmp_path)) == ["a", "b", "c"]


def test_damaged_catalogue_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / CATALOGUE_FILE).write_text("{", encoding="utf-8")

    with pytest.raises(StyleError, match=r"catalogue\.json cannot be read"):
        publish(b"new", _card("a"), tmp_path)

    assert [path.name for path in tmp_path.iterdir() if path.name != LOCK_FILE] == [CATALOGUE_FILE]


UNSAFE_NAMES = ["", "A", "../up", "a/b", "a.b", "-a", "a--b", "a b", "ä", "x" * 65, "a\n"]


@pytest.mark.parametrize("name", UNSAFE_NAMES)
def test_name_that_is_no_slug_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="cannot name a style; use lower-case letters, digits and single hyphens"):
        publish(b"new", _card(name), tmp_path)
    with pytest.raises(ValueError, match="cannot name a style"):
        require_free_name(name, replace=True)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("replace", [False, True])
def test_shipped_name_is_never_free(replace: bool) -> None:
    with pytest.raises(ValueError, match=f"{DEFAULT_STYLE} is a shipped style; choose another name"):
        require_free_name(DEFAULT_STYLE, replace=replace)


def test_own_name_is_free_once_and_then_only_with_replace(user_styles: Path) -> None:
    require_free_name("dusk", replace=False)
    publish(b"new", _card("dusk"), user_styles)

    require_free_name("dusk", replace=True)
    with pytest.raises(ValueError, match="you have a style dusk already; give --replace"):
        require_free_name("dusk", replace=False)


@pytest.mark.parametrize("name", ["dusk.onnx", "dusk.int8.onnx"])
def test_a_name_is_not_free_where_a_file_of_it_lies(name: str, user_styles: Path) -> None:
    user_styles.mkdir()
    (user_styles / name).write_bytes(b"a filter that few-shot was told to write here")

    with pytest.raises(ValueError, match=rf"{name} is there; give --replace"):
        require_free_name("dusk", replace=False)
    require_free_name("dusk", replace=True)
    require_free_name("dus", replace=False)


def test_style_in_the_users_folder_is_one_of_all_styles(user_styles: Path) -> None:
    publish(b"new", _card("dusk"), user_styles)

    styles = load_styles()
    assert list(styles)[-1] == "dusk"
    assert styles["dusk"].is_users
    assert json.loads((user_styles / CATALOGUE_FILE).read_text(encoding="utf-8"))["schema"] == 1
