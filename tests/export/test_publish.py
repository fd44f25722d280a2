"""What is published is what the runtime accepts, and the tables follow."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import publish as publish_module
from export.publish import TABLE_BEGIN, TABLE_END, publish, styles_table, write_table
from realtime.catalogue import load_catalogue, read_model


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


def test_table_has_a_row_for_every_style(tmp_path: Path) -> None:
    for name in ("a", "b"):
        publish(b"x" * 1_234_567, _card(name), tmp_path)

    rows = styles_table(tmp_path, thumbnails="pictures").splitlines()

    assert len(rows) == 4
    assert rows[2] == "| `a` | ![a](pictures/a.jpg) | A. Painter, *Title of a*, 1890 | 0.123 | 0.57 | 1.2 |"


def test_table_replaces_what_stood_between_the_markers(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text(f"before\n{TABLE_BEGIN}\nold\n{TABLE_END}\nafter\n", encoding="utf-8")

    for table in (r"| \1 \n |", "new"):
        write_table(page, table)

    assert page.read_text(encoding="utf-8") == f"before\n{TABLE_BEGIN}\nnew\n{TABLE_END}\nafter\n"


def test_page_without_markers_is_named_and_left_alone(tmp_path: Path) -> None:
    page = tmp_path / "README.md"
    page.write_text("text", encoding="utf-8")

    with pytest.raises(ValueError, match=r"README\.md has no place for the table"):
        write_table(page, "new")

    assert page.read_text(encoding="utf-8") == "text"
