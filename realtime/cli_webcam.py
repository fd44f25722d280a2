"""`stylize-webcam`: stylise a camera live, into a window, a virtual camera, a file."""

import argparse
import dataclasses
import json
import os
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from .allocator import keep_few_arenas
from .command import EXIT_FAILED, Interrupts, make_parser, require_side_file, run_command, say, write_side_file
from .errors import UsageError
from .live_keys import KEYS
from .live_settings import LiveControls, LiveSettings
from .options import add_options, read_options
from .serve_settings import add_serve_options, read_serve_settings
from .settings import path_argument

if TYPE_CHECKING:
    from .live_session import LiveSession
    from .live_status import LiveStatus

_DEFAULT_SOURCE = "0"
_BROWSER = "browser"
_STEP_S = 0.1


def main(arguments: list[str] | None = None) -> int:
    parser = _parser()
    options = parser.parse_args(arguments)
    return run_command(parser.prog, lambda interrupts: _run(options, interrupts))


def _parser() -> argparse.ArgumentParser:
    parser = make_parser("stylize-webcam", "Stylise a camera live, or a video file as if it were one.")
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = "keys of the window:\n" + "\n".join(f"  {key.name:<10}  {key.help}" for key in KEYS)
    parser.add_argument(
        "source",
        nargs="?",
        default=_DEFAULT_SOURCE,
        metavar="CAMERA|URL|VIDEO|browser",
        help="a camera by index, name or device path, a stream's address, a video file, or the camera of the browser "
        f"that opens the page of --serve [{_DEFAULT_SOURCE}]",
    )
    add_options(parser, LiveControls)
    add_options(parser, LiveSettings)
    add_serve_options(parser)
    parser.add_argument(
        "--report", type=path_argument, metavar="FILE.json", help="write the figures of the run as JSON at its end"
    )
    return parser


def _run(options: argparse.Namespace, interrupts: Interrupts) -> int:
    keep_few_arenas()
    # OpenCV and its FFmpeg would write warnings over ours while a camera is away; faults are told in `status`.
    os.environ.setdefault("OPENCV_LOG_LEVEL", "SILENT")
    os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
    # Imported here: `--help` must not wait for PyAV and OpenCV.
    import cv2

    from .live_feed import VirtualCameraFeed
    from .live_input import open_live_source
    from .live_session import LiveSession
    from .live_source import PushSource
    from .live_window import LiveWindow, require_display
    from .microphone import require_microphone
    from .style_choice import choose_style
    from .virtual_camera import open_virtual_camera
    from .web import serve

    interrupts.check()
    # As in a file job: every stage has its thread.
    cv2.setNumThreads(1)
    settings, controls = read_options(options, LiveSettings), read_options(options, LiveControls)
    if options.report is not None:
        others = [*map(Path, settings.style), Path(options.source)]
        require_side_file("report", options.report, [*others, settings.record] if settings.record else others)
    page = read_serve_settings(options)
    # The page is the window of who asks for one.
    has_window = not settings.no_window and page is None
    if has_window:
        require_display()
    if options.source == _BROWSER and page is None:
        raise UsageError("the browser's camera comes through the page: add --serve")
    if settings.microphone is not None:
        require_microphone(settings.microphone)
    browser_camera = PushSource() if options.source == _BROWSER else None
    source = browser_camera or open_live_source(options.source, settings)
    style = choose_style(settings.style, settings.mix)
    with ExitStack() as stack:
        session = stack.enter_context(LiveSession(source, style, settings=settings, controls=controls))
        if settings.vcam is not None:
            size = (settings.vcam_size.width, settings.vcam_size.height)
            camera = open_virtual_camera(settings.vcam, size=size, fps=settings.fps)
            stack.enter_context(VirtualCameraFeed(session, camera))
            say(f"virtual camera: {camera.description}")
        if page is not None:
            server = stack.enter_context(serve(session, page, camera=browser_camera))
            say(f"page: {server.link}")
        if settings.record is not None:  # last: where the page or the camera cannot be had, no file is begun
            session.start_recording(settings.record)
        watch = _Watch(session, interrupts, seconds=float(settings.seconds) if settings.seconds is not None else None)
        try:
            if not has_window:
                while watch.goes_on():
                    session.wait(_STEP_S)
            else:
                LiveWindow(session, folder=Path.cwd(), full_screen=settings.full_screen).run(watch.goes_on)
        finally:  # Ctrl-C is how most runs end
            recording_s = session.status().recording_s
            recorded = session.stop_recording()
            status = session.status()
            if options.report is not None:
                write_side_file("report", options.report, json.dumps(dataclasses.asdict(status), indent=2) + "\n")
            watch.tell(session.recording_fault or status.message)
            if recorded is not None:
                say(f"recorded {recorded}, {recording_s or 0:.1f} s")
            say(_summary(status))
    has_failed = settings.record is not None and bool(session.recording_fault)
    # A page may well end before somebody has opened it.
    is_without_picture = status.frames == 0 and browser_camera is None
    return EXIT_FAILED if has_failed or is_without_picture else 0


class _Watch:
    """Tells when a run is over, and says its messages on standard error as they change."""

    def __init__(self, session: "LiveSession", interrupts: Interrupts, *, seconds: float | None) -> None:
        self._session = session
        self._interrupts = interrupts
        self._end_s = time.perf_counter() + seconds if seconds is not None else None
        self._said = ""

    def goes_on(self) -> bool:
        """Return whether the run goes on; raises KeyboardInterrupt when it was interrupted."""
        self._interrupts.check()
        self.tell(self._session.status().message)
        is_late = self._end_s is not None and time.perf_counter() >= self._end_s
        return not is_late and not self._session.wait(0)

    def tell(self, message: str) -> None:
        if message not in ("", self._said):
            say(message)
        self._said = message


def _summary(status: "LiveStatus") -> str:
    latency = status.latency
    percentiles = [value for value in (latency.p50_ms, latency.p95_ms, latency.p99_ms) if value is not None]
    times = "/".join(f"{value:.0f}" for value in percentiles) or "-"
    return (
        f"{status.frames} frames, {status.fps:.1f} a second at the end, {status.dropped} dropped; "
        f"latency p50/p95/p99 {times} ms; {status.style}; {status.engine}"
    )
