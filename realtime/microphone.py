"""A microphone beside a live run: blocks of sound, each with the time at which it began on the clock of the pictures.

PortAudio (sounddevice, the extra `[microphone]`) hands the blocks over in a thread of its own.
"""

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .errors import InputError, UsageError

DEFAULT_MICROPHONE = "auto"
# Blocks wait while the camera is away and nothing is written; those beyond are lost.
WAITING_MAX_S = 60.0
# A microphone that is pulled out may just say nothing any more.
SILENT_S = 3.0
# Seconds a second by which two clocks may drift apart; crystals are ten times as good.
CLOCK_DRIFT = 0.001
_CHANNELS_MAX = 2


@dataclass(frozen=True, slots=True, eq=False)
class SoundBlock:
    """`samples` (N, channels) int16; the first was taken at `began_s` of the run's clock."""

    samples: NDArray[np.int16]
    began_s: float


class SoundStream(Protocol):
    """An open microphone as `open_stream` returns it; tests put their own in its place."""

    rate_hz: int
    channels: int

    def start(self) -> None:
        """Begin to listen; raises InputError where that fails."""
        ...

    def close(self) -> None:
        """Stop listening; may be called twice."""
        ...


# Called with samples (N, channels), the time of the first, and the time now, both in seconds of the stream's own clock.
BlockListener = Callable[[NDArray[np.int16], float, float], None]


class Microphone:
    """Listens to `device` (a part of its name, its index, or `auto`) until it is closed.

    `on_failure` is called once, with one line, when no sound comes any more; any thread may do so.

    Raises:
        UsageError: the extra is not installed.
        InputError: there is no such microphone, or it cannot be opened.
    """

    def __init__(
        self, device: str, *, on_failure: Callable[[str], None], clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._clock = clock
        self._on_failure = on_failure
        self._lock = threading.Lock()
        self._blocks: deque[SoundBlock] = deque()
        self._offset_s = math.inf
        self._heard_s = clock()
        self._is_done = False
        self._stream = open_stream(device, self._take, self._ended)
        self.rate_hz = self._stream.rate_hz
        self.channels = self._stream.channels
        try:
            self._stream.start()
        except BaseException:
            self.close()
            raise

    def take_until(self, time_s: float) -> list[SoundBlock]:
        """Return the blocks that began up to `time_s` and have not been returned yet."""
        if self._clock() - self._heard_s > SILENT_S:
            self._ended()
        with self._lock:
            taken = []
            while self._blocks and self._blocks[0].began_s <= time_s:
                taken.append(self._blocks.popleft())
            return taken

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._is_done = True
        self._stream.close()

    def _take(self, samples: NDArray[np.int16], taken_s: float, now_s: float) -> None:
        self._heard_s = self._clock()
        # Blocks are handed over late now and then, never early: the least difference of the clocks is the true one.
        duration_s = len(samples) / self.rate_hz
        self._offset_s = min(self._heard_s - now_s, self._offset_s + CLOCK_DRIFT * duration_s)
        block = SoundBlock(samples, taken_s + self._offset_s)
        with self._lock:
            self._blocks.append(block)
            while block.began_s - self._blocks[0].began_s > WAITING_MAX_S:
                self._blocks.popleft()

    def _ended(self) -> None:
        if not self._is_done:
            self._is_done = True
            self._on_failure("the microphone gives no sound any more; is it unplugged?")


def require_microphone(device: str) -> None:
    """Refuse a microphone that cannot be used, before anything else begins.

    Raises:
        UsageError: the extra is not installed.
        InputError: there is no such microphone, or it cannot be opened.
    """
    Microphone(device, on_failure=lambda fault: None).close()


def list_microphones() -> dict[int, str]:
    """Return the names of microphones by index; none is opened.

    Raises:
        UsageError: the extra is not installed.
    """
    return _names(_import_sounddevice())


def open_stream(device: str, on_block: BlockListener, on_end: Callable[[], None]) -> SoundStream:
    """Return a stream of `device`, which calls `on_block` from its `start` on, and `on_end` when it has ended."""
    sounddevice = _import_sounddevice()
    wanted = None if device == DEFAULT_MICROPHONE else int(device) if device.isdecimal() else device
    if isinstance(wanted, str):
        # Windows lists each microphone once for each of its interfaces to sound, and PortAudio calls that ambiguous.
        names = _names(sounddevice).items()
        wanted = next((index for index, name in names if device.casefold() in name.casefold()), wanted)
    try:
        return _PortAudioStream(sounddevice, wanted, on_block, on_end)
    except (sounddevice.PortAudioError, ValueError) as error:
        raise _refused(sounddevice, wanted, error) from error


class _PortAudioStream:
    def __init__(
        self, sounddevice: Any, device: int | str | None, on_block: BlockListener, on_end: Callable[[], None]
    ) -> None:
        self._sounddevice = sounddevice
        self._device = device
        described = sounddevice.query_devices(device, "input")
        self.rate_hz = round(described["default_samplerate"])
        self.channels = min(_CHANNELS_MAX, described["max_input_channels"])
        self._on_block = on_block
        self._stream = sounddevice.InputStream(
            device=device,
            samplerate=self.rate_hz,
            channels=self.channels,
            dtype="int16",
            callback=self._hand_over,
            finished_callback=on_end,
        )

    def start(self) -> None:
        try:
            self._stream.start()
        except self._sounddevice.PortAudioError as error:
            raise _refused(self._sounddevice, self._device, error) from error

    def close(self) -> None:
        self._stream.close()

    def _hand_over(self, samples: NDArray[np.int16], count: int, times: Any, status: object) -> None:
        now_s = times.currentTime
        # Some of PortAudio's backends do not know when the first sample was taken.
        taken_s = times.inputBufferAdcTime or now_s - count / self.rate_hz
        self._on_block(samples.copy(), taken_s, now_s)  # PortAudio takes its memory back


def _import_sounddevice() -> Any:
    try:
        import sounddevice
    except ModuleNotFoundError as error:
        raise UsageError("the microphone needs sounddevice; install it: pip install 'stylecast[microphone]'") from error
    except OSError as error:  # its wheels for Linux do not bring PortAudio
        raise UsageError("the microphone needs PortAudio; install it: sudo apt install libportaudio2") from error
    return sounddevice


def _names(sounddevice: Any) -> dict[int, str]:
    return {each["index"]: each["name"] for each in sounddevice.query_devices() if each["max_input_channels"]}


def _refused(sounddevice: Any, device: int | str | None, error: Exception) -> InputError:
    names = [f"{index}: {name}" for index, name in _names(sounddevice).items()]
    called = "of this system" if device is None else repr(device)
    problem = " ".join(str(error.args[0]).split())
    return InputError(
        f"the microphone {called} cannot be used ({problem}); microphones here: {', '.join(names) or 'none'}"
    )
