"""The sound of a recording: what a microphone hears, written without holes beside the video, in time with it."""

from collections.abc import Callable
from fractions import Fraction
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from .microphone import Microphone

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.video.stream import VideoStream

_CODEC_OF_FORMAT = {"webm": "libopus"}
_DEFAULT_CODEC = "aac"
ENCODED_RATE_HZ = 48_000
# The sound begins so much after the picture: encoders put their priming before the first sample, and a file that began
# with it would not begin at the time 0.
BEGINS_AFTER_S = 0.03
# Sound that is further than this from its place is moved there, by silence or a cut; people notice from 45 ms on.
TOLERANCE_S = 0.02
_SILENCE_PIECE_S = 1.0


class SoundTrack:
    """Writes the sound of `microphone` into a file whose time 0 is at `began_s` of the run's clock.

    One of VideoFileSink's companions. Missing sound becomes silence, so that players need not understand holes.
    """

    def __init__(self, microphone: Microphone, *, began_s: float) -> None:
        self.notes: list[str] = []
        self._microphone = microphone
        self._began_s = began_s
        self._stream: AudioStream | None = None
        self._written = round(BEGINS_AFTER_S * microphone.rate_hz)
        self._has_begun = False

    def time_bases(self) -> list[Fraction]:
        return [Fraction(1, ENCODED_RATE_HZ)]

    def add_streams(self, output: "OutputContainer", *, main_video: "Callable[[], VideoStream]") -> "VideoStream":
        video = main_video()
        codec = _CODEC_OF_FORMAT.get(output.format.name, _DEFAULT_CODEC)
        self._stream = output.add_stream(codec, rate=ENCODED_RATE_HZ, layout=self._layout)  # type: ignore[assignment]
        return video

    def copy_until(self, time_s: Fraction, output: "OutputContainer") -> None:
        for block in self._microphone.take_until(self._began_s + float(time_s)):
            self._place(block.samples, block.began_s, output)

    def copy_rest(self, output: "OutputContainer") -> None:
        self.copy_until(Fraction(2**31), output)
        assert self._stream is not None
        if self._has_begun:
            output.mux(self._stream.encode(None))

    @property
    def _layout(self) -> str:
        return "mono" if self._microphone.channels == 1 else "stereo"

    def _place(self, samples: NDArray[np.int16], began_s: float, output: "OutputContainer") -> None:
        rate_hz = self._microphone.rate_hz
        late = round((began_s - self._began_s) * rate_hz) - self._written
        if late < 0 and (late < -TOLERANCE_S * rate_hz or not self._has_begun):
            samples, late = samples[-late:], 0
        if late > TOLERANCE_S * rate_hz or not self._has_begun:
            piece = round(_SILENCE_PIECE_S * rate_hz)
            for missing in range(late, 0, -piece):
                self._encode(np.zeros((min(missing, piece), self._microphone.channels), np.int16), output)
        if len(samples):
            self._encode(samples, output)

    def _encode(self, samples: NDArray[np.int16], output: "OutputContainer") -> None:
        assert self._stream is not None
        self._has_begun = True
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples).reshape(1, -1), "s16", self._layout)
        frame.sample_rate = self._microphone.rate_hz
        frame.pts, frame.time_base = self._written, Fraction(1, self._microphone.rate_hz)
        self._written += len(samples)
        output.mux(self._stream.encode(frame))
