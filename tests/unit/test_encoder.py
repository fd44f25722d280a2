"""The choice of an encoder: every codec word, refusals that say what to do, and `auto`, which takes what works."""

from fractions import Fraction
from pathlib import Path

import av
import pytest

from realtime import encoder as encoder_module
from realtime.encoder import EncoderChoice, choose_encoder, configure_stream, require_container
from realtime.errors import OutputError, StylizeError, UsageError

# Word of --codec, FFmpeg's encoder, a pixel format that it takes.
CODECS = [
    ("h264", "libx264", "yuv420p"),
    ("hevc", "libx265", "yuv420p"),
    ("h265", "libx265", "yuv420p10le"),
    ("av1", "libsvtav1", "yuv420p10le"),
    ("vp9", "libvpx-vp9", "yuv420p"),
    ("prores", "prores_ks", "yuv422p10le"),
    ("ffv1", "ffv1", "yuv444p"),
    ("libx264", "libx264", "yuv444p"),
]


@pytest.fixture
def probed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Let every probe succeed unseen; returns the encoders that were probed."""
    return _fake_probe(monkeypatch, {})


def _fake_probe(monkeypatch: pytest.MonkeyPatch, failures: dict[str, str]) -> list[str]:
    """Let the probe of the encoders in `failures` fail for the reasons there."""
    names: list[str] = []

    def probe(choice: EncoderChoice) -> str | None:
        names.append(choice.name)
        return failures.get(choice.name)

    monkeypatch.setattr(encoder_module, "_probe", probe)
    return names


def _first_packet(choice: EncoderChoice, pixel_format: str) -> bytes:
    context = av.CodecContext.create(choice.name, "w")
    context.width, context.height, context.pix_fmt = 64, 64, pixel_format
    context.time_base, context.options = Fraction(1, 25), dict(choice.options)
    frame = av.VideoFrame(64, 64, pixel_format)
    frame.pts = 0
    return b"".join(bytes(packet) for packet in [*context.encode(frame), *context.encode(None)])


@pytest.mark.parametrize(("codec", "name", "pixel_format"), CODECS)
def test_every_codec_word_is_an_encoder_that_works(codec: str, name: str, pixel_format: str) -> None:
    choice = choose_encoder(codec, pixel_format=pixel_format)

    assert choice.name == name
    assert _first_packet(choice, pixel_format)


def test_every_codec_word_is_tested_here() -> None:
    assert {word for word, _, _ in CODECS} >= set(encoder_module._ENCODER_OF_CODEC)


@pytest.mark.parametrize("codec", ["no-such-codec", "", "aac", "subrip", "h264 "])
def test_what_is_no_video_encoder_is_refused_with_those_that_are(codec: str) -> None:
    with pytest.raises(UsageError, match=r"no video encoder of this FFmpeg; use h264, hevc, .*auto"):
        choose_encoder(codec)


@pytest.mark.parametrize(
    ("codec", "pixel_format"), [("prores", "yuv420p"), ("vp9", "rgb24"), ("h264", "no-such-format")]
)
def test_pixel_format_that_the_encoder_does_not_take_is_refused_with_those_that_it_takes(
    codec: str, pixel_format: str
) -> None:
    with pytest.raises(UsageError, match=rf"cannot encode --pix-fmt {pixel_format}; it takes .*yuv4"):
        choose_encoder(codec, pixel_format=pixel_format)


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h264", {"crf": "20", "preset": "veryfast"}),
        ("hevc", {"crf": "22", "preset": "veryfast", "x265-params": "log-level=none"}),
        ("av1", {"crf": "30", "preset": "10"}),
        ("vp9", {"crf": "30", "cpu-used": "6", "b": "0", "deadline": "realtime", "row-mt": "1"}),
        ("prores", {"profile": "standard"}),
        ("ffv1", {}),
    ],
)
def test_encoder_has_its_defaults(codec: str, options: dict[str, str]) -> None:
    assert choose_encoder(codec, pixel_format="yuv422p10le" if codec == "prores" else "yuv420p").options == options


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h264", {"crf": "33", "preset": "slow"}),
        ("vp9", {"crf": "33", "cpu-used": "slow"}),
        ("h264_nvenc", {"cq": "33", "preset": "slow"}),
        ("hevc_qsv", {"global_quality": "33", "preset": "slow"}),
        ("mpeg4", {"crf": "33", "preset": "slow"}),
    ],
)
def test_quality_and_preset_are_spelled_as_the_encoder_does(codec: str, options: dict[str, str]) -> None:
    name = encoder_module._ENCODER_OF_CODEC.get(codec, codec)

    chosen = encoder_module._options(name, crf=33, preset="slow", extra=())

    assert options.items() <= chosen.items()


def test_further_options_win_over_all_others() -> None:
    choice = choose_encoder("h264", crf=30, extra=(("crf", "40"), ("tune", "grain")))

    assert choice.options == {"crf": "40", "preset": "veryfast", "tune": "grain"}


def test_a_bit_rate_stands_instead_of_the_default_quality() -> None:
    assert choose_encoder("h264", extra=(("b", "100k"),)).options == {"preset": "veryfast", "b": "100k"}


@pytest.mark.parametrize(
    ("formats", "chosen"),
    [
        (["nv12", "qsv"], "nv12"),
        (["nv12", "yuv420p"], "yuv420p"),
        (["yuv422p10le", "yuv444p10le"], "yuv422p10le"),
        (["vaapi"], "yuv420p"),
        ([], "yuv420p"),
    ],
)
def test_an_encoder_is_given_a_format_that_is_in_memory(formats: list[str], chosen: str) -> None:
    assert encoder_module._default_pixel_format(formats) == chosen


def test_auto_passes_over_an_encoder_without_the_option_that_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encoder_module, "AUTO_ENCODERS", ("mpeg4", "libx264"))

    assert choose_encoder("auto", crf=30).name == "libx264"
    with pytest.raises(UsageError, match="no option no-such"):
        choose_encoder("auto", extra=(("no-such", "1"),))


def test_options_reach_the_encoder() -> None:
    choice = choose_encoder("h264", crf=37, preset="slower", extra=(("x264-params", "keyint=17"),))

    settings = _first_packet(choice, "yuv420p")  # x264 writes them into its first packet

    assert b"crf=37.0" in settings
    assert b"keyint=17 " in settings
    assert b"subme=9 " in settings  # that of `slower`


@pytest.mark.parametrize("options", [{"preset": "no-such-preset"}, {"extra": (("tune", "no-such-tune"),)}])
def test_option_that_the_encoder_refuses_is_named(options: dict[str, object]) -> None:
    with pytest.raises(OutputError, match=r"libx264 does not work here with .*no-such-"):
        choose_encoder("h264", **options)  # type: ignore[arg-type]


def test_auto_takes_the_first_encoder_that_encodes(monkeypatch: pytest.MonkeyPatch) -> None:
    names = list(encoder_module.AUTO_ENCODERS)
    probed = _fake_probe(monkeypatch, dict.fromkeys(names[:2], "no device"))

    choice = choose_encoder("auto")

    assert choice.name == names[2]
    assert probed == names[:3]


def test_auto_gives_a_preset_only_to_the_software_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_probe(monkeypatch, {})
    assert choose_encoder("auto", crf=31, preset="slow").options == {"cq": "31", "preset": "p4"}

    _fake_probe(monkeypatch, {name: "no device" for name in encoder_module.AUTO_ENCODERS if name != "libx264"})
    assert choose_encoder("auto", crf=31, preset="slow").options == {"crf": "31", "preset": "slow"}


def test_auto_names_every_failure_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    names = encoder_module.AUTO_ENCODERS
    _fake_probe(monkeypatch, {name: f"reason {index}" for index, name in enumerate(names)})

    with pytest.raises(OutputError) as caught:
        choose_encoder("auto")

    told = [f"{name}: reason {index}" for index, name in enumerate(names)]
    assert str(caught.value) == "no H.264 encoder works here; " + "; ".join(told)


def test_auto_ends_with_the_software_encoder_and_finds_one_here() -> None:
    assert encoder_module.AUTO_ENCODERS[-1] == "libx264"
    assert choose_encoder("auto").name in encoder_module.AUTO_ENCODERS


def test_chosen_encoder_is_probed_once(probed: list[str]) -> None:
    choose_encoder("hevc")

    assert probed == ["libx265"]


@pytest.mark.parametrize("codec", ["h264_nvenc", "h264_qsv", "hevc_vaapi", "h264_v4l2m2m"])
def test_hardware_encoder_works_or_is_refused_with_an_error_of_ours(codec: str) -> None:
    try:
        told = choose_encoder(codec).name
    except StylizeError as error:
        told = str(error)
    assert codec in told
    assert "\n" not in told


@pytest.mark.parametrize(("constant", "reordered"), [(True, True), (False, False)])
def test_frames_are_reordered_only_where_the_rate_is_constant(tmp_path: Path, constant: bool, reordered: bool) -> None:
    with av.open(str(tmp_path / "out.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"b-adapt": "0"})
        configure_stream(stream, time_base=Fraction(1, 600), constant_frame_rate=constant)
        stream.codec_context.width = stream.codec_context.height = 64
        stream.codec_context.pix_fmt = "yuv420p"
        packets = []
        for index in range(12):
            frame = av.VideoFrame(64, 64, "yuv420p")
            frame.pts, frame.time_base = 24 * index, Fraction(1, 600)
            packets += stream.encode(frame)
        packets += stream.encode(None)
        container.mux(packets)

    assert stream.codec_context.time_base == Fraction(1, 600)
    assert any(packet.pts != packet.dts for packet in packets) == reordered


def test_encoder_without_yuv420p_gets_its_own_first_format_unless_one_was_asked_for() -> None:
    assert choose_encoder("prores").pixel_format == "yuv422p10le"
    assert choose_encoder("h264").pixel_format == "yuv420p"
    assert choose_encoder("h264", pixel_format="yuv444p").pixel_format == "yuv444p"


@pytest.mark.parametrize(
    ("codec", "options"),
    [
        ("h264", {"extra": (("no-such-option", "1"),)}),
        ("h264", {"crf": 52}),
        ("prores", {"crf": 20}),
        ("prores", {"preset": "fast"}),
    ],
)
def test_option_that_the_encoder_would_ignore_is_refused(codec: str, options: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"libx264|prores_ks"):
        choose_encoder(codec, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("codec", "container"), [("av1", "mpegts"), ("vp9", "mpegts"), ("prores", "mp4"), ("h264", "webm")]
)
def test_codec_that_the_container_cannot_hold_is_refused(codec: str, container: str) -> None:
    with pytest.raises(UsageError, match=f"{container} files cannot hold {codec}"):
        require_container(choose_encoder(codec), container)


@pytest.mark.parametrize(
    ("codec", "container"),
    [("h264", "mp4"), ("hevc", "mov"), ("prores", "mov"), ("vp9", "webm"), ("av1", "matroska"), ("h264", "mpegts")],
)
def test_codec_that_the_container_holds_is_taken(codec: str, container: str) -> None:
    require_container(choose_encoder(codec), container)
