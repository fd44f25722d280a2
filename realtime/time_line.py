"""Times of recordings that were joined or damaged: one wrong time is put right, and all streams go on together.

Where a recording continues another in the same file, its clock jumps back. The main video tells by how much everything
behind the seam is to be moved, for streams need not end together, and sparse ones, such as subtitles, do not show it.
"""

from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.container import InputContainer

    from .media import AnyPacket

# A time that is further than this from what is expected is of another time line (recordings joined in one transport
# stream), or wrong.
NEW_TIME_LINE_S = 1
# Formats whose clocks begin anywhere, such as that of a sender; what begins so late was not made so on purpose.
_ARBITRARY_CLOCKS = frozenset({"mpegts", "mpeg"})
_BEGIN_MAX_S = 10
# Of a stream that waits for the video to come to the seam: more than transport streams interleave.
_WAITING_MAX_S = 3


def goes_on(time_s: Fraction, expected_s: Fraction) -> bool:
    """Return whether a time is near enough to the expected one for both to be of one time line."""
    return abs(time_s - expected_s) <= NEW_TIME_LINE_S


def shift_to_zero_s(container: "InputContainer", first_s: Fraction) -> Fraction:
    """Return what is to be taken off all times of a file whose video begins at `first_s`, so that it begins near 0.

    Players show nothing before 0, and wait through what is long before the first frame.
    """
    told = container.start_time  # of the earliest stream
    begin_s = min(first_s, Fraction(told, 1_000_000)) if told is not None else first_s
    if container.format.name in _ARBITRARY_CLOCKS and begin_s > _BEGIN_MAX_S:
        return begin_s
    return min(first_s, Fraction(0))


class MainClock:
    """Follows the packets of the main video, in the order of the file; `frame_s` is a frame's usual duration."""

    def __init__(self, *, frame_s: Fraction) -> None:
        self._frame_s = frame_s
        self._position_s: Fraction | None = None
        self._end_s = Fraction(0)
        self._offsets_s: tuple[Fraction, ...] = (Fraction(0),)  # the present one, and the one before
        self._doubtful: AnyPacket | None = None

    @property
    def offset_s(self) -> Fraction:
        """What is added to times behind the last seam."""
        return self._offsets_s[0]

    def follow(self, packet: "AnyPacket") -> None:
        time_s = packet_time_s(packet) + self.offset_s
        if self._position_s is None:
            self._go_to(packet)
            return
        expected_s = self._position_s + self._frame_s
        doubtful, self._doubtful = self._doubtful, None
        if doubtful is not None and goes_on(time_s, expected_s + self._frame_s):
            self._position_s = expected_s  # that one was wrong
        elif doubtful is not None:
            begin_s = _shown_s(doubtful)
            if packet_time_s(doubtful) + self.offset_s < self._position_s:
                self._offsets_s = (self._end_s - begin_s, self.offset_s)
            self._go_to(doubtful)
            self.follow(packet)
            return
        elif not goes_on(time_s, expected_s):
            self._doubtful = packet
            return
        self._go_to(packet)

    def offset_at(self, time_s: Fraction) -> Fraction:
        """Return what is to be added to a time of another stream: at a seam both offsets are in use."""
        position_s = self._position_s
        if position_s is None or len(self._offsets_s) == 1:
            return self.offset_s
        return min(self._offsets_s, key=lambda offset_s: abs(time_s + offset_s - position_s))

    def _go_to(self, packet: "AnyPacket") -> None:
        self._position_s = packet_time_s(packet) + self.offset_s
        duration_s = (packet.duration or 0) * packet.time_base or self._frame_s
        self._end_s = max(self._end_s, _shown_s(packet) + self.offset_s + duration_s)


class StreamLine:
    """Gives the packets of another stream their times: they follow the clock, and grow as muxers demand.

    Packets are at least `least_step` ticks apart. A `steady` stream, audio, has no gaps but where something is wrong.
    """

    def __init__(self, clock: MainClock, *, least_step: int, steady: bool) -> None:
        self._clock = clock
        self._least_step = least_step
        self._steady = steady
        self._last: int | None = None
        self._next = 0
        self._own_offset = 0
        self._clock_offset_s = clock.offset_s  # as it was at the last packet
        self._waiting: list[AnyPacket] = []

    def push(self, packet: "AnyPacket") -> "Iterator[AnyPacket]":
        """Take the next packet and yield those whose times are known by now."""
        is_behind_seam = self._clock.offset_s != self._clock_offset_s
        self._clock_offset_s = self._clock.offset_s
        if is_behind_seam:
            self._own_offset = 0  # the video has come to it, too
        if not self._waiting:
            if self._steady and self._last is not None and not self._goes_on(packet):
                self._waiting = [packet]
            else:
                yield self._placed(packet)
            return
        self._waiting.append(packet)
        if len(self._waiting) == 2 and self._goes_on(packet, after=self._waiting[0]):
            yield self._moved_to(self._waiting[0], self._next)  # that one was wrong
            self._waiting = []
            yield self._placed(packet)
        elif (
            self._is_ahead(self._waiting[0])
            or is_behind_seam
            or (_own_ticks(packet) - _own_ticks(self._waiting[0])) * packet.time_base > _WAITING_MAX_S
        ):
            yield from self.flush()

    def flush(self) -> "Iterator[AnyPacket]":
        """Yield what waits."""
        waiting, self._waiting = self._waiting, []
        for packet in waiting:
            yield self._placed(packet)

    def _goes_on(self, packet: "AnyPacket", *, after: "AnyPacket | None" = None) -> bool:
        expected = self._next + (after.duration or 0 if after is not None else 0)
        return goes_on(self._ticks(packet) * packet.time_base, expected * packet.time_base)

    def _is_ahead(self, packet: "AnyPacket") -> bool:
        return self._ticks(packet) > self._next

    def _ticks(self, packet: "AnyPacket") -> int:
        """Return the time of a packet by the clock."""
        ticks = _own_ticks(packet)
        offset_s = self._clock.offset_at(ticks * packet.time_base)
        return ticks + round(offset_s / packet.time_base) + self._own_offset

    def _placed(self, packet: "AnyPacket") -> "AnyPacket":
        ticks = self._ticks(packet)
        if self._last is not None and ticks < self._last + self._least_step:
            if (self._last - ticks) * packet.time_base > NEW_TIME_LINE_S:  # a seam that the video does not have
                self._own_offset += self._next - ticks
                ticks = self._next
            else:
                ticks = self._last + self._least_step
        return self._moved_to(packet, ticks)

    def _moved_to(self, packet: "AnyPacket", ticks: int) -> "AnyPacket":
        offset = ticks - _own_ticks(packet)
        packet.pts = packet.pts + offset if packet.pts is not None else None
        packet.dts = self._last = ticks
        self._next = ticks + max(1, packet.duration or 0)
        return packet


def packet_time_s(packet: "AnyPacket") -> Fraction:
    return Fraction(_own_ticks(packet)) * packet.time_base


def _own_ticks(packet: "AnyPacket") -> int:
    ticks = packet.dts if packet.dts is not None else packet.pts
    assert ticks is not None, "packets without any time are left out"
    return ticks


def _shown_s(packet: "AnyPacket") -> Fraction:
    return Fraction(packet.pts if packet.pts is not None else _own_ticks(packet)) * packet.time_base
