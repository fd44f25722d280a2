"""Synthesised stereo sound for the sample clip: the wash of the sea and a few plucked notes.

Everything is filtered noise and decaying sines from one seed. `render.py` encodes it; imports
nothing of this package.
"""

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 48_000
# Peak of the finished mix; AAC overshoots a little, so full scale is out of reach.
_PEAK = 0.7
# Seconds and semitones above A3 (220 Hz) of the notes: a rising D major ninth, in no hurry.
_NOTES = (
    (0.30, 5),
    (1.05, 12),
    (1.55, 9),
    (2.30, 16),
    (3.05, 14),
    (3.95, 5),
    (4.00, 17),
    (4.45, 12),
    (4.90, 21),
    (5.35, 19),
    (5.80, 16),
    (6.05, 9),
)


def synthesise(seconds: float) -> NDArray[np.float32]:
    """Return samples (2, N) in -1..1 at SAMPLE_RATE_HZ, faded at both ends."""
    count = round(seconds * SAMPLE_RATE_HZ)
    times = np.arange(count) / SAMPLE_RATE_HZ
    mix = _sea(times)
    for start, semitones in _NOTES:
        _add_note(mix, start, 220.0 * 2 ** (semitones / 12), pan=0.5 + 0.03 * (semitones - 12))
    mix = _with_echo(mix)
    fade = np.clip(np.minimum(times / 0.15, (seconds - times) / 0.6), 0, 1)
    mix *= np.sin(0.5 * np.pi * fade) ** 2
    return (mix * (_PEAK / np.abs(mix).max())).astype(np.float32)


def _sea(times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Breathe noise in and out: a dark rumble all along and a bright hiss as a wave breaks."""
    rumble, hiss = _noise(len(times), 1, 60, 500), _noise(len(times), 2, 900, 6000)
    swell = np.stack([0.5 + 0.5 * np.sin(2 * np.pi * times / 3.4 - phase) for phase in (1.2, 1.7)])
    return 0.10 * rumble * (0.5 + 0.5 * swell) + 0.075 * hiss * (0.12 + swell**3)


def _noise(count: int, seed: int, low_hz: float, high_hz: float) -> NDArray[np.float64]:
    """Return two channels of noise between soft band edges, unit deviation, (2, count)."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal((2, count)))
    frequency = np.maximum(np.fft.rfftfreq(count, 1 / SAMPLE_RATE_HZ), 1.0)
    gain = 1 / np.sqrt((1 + (low_hz / frequency) ** 4) * (1 + (frequency / high_hz) ** 2))
    shaped = np.fft.irfft(spectrum * gain, n=count)
    return shaped / shaped.std()


def _add_note(mix: NDArray[np.float64], start: float, pitch_hz: float, pan: float) -> None:
    first = round(start * SAMPLE_RATE_HZ)
    times = np.arange(mix.shape[1] - first) / SAMPLE_RATE_HZ
    note = np.zeros_like(times)
    # Partials of a plucked string; the upper ones die first.
    for partial, level in ((1, 1.0), (2, 0.45), (3, 0.22), (4, 0.10), (6, 0.05)):
        note += level * np.sin(2 * np.pi * pitch_hz * partial * times) * np.exp(-2.1 * partial * times)
    note *= 0.16 * np.minimum(times / 0.006, 1)
    mix[0, first:] += note * np.cos(0.5 * np.pi * pan)
    mix[1, first:] += note * np.sin(0.5 * np.pi * pan)


def _with_echo(mix: NDArray[np.float64]) -> NDArray[np.float64]:
    out = mix.copy()
    for delay_s, level in ((0.13, 0.22), (0.29, 0.16), (0.47, 0.10), (0.71, 0.06)):
        shift = round(delay_s * SAMPLE_RATE_HZ)
        out[:, shift:] += level * mix[::-1, :-shift]
    return out
