"""Every option: parsed strictly, shown with its default, and back as it was given."""

import argparse
import dataclasses
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from realtime.options import add_options, default_text, read_options
from realtime.settings import (
    MIXED_STYLES_MAX,
    PICTURE_OPTIONS,
    SIZE_MAX_PX,
    SIZE_MIN_PX,
    Controls,
    Settings,
    key_value,
    mix_weights,
    size_px,
    time_s,
    unit_interval,
)

# For every option words of a command line and what must come back.
GIVEN = {
    "strength": (["--strength", "0.25"], 0.25),
    "smoothing": (["--smoothing", "0"], 0.0),
    "keep_colors": (["--keep-colors"], True),
    "style": (["--style", "folder/some, name.jpg", "--style", "x:1"], ("folder/some, name.jpg", "x:1")),
    "mix": (["--mix", "3,1"], (0.75, 0.25)),
    "keyframes": (["--keyframes", "painted"], "painted"),
    "gatys": (["--gatys", "a=b.jpg"], "a=b.jpg"),
    "gatys_keyframes": (["--gatys-keyframes", "4"], 4),
    "keep_keyframes": (["--keep-keyframes", "kept"], "kept"),
    "carry": (["--carry", "auto"], "auto"),
    "vgg": (["--vgg", "vgg.safetensors"], "vgg.safetensors"),
    "size": (["--size", "360"], 360),
    "shifts": (["--shifts", "4"], 4),
    "device": (["--device", "intel-gpu"], "intel-gpu"),
    "engine": (["--engine", "openvino"], "openvino"),
    "precision": (["--precision", "int8"], "int8"),
    "start": (["--start", "1:02.5"], Fraction(125, 2)),
    "end": (["--end", "90"], Fraction(90)),
    "paint": (["--paint", "people"], "people"),
    "split": (["--split", "side"], "side"),
    "measure": (["--measure"], True),
    "codec": (["--codec", "hevc"], "hevc"),
    "crf": (["--crf", "0"], 0),
    "preset": (["--preset", "slow"], "slow"),
    "pix_fmt": (["--pix-fmt", "yuv444p"], "yuv444p"),
    "mask": (["--mask", "folder/matte of it.mp4"], "folder/matte of it.mp4"),
    "invert_mask": (["--invert-mask"], True),
    "encoder_options": (["-e", "a=1", "--encoder-option", "b=x=y"], (("a", "1"), ("b", "x=y"))),
    "overwrite": (["--overwrite"], True),
    "resume": (["--resume"], True),
}
FIELDS = [
    pytest.param(declared, item, id=item.name)
    for declared in (Controls, Settings)
    for item in dataclasses.fields(declared)
]

Declared = type[Controls] | type[Settings]
Field = dataclasses.Field[object]


def _parse(declared: Declared, words: list[str]) -> Controls | Settings:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, declared)
    return read_options(parser.parse_args(words), declared)  # type: ignore[type-var]


def _one_line_each(prog: str) -> argparse.HelpFormatter:
    return argparse.HelpFormatter(prog, max_help_position=100, width=1000)


@given(st.integers(0, 10**6), st.integers(0, 999_999))
def test_seconds_are_exact(whole: int, millionths: int) -> None:
    assert time_s(f"{whole}.{millionths:06}") == whole + Fraction(millionths, 10**6)


@given(st.integers(0, 100), st.integers(0, 59), st.integers(0, 59), st.integers(0, 999))
def test_clock_times_are_exact(hours: int, minutes: int, seconds: int, thousandths: int) -> None:
    exact = 3600 * hours + 60 * minutes + seconds + Fraction(thousandths, 1000)

    assert time_s(f"{hours:02}:{minutes:02}:{seconds:02}.{thousandths:03}") == exact


@pytest.mark.parametrize(("text", "value"), [("2:03", 123), ("0", 0), ("75", 75), (".5", Fraction(1, 2)), ("5.", 5)])
def test_short_times(text: str, value: Fraction) -> None:
    assert time_s(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        ":",
        "1:",
        ":1",
        "a",
        "-1",
        "1:-1",
        "1:60",
        "1:60:00",
        "1:2:3:4",
        "nan",
        "inf",
        "1/2",
        "1/0",
        "1e999999999",
        "1 ",
    ],
)
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"not a time; write seconds \(12.5\) or HH:MM:SS"):
        time_s(text)


@pytest.mark.parametrize("text", ["1000000000.1", "277778:00:00", "9" * 4000])
def test_a_time_beyond_every_clock_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="more than 1000000000 seconds"):
        time_s(text)


@given(st.floats(0, 1))
def test_numbers_of_the_unit_interval_are_kept(value: float) -> None:
    assert unit_interval(repr(value)) == value


@given(st.floats().filter(lambda value: not 0 <= value <= 1))
def test_numbers_outside_the_unit_interval_are_refused(value: float) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=r"outside 0\.\.1"):
        unit_interval(repr(value))


def test_strength_that_is_no_number_is_refused() -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="'much' is not a number"):
        unit_interval("much")


@given(st.lists(st.floats(0, 1000), min_size=2, max_size=MIXED_STYLES_MAX).filter(lambda weights: sum(weights) > 1e-6))
def test_weights_of_a_mix_become_shares_in_their_proportion(weights: list[float]) -> None:
    shares = mix_weights(",".join(map(repr, weights)))

    assert sum(shares) == pytest.approx(1)
    assert shares == pytest.approx([weight / sum(weights) for weight in weights])


@given(st.text())
def test_any_text_is_a_mix_or_refused(text: str) -> None:
    try:
        shares = mix_weights(text)
    except argparse.ArgumentTypeError:
        return
    assert sum(shares) == pytest.approx(1)
    assert all(0 <= share <= 1 for share in shares)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a number"),
        ("1", "must have 2 to 4 weights"),
        ("1,1,1,1,1", "must have 2 to 4 weights"),
        ("1,", "not a number"),
        ("1;2", "not a number"),
        ("0,0", "not all of them 0"),
        ("1,-1", "from 0 to 1000"),
        ("1,nan", "from 0 to 1000"),
        ("inf,1", "from 0 to 1000"),
    ],
)
def test_what_is_no_mix_is_refused(text: str, words: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=words):
        mix_weights(text)


@given(st.integers(SIZE_MIN_PX, SIZE_MAX_PX))
def test_size_is_kept(value: int) -> None:
    assert size_px(str(value)) == value


def test_full_size_is_none() -> None:
    assert size_px("full") is None


@given(st.one_of(st.integers(max_value=SIZE_MIN_PX - 1), st.integers(min_value=SIZE_MAX_PX + 1)))
def test_size_out_of_range_is_refused_with_the_range(value: int) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match=f"from {SIZE_MIN_PX} to {SIZE_MAX_PX}"):
        size_px(str(value))


@given(st.text().filter(lambda text: not text.isdecimal() and text != "full"))
def test_size_that_is_no_whole_number_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="neither 'full' nor a whole number"):
        size_px(text)


@given(st.text(min_size=1).filter(lambda key: "=" not in key), st.text())
def test_key_and_value_are_parted_at_the_first_sign(key: str, value: str) -> None:
    assert key_value(f"{key}={value}") == (key, value)


@pytest.mark.parametrize("text", ["", "key", "=", "=value"])
def test_what_is_not_key_value_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="not KEY=VALUE"):
        key_value(text)


@pytest.mark.parametrize("text", ["-1", "64", "20.5", "best", ""])
def test_crf_out_of_range_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="0 to 63"):
        _parse(Settings, [f"--crf={text}"])


@pytest.mark.parametrize("text", ["0", "3", "8", "two", ""])
def test_number_of_shifts_that_is_not_offered_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentError, match="none of 1, 2, 4"):
        _parse(Settings, [f"--shifts={text}"])


@pytest.mark.parametrize(("option", "word"), [("--device", "gpu"), ("--engine", "torch"), ("--precision", "int4")])
def test_word_that_is_no_choice_is_refused(option: str, word: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=f"invalid choice: '{word}'"):
        _parse(Settings, [option, word])


@pytest.mark.parametrize(("declared", "item"), FIELDS)
def test_option_reaches_the_parser_and_comes_back(declared: Declared, item: Field) -> None:
    words, value = GIVEN[item.name]
    default = declared()

    assert value != getattr(default, item.name)
    assert _parse(declared, words) == dataclasses.replace(default, **{item.name: value})


@pytest.mark.parametrize("declared", [Controls, Settings])
def test_nothing_given_is_the_defaults(declared: Declared) -> None:
    assert _parse(declared, []) == declared()


def test_command_may_have_some_of_the_options_and_the_defaults_of_the_others() -> None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_options(parser, Settings, only=PICTURE_OPTIONS)

    assert read_options(parser.parse_args(["--size", "360"]), Settings) == Settings(size=360)
    with pytest.raises(SystemExit):
        parser.parse_args(["--crf", "20"])


def test_options_of_pictures_are_declared() -> None:
    declared = {item.name for declared in (Controls, Settings) for item in dataclasses.fields(declared)}

    assert declared > PICTURE_OPTIONS


def test_repeatable_option_does_not_grow_from_one_parse_to_the_next() -> None:
    parser = argparse.ArgumentParser()
    add_options(parser, Settings)
    words = ["-e", "a=1"]

    parser.parse_args(words)

    assert read_options(parser.parse_args(words), Settings).encoder_options == (("a", "1"),)


@pytest.mark.parametrize(("declared", "item"), FIELDS)
def test_help_shows_the_default(declared: Declared, item: Field) -> None:
    parser = argparse.ArgumentParser(formatter_class=_one_line_each)
    add_options(parser, declared)
    flag = GIVEN[item.name][0][0].split("=")[0]

    line = next(line for line in parser.format_help().splitlines() if line.lstrip().startswith(flag))

    assert item.metadata["help"] in line
    if item.default is not False and item.default != ():
        assert line.endswith(f"[{default_text(item)}]")
        assert default_text(item) != "None"
