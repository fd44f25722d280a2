"""Compare `stylize-video` with the same transcode without stylisation and with the classic network in eager PyTorch.

    python -m benchmarks.video [--size 1280x720] [--memory]

All three decode with PyAV and encode with libx264 at the same preset and quality. Needs the extra [train]. Run it on an
idle machine.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from realtime.encoder import choose_encoder

SAMPLE = Path(__file__).parent.parent / "samples" / "coast.mp4"
# The classic network takes seconds a frame.
CLASSIC_FRAMES = 8
MEMORY_FRAMES = (200, 5000)
ENCODER = choose_encoder("h264")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--input", type=Path, default=SAMPLE, help="video to transcode [the sample clip]")
    parser.add_argument("--size", default="1280x720", help="WIDTHxHEIGHT to scale the input to first [%(default)s]")
    parser.add_argument("--rounds", type=int, default=3, help="the median of so many runs is used [%(default)s]")
    parser.add_argument("--memory", action="store_true", help="compare the memory after 200 and 5,000 frames instead")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    with tempfile.TemporaryDirectory() as folder:
        if options.memory:
            _print_memory(Path(folder), width, height)
        else:
            _print_speed(options.input, Path(folder), width, height, rounds=options.rounds)


def _print_speed(source: Path, folder: Path, width: int, height: int, *, rounds: int) -> None:
    scaled = folder / "input.mp4"
    frames = _transcode(source, scaled, lambda frame: frame.reformat(width=width, height=height))
    plain = [_timed(lambda: _transcode(scaled, folder / "plain.mp4", lambda frame: frame)) for _ in range(rounds)]
    reports = [_stylize(scaled, folder / "stylized.mp4") for _ in range(rounds)]
    classic = _classic_network()
    _transcode(scaled, folder / "classic.mp4", classic, limit=1)  # the first frame pays for torch's memory and kernels
    classic_s = _timed(lambda: _transcode(scaled, folder / "classic.mp4", classic, limit=CLASSIC_FRAMES))
    report = sorted(reports, key=lambda item: item["run_s"])[rounds // 2]
    plain_fps = frames / sorted(plain)[rounds // 2]
    ours_fps = report["frames_per_s"]
    classic_fps = CLASSIC_FRAMES / classic_s
    print(f"{width}x{height}, {frames} frames, {report['engine']}, {report['encoder']}, default options")
    print(f"  transcode without stylisation  {plain_fps:8.1f} fps")
    print(f"  stylize-video                  {ours_fps:8.1f} fps  {ours_fps / plain_fps:.2f} of the plain transcode")
    print(
        f"  classic network, eager PyTorch {classic_fps:8.2f} fps  "
        f"stylize-video is {ours_fps / classic_fps:.0f} times as fast"
    )
    print(
        f"  cores used {report['cores_used']:.2f}, peak memory {report['peak_memory_mb']:.0f} MB, "
        f"load {report['load_s']:.2f} s"
    )
    wall_ms = 1000 * report["run_s"] / report["frames"]
    for stage, busy_ms in report["stage_ms"].items():
        print(f"  {stage:8} {busy_ms:6.1f} ms a frame, busy {100 * busy_ms / wall_ms:4.0f} % of the wall time")


def _print_memory(folder: Path, width: int, height: int) -> None:
    peaks = []
    for frames in MEMORY_FRAMES:
        source = folder / f"{frames}.mp4"
        _render_noise_clip(source, width, height, frames)
        peaks.append(_stylize(source, folder / "stylized.mp4")["peak_memory_mb"])
        source.unlink()
    print(
        f"peak memory at {width}x{height}: "
        + ", ".join(f"{peak:.0f} MB after {n} frames" for n, peak in zip(MEMORY_FRAMES, peaks, strict=True))
    )
    print(f"  difference {100 * (peaks[1] / peaks[0] - 1):+.1f} %")


def _stylize(source: Path, target: Path) -> dict[str, Any]:
    report = target.with_suffix(".json")
    command = [sys.executable, "-c", "import sys; from realtime.cli_video import main; sys.exit(main())"]
    subprocess.run(
        [*command, str(source), str(target), "--overwrite", "--progress", "none", "--report", str(report)],
        check=True,
        stderr=subprocess.DEVNULL,
    )
    content: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return content


def _transcode(
    source: Path, target: Path, change: Callable[[av.VideoFrame], av.VideoFrame], *, limit: int | None = None
) -> int:
    frames = 0
    with av.open(str(source)) as reader, av.open(str(target), "w") as writer:
        reader.streams.video[0].thread_type = "AUTO"
        stream: Any = None
        for frame in _first(reader.decode(video=0), limit):
            changed = change(frame)
            if stream is None:
                stream = writer.add_stream(
                    ENCODER.name, rate=reader.streams.video[0].average_rate, options=ENCODER.options
                )
                stream.width, stream.height, stream.pix_fmt = changed.width, changed.height, "yuv420p"
            writer.mux(stream.encode(changed))
            frames += 1
        writer.mux(stream.encode(None))
    return frames


def _classic_network() -> Callable[[av.VideoFrame], av.VideoFrame]:
    """Return Johnson's network on single frames; its weights are random, since its speed does not depend on them."""
    import torch

    from training.network import JohnsonNetwork

    torch.manual_seed(0)
    network = JohnsonNetwork().eval()

    def stylize(frame: av.VideoFrame) -> av.VideoFrame:
        with torch.inference_mode():
            picture = torch.from_numpy(frame.to_ndarray(format="rgb24")).permute(2, 0, 1).unsqueeze(0).float() / 255
            stylized = (network(picture)[0] * 255).clamp(0, 255).byte().permute(1, 2, 0).contiguous().numpy()
        result = av.VideoFrame.from_ndarray(stylized, format="rgb24").reformat(format="yuv420p")
        result.pts, result.time_base = frame.pts, frame.time_base
        return result

    return stylize


def _render_noise_clip(path: Path, width: int, height: int, frames: int) -> None:
    random = np.random.default_rng(0)
    texture = random.integers(0, 256, (height // 8, width // 8 + 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as writer:
        stream: Any = writer.add_stream("libx264", rate=30, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for index in range(frames):
            view = np.ascontiguousarray(texture[:, index % 64 : index % 64 + width // 8])
            frame = av.VideoFrame.from_ndarray(view, format="rgb24").reformat(
                width=width, height=height, format="yuv420p"
            )
            frame.pts, frame.time_base = index, Fraction(1, 30)
            writer.mux(stream.encode(frame))
        writer.mux(stream.encode(None))


def _first(frames: Iterator[av.VideoFrame], limit: int | None) -> Iterator[av.VideoFrame]:
    for index, frame in enumerate(frames):
        if limit is not None and index >= limit:
            return
        yield frame


def _timed(work: Callable[[], object]) -> float:
    started_s = time.perf_counter()
    work()
    return time.perf_counter() - started_s


if __name__ == "__main__":
    main()
