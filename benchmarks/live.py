"""Measure a live run as `stylize-webcam --serve` does it: what its clients get, how late, and what it leaves behind.

    python -m benchmarks.live soak [--minutes 10] [--clients 1] [--stalled 0] [OPTION OF stylize-webcam ...]
    python -m benchmarks.live overload [--minutes 1] [OPTION OF stylize-webcam ...]

The program runs in a process of its own, with a rendered file as its camera: 640x360 at 30 fps, 1920x1080 at 60 fps for
`overload`. Clients read `/feed.mjpg` in this process; those that are stalled connect and never read. Latency is from
capture to the last byte at the client, over the whole run. The result is a table and, last, JSON. Linux only
(/proc); run it on an idle machine.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from fractions import Fraction
from itertools import cycle
from pathlib import Path
from typing import Any

import av
import numpy as np

from benchmarks.live_clients import FeedClient, StateReader, stall

SAMPLE = Path(__file__).parent.parent / "samples" / "coast.mp4"
# The file is played again and again.
CAMERA_S = 20
# Growth of memory is counted from here on, in short runs from their middle.
SETTLED_AFTER_S = 60.0
MEMORY_EVERY_S = 1.0
QUIT_TIMEOUT_S = 60.0
_PAGE = "page: "


@dataclass(frozen=True, slots=True)
class Case:
    """A camera, and how long it is looked at."""

    width: int
    height: int
    fps: int
    minutes: float


CASES = {"soak": Case(640, 360, 30, minutes=10), "overload": Case(1920, 1080, 60, minutes=1)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("case", choices=CASES)
    parser.add_argument("--minutes", type=float, help="length of the run [10; overload 1]")
    parser.add_argument("--clients", type=int, default=1, help="clients that read the feed [%(default)s]")
    parser.add_argument("--stalled", type=int, default=0, help="clients that ask for it and never read [%(default)s]")
    options, program_options = parser.parse_known_args()
    case = CASES[options.case]
    seconds = 60 * (case.minutes if options.minutes is None else options.minutes)
    with tempfile.TemporaryDirectory() as folder:
        camera = Path(folder) / "camera.mp4"
        _render(camera, case, seconds=min(seconds, CAMERA_S))
        result = _run(camera, Path(folder), program_options, seconds, clients=options.clients, stalled=options.stalled)
    result = {"case": options.case, "camera": f"{case.width}x{case.height} at {case.fps} fps", **result}
    for name, value in result.items():
        print(f"  {name:26} {value}")
    print(json.dumps(result))


def _run(
    camera: Path, folder: Path, options: list[str], seconds: float, *, clients: int, stalled: int
) -> dict[str, Any]:
    report = folder / "report.json"
    arguments = [str(camera), "--loop", "--serve", "0", "--seconds", f"{seconds:g}", "--report", str(report), *options]
    with subprocess.Popen(
        [sys.executable, "-c", "from benchmarks.live import program; program()", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        said: list[str] = []
        while not said or not said[-1].startswith(_PAGE):
            line = process.stderr.readline()
            if not line:
                raise SystemExit("the program has not begun to serve: " + " ".join(said))
            said.append(line.rstrip())
        port = int(said[-1].rstrip("/").rpartition(":")[2])
        state = StateReader(port)
        feeds = [FeedClient(port) for _ in range(clients)]
        silent = [stall(port) for _ in range(stalled)]
        memory_mb = _memory_until_end(process, seconds + QUIT_TIMEOUT_S)
        said += process.stderr.read().splitlines()
        left = json.loads(process.stdout.read() or "{}")
    for client in silent:
        client.close()
    status = json.loads(report.read_text(encoding="utf-8")) if report.exists() else {}
    return {
        "seconds": seconds,
        "clients": f"{clients} reading, {stalled} stalled",
        "engine": status.get("engine"),
        "frames": status.get("frames"),
        "dropped": status.get("dropped"),
        "skipped": status.get("skipped"),
        "fps_of_clients": [round(feed.fps, 2) for feed in feeds],
        "latency_p50_p95_p99_ms": [_percentiles(feed.latencies_s) for feed in feeds],
        "latency_max_ms": [round(1000 * max(feed.latencies_s, default=0.0)) for feed in feeds],
        **_sizes(state),
        **_memory(memory_mb, seconds),
        "messages": state.messages,
        "summary": said[-1],
        **left,
    }


def program() -> None:
    """Be `stylize-webcam` with the arguments of this process, and print what it has left when it has ended."""
    from realtime.cli_webcam import main as webcam

    threads = set(threading.enumerate())
    sockets = _open_sockets()
    code = webcam(sys.argv[1:])
    left = {
        "threads_left": sorted(thread.name for thread in set(threading.enumerate()) - threads),
        "sockets_left": _open_sockets() - sockets,
        "exit_code": code,
    }
    print(json.dumps(left))


def _render(path: Path, case: Case, *, seconds: float) -> None:
    """Write the sample clip again and again; every frame differs from the one before."""
    with av.open(str(path), "w") as writer:
        stream: Any = writer.add_stream("libx264", rate=case.fps, options={"preset": "ultrafast"})
        stream.width, stream.height, stream.pix_fmt = case.width, case.height, "yuv420p"
        with av.open(str(SAMPLE)) as reader:
            frames = cycle(list(reader.decode(video=0)))
        for index, frame in zip(range(round(seconds * case.fps)), frames, strict=False):
            scaled = frame.reformat(width=case.width, height=case.height)
            scaled.pts, scaled.time_base = index, Fraction(1, case.fps)
            writer.mux(stream.encode(scaled))
        writer.mux(stream.encode(None))


def _memory_until_end(process: "subprocess.Popen[str]", timeout_s: float) -> list[float]:
    """Return the resident size in units of 10^6 bytes, one each second."""
    page_bytes = os.sysconf("SC_PAGE_SIZE")
    sizes_mb = []
    end_s = time.monotonic() + timeout_s
    while process.poll() is None and time.monotonic() < end_s:
        try:
            sizes_mb.append(int(Path(f"/proc/{process.pid}/statm").read_text().split()[1]) * page_bytes / 1e6)
        except (OSError, IndexError):
            break  # it has just ended
        time.sleep(MEMORY_EVERY_S)
    if process.poll() is None:
        process.kill()
    return sizes_mb


def _memory(sizes_mb: list[float], seconds: float) -> dict[str, Any]:
    during = sizes_mb[: int(seconds / MEMORY_EVERY_S)]
    settled = during[int(min(SETTLED_AFTER_S, seconds / 2) / MEMORY_EVERY_S) :]
    if not settled:
        return {"memory_mb": None}
    return {
        "memory_settled_mb": round(settled[0], 1),
        "memory_largest_mb": round(max(settled), 1),
        "memory_end_mb": round(settled[-1], 1),
        "memory_growth_percent": round(100 * (max(settled) / settled[0] - 1), 2),
    }


def _sizes(state: StateReader) -> dict[str, Any]:
    """Return the sizes of the network over time, and how long after the first frame the last change was."""
    sizes = state.sizes()
    return {"sizes": [f"{size} at {at_s:.1f} s" for at_s, size in sizes], "settled_s": sizes[-1][0] if sizes else None}


def _percentiles(seconds: list[float]) -> list[float]:
    if not seconds:
        return []
    return [round(1000 * float(value), 1) for value in np.percentile(seconds, (50, 95, 99))]


def _open_sockets() -> int:
    links = [os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink()]
    return sum(link.startswith("socket:") for link in links)


if __name__ == "__main__":
    main()
