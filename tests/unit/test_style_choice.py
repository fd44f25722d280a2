"""What `--style` and `--mix` name: a style, or pictures for the any-style model; all else is said to be wrong."""

from pathlib import Path

import pytest

from realtime.catalogue import CATALOGUE_FILE, USER_STYLES_VARIABLE, load_catalogue
from realtime.errors import UsageError
from realtime.settings import DEFAULT_STYLE
from realtime.style_choice import choose_style


@pytest.fixture
def pictures(tmp_path: Path) -> tuple[str, ...]:
    names = ("a", "b%20c", "d", "e", "f")
    for name in names:
        (tmp_path / name).write_bytes(b"opened by nobody yet")
    return tuple(str(tmp_path / name) for name in names)


@pytest.mark.usefixtures("any_style_catalogue")
class TestWithAnAnyStyleModel:
    def test_name_is_the_style_of_that_name(self) -> None:
        choice = choose_style(("invert",))

        assert (choice.model.name, choice.pictures, choice.label) == ("invert", (), "invert")

    def test_any_file_that_is_no_model_is_a_picture(self, pictures: tuple[str, ...]) -> None:
        choice = choose_style(pictures[:1])

        assert (choice.model.name, choice.pictures, choice.shares) == ("colours", (Path(pictures[0]),), (1.0,))
        assert choice.label == "colours: a"

    def test_pictures_are_mixed_in_equal_parts_unless_weights_are_given(self, pictures: tuple[str, ...]) -> None:
        assert choose_style(pictures[:4]).shares == (0.25,) * 4
        assert choose_style(pictures[:2], (0.75, 0.25)).label == "colours: 75 % a, 25 % b%20c"

    def test_model_stays_a_model(self, tmp_path: Path) -> None:
        (tmp_path / "mine.onnx").touch()

        assert choose_style((str(tmp_path / "mine.onnx"),)).model.name == "mine"

    def test_name_of_a_style_wins_over_a_file_of_that_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "invert").touch()

        assert choose_style(("invert",)).model.name == "invert"
        assert choose_style(("./invert",)).model.name == "colours"

    def test_styles_that_are_no_pictures_cannot_be_mixed(self, pictures: tuple[str, ...]) -> None:
        for styles in ((pictures[0], "invert"), ("invert", pictures[0]), ("invert", "invert")):
            with pytest.raises(UsageError, match="--style invert cannot be mixed: only pictures can"):
                choose_style(styles)

    def test_too_many_pictures_are_refused(self, pictures: tuple[str, ...]) -> None:
        with pytest.raises(UsageError, match="given 5 times; at most 4"):
            choose_style(pictures)

    def test_weights_must_go_with_the_pictures(self, pictures: tuple[str, ...]) -> None:
        with pytest.raises(UsageError, match="--mix has 2 weights for 3 --style"):
            choose_style(pictures[:3], (0.5, 0.5))

    def test_picture_that_is_missing_is_named_among_others(self, pictures: tuple[str, ...]) -> None:
        with pytest.raises(UsageError, match=r"no style is called 'nowhere\.jpg', and there is no such file"):
            choose_style((pictures[0], "nowhere.jpg"))

    def test_any_style_model_alone_needs_a_picture(self) -> None:
        with pytest.raises(UsageError, match="--style colours paints after a picture; give that instead"):
            choose_style(("colours",))


def test_damaged_catalogue_of_the_user_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / CATALOGUE_FILE).write_text("{", encoding="utf-8")
    monkeypatch.setenv(USER_STYLES_VARIABLE, str(tmp_path))

    choose_style((DEFAULT_STYLE,))

    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_pictures_without_an_any_style_model_are_refused(pictures: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / CATALOGUE_FILE).write_text('{"schema": 1, "styles": []}', encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(load_catalogue, "__defaults__", (tmp_path,))
        for styles in (pictures[:1], pictures[:2]):
            with pytest.raises(UsageError, match="pictures as styles need an any-style model"):
                choose_style(styles)
