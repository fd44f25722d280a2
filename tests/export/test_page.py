"""The tables of the styles show what the cards say, and replace nothing but what stood between their markers."""

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export.page import (
    GALLERY_BEGIN,
    GALLERY_END,
    TABLE_BEGIN,
    TABLE_END,
    gallery,
    replace_between,
    styles_table,
    write_pages,
)
from export.publish import publish
from realtime.catalogue import WEIGHTS_FOLDER, load_catalogue

PARITY = [{"engine": "ONNX Runtime", "share_within_one_level": 1.0, "psnr_db": 90.1}]


def _card(name: str, **more: Any) -> dict[str, Any]:
    return {
        "name": name,
        "title": f"Title of {name}",
        "kind": "feed-forward",
        "artist": "A. Painter",
        "year": "1890",
        "licence": "Apache-2.0",
        "recipe": f"training/recipes/{name}.toml",
        "training": {"data": "photographs", "steps": 600, "minutes": 27.0, "vgg": "v"},
        "scores": {"style_loss": 0.1234, "content_loss": 0.567},
        "milliseconds": {"size": "1280x720", "hardware": "2 cores", "OpenVINO, int8": 9.5},
        "parity": PARITY,
        **more,
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "weights"
    publish(b"x" * 1_234_567, _card("a"), folder, variants={"int8": (b"y" * 490_000, 43.9)})
    publish(b"x" * 1_234_567, _card("b", recipe={"name": "b"}), folder)
    return folder


def test_table_has_a_row_for_every_style(folder: Path) -> None:
    rows = styles_table(folder, thumbnails="pictures").splitlines()

    assert len(rows) == 4
    assert rows[2] == (
        "| `a` | ![a](pictures/a.jpg) | A. Painter, *Title of a*, 1890 | feed-forward "
        "| style loss 0.123, content loss 0.57 | 1.7 |"
    )


def test_gallery_shows_the_figures_of_every_card(folder: Path) -> None:
    header, _, first, second = gallery(folder).splitlines()

    assert first.count(" | ") == second.count(" | ") == header.count(" | ")
    assert "![a](thumbnails/a.jpg)" in first
    assert "[a.toml](../training/recipes/a.toml)" in first
    assert "in the card" in second
    for figure in ("0.45 h, 600 steps", "style loss 0.123, content loss 0.57", "9.5: OpenVINO, int8",
                   "a.int8.onnx 0.49 MB, 43.9 dB",
                   "a.onnx 1.23 MB", "1280x720, 2 cores", "90.1 dB: ONNX Runtime", "Apache-2.0"):  # fmt: skip
        assert figure in first


def test_gallery_shows_the_flicker_when_it_was_measured(tmp_path: Path) -> None:
    publish(b"x", _card("a", scores={"style_loss": 0.1, "content_loss": 0.5, "warping_error": 0.01234}), tmp_path)

    assert "E_warp 0.0123" in gallery(tmp_path)


def test_model_without_painter_and_figures_has_its_rows_too(tmp_path: Path) -> None:
    card = _card("any", scores={}, kind="adain")
    for key in ("artist", "year", "milliseconds"):
        del card[key]
    publish(b"x", card, tmp_path, parts={"encoder": b"yz"})

    assert (
        styles_table(tmp_path, thumbnails="t").splitlines()[2]
        == "| `any` | ![any](t/any.jpg) | *Title of any* | adain | – | 0.0 |"
    )
    assert "any.encoder.onnx" in gallery(tmp_path)


def test_shipped_cards_have_what_the_gallery_shows() -> None:
    assert len(gallery(WEIGHTS_FOLDER).splitlines()) == 2 + len(load_catalogue())


def test_both_pages_are_brought_up_to_date_and_keep_their_text(folder: Path) -> None:
    inner, outer = folder / "README.md", folder.parent / "README.md"
    inner.write_text(f"a\n{TABLE_BEGIN}\nold\n{TABLE_END}\nb\n{GALLERY_BEGIN}\n{GALLERY_END}\nc\n", encoding="utf-8")
    outer.write_text(f"x\n{TABLE_BEGIN}\n{TABLE_END}\ny\n", encoding="utf-8")

    for _ in range(2):
        write_pages(folder)

    table, shown = styles_table(folder, thumbnails="thumbnails"), gallery(folder)
    assert inner.read_text(encoding="utf-8") == (
        f"a\n{TABLE_BEGIN}\n{table}\n{TABLE_END}\nb\n{GALLERY_BEGIN}\n{shown}\n{GALLERY_END}\nc\n"
    )
    assert "](weights/thumbnails/a.jpg)" in outer.read_text(encoding="utf-8")


def test_a_folder_of_trials_leaves_the_page_above_it(folder: Path) -> None:
    trial = folder.rename(folder.parent / "trial")
    text = f"x\n{TABLE_BEGIN}\nshipped\n{TABLE_END}\ny\n"
    (trial.parent / "README.md").write_text(text, encoding="utf-8")

    write_pages(trial)

    assert (trial.parent / "README.md").read_text(encoding="utf-8") == text


def test_a_page_of_anybody_is_left_as_it_is(folder: Path) -> None:
    text = b"Fran\xe7ais, in Latin-1\r\n"
    (folder.parent / "README.md").write_bytes(text)

    write_pages(folder)

    assert (folder.parent / "README.md").read_bytes() == text


def test_text_without_markers_and_text_like_a_pattern_stay() -> None:
    assert replace_between("text", "<a>", "<b>", "new") == "text"
    assert replace_between("<a>old<b>", "<a>", "<b>", r"\1 \n") == "<a>\n\\1 \\n\n<b>"
