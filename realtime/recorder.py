"""Record a live run: its own thread encodes what the slot gives it, at the times of capture, into a file in pieces."""

import threading
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

from .color import SDR_TAGS
from .container import output_format
from .encoder import EncoderChoice, choose_encoder, default_codec, require_container
from .errors import OutputError, StylizeError, UsageError
from .frame import Frame
from .live_frame import LiveFrame, Subscription
from .microphone import Microphone
from .output_file import require_suffix
from .overlay import letterbox
from .sound_track import SoundTrack
from .video_info import VideoInfo
from .video_sink import VideoFileSink

RECORDING_SUFFIXES = (".mp4", ".mov", ".mkv", ".webm")
# Frames that may wait for an encoder that stumbles: half a second.
RECORDING_DEPTH = 15
_TIME_BASE = Fraction(1, 1000)
# No lookahead: what the encoder holds back would be lost when the process is killed, and comes at the cost of the run.
_OPTIONS_OF_CODEC = {"h264": (("tune", "zerolatency"),), "vp9": (("lag-in-frames", "0"),)}
_PRESET_OF_CODEC = {"h264": "superfast", "vp9": "8"}
_KEY_FRAMES_EVERY_S = 2
_STEP_S = 0.2
_JOIN_TIMEOUT_S = 20.0


class Recorder:
    """Writes the frames of `slot` to `path` until it is closed; a failure ends the recording alone.

    `on_failure` is then called in the recorder's thread, and `fault` says what it was.

    The size is that of the first frame; frames of other sizes are letterboxed, messages left out. `seconds` is how
    much is recorded. The sound is that of the microphone which `open_microphone` returns.

    Raises:
        UsageError: the file exists already, or has an unknown suffix.
        OutputError: the folder is missing, or no encoder works here.
        StylizeError: whatever `open_microphone` raises.
    """

    def __init__(
        self,
        path: Path,
        slot: Subscription,
        *,
        on_failure: "Callable[[Recorder], None]",
        fps: int,
        open_microphone: Callable[[], Microphone] | None = None,
    ) -> None:
        require_suffix(path, RECORDING_SUFFIXES)
        if path.exists():
            raise UsageError(f"the recording exists: {path}; give another file")
        if not path.parent.is_dir():
            raise OutputError(f"the folder of the recording does not exist: {path.parent}; create it first")
        self.path = path
        self.fault = ""
        self.seconds = 0.0
        self.slot = slot
        self._on_failure = on_failure
        self._fps = fps
        self._encoder = _encoder(path, fps)
        self._microphone = open_microphone() if open_microphone is not None else None
        self._thread = threading.Thread(target=self._work, name="record", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Write what still waits, and finish the file; the slot must have been closed."""
        self._thread.join(_JOIN_TIMEOUT_S)
        if self._thread.is_alive():
            self.fault = f"the end of {self.path} is still being written; it may lack the last second"

    def _work(self) -> None:
        try:
            self._record()
            return
        except StylizeError as error:
            reason = str(error)
        except Exception as error:  # the border of the thread: the run goes on without its recording
            reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        finally:
            if self._microphone is not None:
                self._microphone.close()
        self.fault = f"the recording has ended: {reason}"
        self._on_failure(self)

    def _record(self) -> None:
        first = self._next()
        if first is None:
            raise OutputError(f"no picture came, so that there is no {self.path}")
        height, width = first.output.shape[:2]
        info = VideoInfo(
            width=width,
            height=height,
            time_base=_TIME_BASE,
            frame_rate=Fraction(self._fps),
            constant_frame_rate=False,
            sample_aspect_ratio=None,
            display_matrix=None,
            color_tags=SDR_TAGS,
        )
        sound = SoundTrack(self._microphone, began_s=first.captured_s) if self._microphone is not None else None
        with VideoFileSink(
            self.path, info=info, encoder=self._encoder, copier=sound, overwrite=False, recording=True
        ) as sink:
            frame: LiveFrame | None = first
            last_ms = -1
            while frame is not None:
                # Milliseconds: two frames that came within the same one are told apart, never out of order.
                last_ms = max(last_ms + 1, round(1000 * (frame.captured_s - first.captured_s)))
                picture = letterbox(frame.output, (width, height))
                sink.write(Frame(picture, last_ms * _TIME_BASE, Fraction(1, self._fps), frame.index))
                self.seconds = last_ms / 1000
                self.slot.shown(frame)
                frame = self._next()
            sink.finish()

    def _next(self) -> LiveFrame | None:
        """Return the next frame that is no message, None once the slot is closed and empty."""
        while True:
            was_closed = self.slot.is_closed
            frame = self.slot.wait(_STEP_S)
            if frame is not None and not frame.is_message:
                return frame
            if frame is None and was_closed:
                return None


def _encoder(path: Path, fps: int) -> EncoderChoice:
    container = output_format(path)
    codec = default_codec(container)
    extra = (*_OPTIONS_OF_CODEC[codec], ("g", str(_KEY_FRAMES_EVERY_S * fps)))
    choice = choose_encoder(codec, preset=_PRESET_OF_CODEC[codec], extra=extra)
    require_container(choice, container)
    return choice
