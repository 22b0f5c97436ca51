"""Stand-in for the Free Spoken Digit Dataset: digit words hummed by six made-up voices.

A word is a row of speech sounds. A voiced sound is a sum of harmonics of the voice's
pitch, made louder near three resonances (formants) that glide from one sound to the
next; an unvoiced one is filtered noise. It is no speech, but it is told apart as speech
is: by how the spectrum moves.

Book: ch. 00, "The data".

Source: Peterson & Barney, "Control Methods Used in a Study of the Vowels", 1952, table
    II: the vowels' formants are the means for men. The other sounds are our own choice.
"""

from __future__ import annotations

import wave
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from tqdm import tqdm

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SAMPLE_RATE = 8_000  # Hz
FRAME = 40  # samples between two values of a control curve: 5 ms
N_RECORDINGS = 50  # of each digit by each voice; the set's README takes 0-4 for testing
SHORTEST_S, LONGEST_S = 0.15, 1.2
BANDWIDTHS_HZ = np.array([80.0, 110.0, 160.0])


class Sound(NamedTuple):
    """A speech sound: its resonances, how loud its parts are, how long it lasts.

    Args:
        formants_hz: The three resonances.
        voiced: Loudness of the harmonics.
        hiss: Loudness of noise above 2.4 kHz, as in "s".
        puff: Loudness of noise at all pitches, as in "f".
        time_s: Length.
    """

    formants_hz: tuple[int, int, int]
    voiced: float
    hiss: float
    puff: float
    time_s: float


class Voice(NamedTuple):
    """A made-up speaker.

    Args:
        pitch_hz: Mean fundamental frequency.
        tract: Factor on all formants: a shorter vocal tract has higher ones.
        tempo: Factor on all lengths.
        tilt: Power of 1/k by which the k-th harmonic is weaker.
        noise: Background noise, as a fraction of the peak.
    """

    pitch_hz: float
    tract: float
    tempo: float
    tilt: float
    noise: float


SOUNDS = {
    "a": Sound((730, 1090, 2440), 1.0, 0, 0, 0.13),
    "e": Sound((530, 1840, 2480), 1.0, 0, 0, 0.11),
    "i": Sound((390, 1990, 2550), 1.0, 0, 0, 0.08),
    "ee": Sound((270, 2290, 3010), 0.9, 0, 0, 0.12),
    "o": Sound((570, 840, 2410), 1.0, 0, 0, 0.14),
    "oo": Sound((300, 870, 2240), 0.9, 0, 0, 0.18),
    "u": Sound((640, 1190, 2390), 1.0, 0, 0, 0.12),
    "r": Sound((420, 1300, 1600), 0.7, 0, 0, 0.08),
    "w": Sound((300, 650, 2200), 0.6, 0, 0, 0.07),
    "n": Sound((250, 1450, 2300), 0.4, 0, 0, 0.09),
    "v": Sound((260, 1100, 2100), 0.35, 0.02, 0.06, 0.06),
    "z": Sound((260, 1600, 2500), 0.35, 0.25, 0, 0.09),
    "s": Sound((300, 1700, 2500), 0, 0.5, 0.02, 0.12),
    "f": Sound((300, 1100, 2300), 0, 0.05, 0.15, 0.09),
    "t": Sound((300, 1800, 2600), 0, 0.4, 0.2, 0.03),
    "k": Sound((300, 1900, 2400), 0, 0.1, 0.4, 0.03),
    "-": Sound((300, 1700, 2500), 0, 0, 0, 0.05),
}
WORDS = (
    *("z i r o", "w u n", "t oo", "f r ee", "f o r"),
    *("f a ee v", "s i - k s", "s e v e n", "e ee - t", "n a ee n"),
)
VOICES = {
    "alto": Voice(180, 1.12, 1.15, 0.6, 0.010),
    "baritone": Voice(112, 0.98, 1.25, 0.5, 0.030),
    "bass": Voice(84, 0.90, 1.45, 0.8, 0.005),
    "mezzo": Voice(208, 1.18, 0.95, 0.3, 0.080),
    "soprano": Voice(245, 1.26, 1.1, 0.9, 0.020),
    "tenor": Voice(142, 1.02, 0.85, 0.4, 0.008),
}


def generate(root: Path, n_recordings: int = N_RECORDINGS) -> str:
    """Write ``recordings/<digit>_<speaker>_<index>.wav`` into ``root``.

    Args:
        root: An existing folder.
        n_recordings: Number of recordings of each digit by each voice.

    Returns:
        One line on what the set is made of.
    """
    folder = root / "recordings"
    folder.mkdir()
    words = tqdm(WORDS, desc="stand-in for fsdd", disable=None)
    for digit, word in enumerate(words):
        for speaker, (name, voice) in enumerate(VOICES.items()):
            for index in range(n_recordings):
                rng = np.random.default_rng([digit, speaker, index])
                samples = say(word.split(), voice, rng)
                write_wav(folder / f"{digit}_{name}_{index}.wav", samples)
    return (
        f"stand-in: ten digit words put together from tones and noise in {len(VOICES)} "
        "made-up voices; not recordings of people"
    )


def say(word: Sequence[str], voice: Voice, rng: np.random.Generator) -> Floats:
    """Synthesise a word once, each time a little differently.

    Args:
        word: Names of its sounds.
        voice: Who says it.
        rng: Source of the differences in tempo, pitch, resonances and loudness.

    Returns:
        Samples in -1..1, float64, at 8 kHz.

    Example:
        >>> samples = say(["t", "oo"], VOICES["bass"], np.random.default_rng(0))
        >>> bool(0.15 * 8000 <= len(samples) <= 1.2 * 8000)
        True
    """
    sounds = [SOUNDS[name] for name in word]
    lengths_s = np.array([sound.time_s for sound in sounds]) * voice.tempo
    lengths_s *= rng.uniform(0.75, 1.3) * rng.uniform(0.5, 1.6, len(sounds))
    time_s = np.clip(lengths_s.sum(), 1.35 * SHORTEST_S, LONGEST_S)
    lengths_s *= time_s / lengths_s.sum()
    samples = _voiced(sounds, lengths_s, voice, rng)
    noisy = rng.uniform(0.2, 1.2)
    for low_hz, loudness in (
        (2_400, [sound.hiss for sound in sounds]),
        (0, [sound.puff for sound in sounds]),
    ):
        curve = _glide(noisy * np.array(loudness), lengths_s)
        noise = _noise(len(samples), low_hz, rng)
        samples += noise * _stretch(curve, len(samples))
    return _record(samples, voice, rng)


def _glide(values: Floats, lengths_s: Floats) -> Floats:
    """A control curve: each sound's value in its middle half, glides between them."""
    time_s = np.arange(0, lengths_s.sum() + FRAME / SAMPLE_RATE, FRAME / SAMPLE_RATE)
    middles_s = np.cumsum(lengths_s) - lengths_s / 2
    knots_s = (middles_s[:, None] + lengths_s[:, None] * [-0.25, 0.25]).ravel()
    return np.interp(time_s, knots_s, np.repeat(values, 2))


def _stretch(control: Floats, n_samples: int) -> Floats:
    """Draw a control curve, one value per frame, out to one value per sample."""
    return np.interp(np.arange(n_samples) / FRAME, np.arange(len(control)), control)


def _voiced(
    sounds: Sequence[Sound],
    lengths_s: Floats,
    voice: Voice,
    rng: np.random.Generator,
) -> Floats:
    """Sum the harmonics of a pitch, each as loud as the formants near it make it."""
    n_samples = round(lengths_s.sum() * SAMPLE_RATE)
    tracts = voice.tract * rng.uniform(0.95, 1.05) * rng.uniform(0.9, 1.1, len(sounds))
    formants_hz = np.array([sound.formants_hz for sound in sounds]) * tracts[:, None]
    resonances_hz = np.stack([_glide(column, lengths_s) for column in formants_hz.T])
    pitch_hz = _pitch_hz(resonances_hz.shape[1], voice, rng)
    phase = 2 * np.pi * np.cumsum(_stretch(pitch_hz, n_samples)) / SAMPLE_RATE
    total = np.zeros(n_samples)
    # No harmonic may reach half the sample rate: it would come back as another pitch.
    for k in range(1, int(0.47 * SAMPLE_RATE / pitch_hz.max()) + 1):
        off = (k * pitch_hz - resonances_hz) / BANDWIDTHS_HZ[:, None]
        loudness = (1 / (1 + off**2)).sum(0) + 0.02
        total += _stretch(loudness, n_samples) * np.sin(k * phase) / k**voice.tilt
    loudness = _glide(np.array([sound.voiced for sound in sounds]), lengths_s)
    return _stretch(loudness, n_samples) * _with_peak(total, 1.0)


def _with_peak(samples: Floats, peak: float) -> Floats:
    return samples * (peak / float(np.abs(samples).max()))


def _pitch_hz(n_frames: int, voice: Voice, rng: np.random.Generator) -> Floats:
    """Pitch over a word: it falls, more or less, and trembles a little."""
    position = np.linspace(0, 1, n_frames)
    start = voice.pitch_hz * rng.uniform(0.9, 1.12)
    fall = rng.uniform(-0.05, 0.25)
    tremble = 0.015 * np.sin(2 * np.pi * (rng.uniform(2, 4) * position + rng.random()))
    return start * (1 - fall * position + tremble)


def _noise(n_samples: int, low_hz: float, rng: np.random.Generator) -> Floats:
    """White noise without what is below ``low_hz``, with mean square 1 before that."""
    spectrum = np.fft.rfft(rng.standard_normal(n_samples))
    frequency_hz = np.fft.rfftfreq(n_samples, 1 / SAMPLE_RATE)
    passes = 1 / (1 + np.exp((low_hz - frequency_hz) / 150))
    return np.fft.irfft(spectrum * passes, n_samples)


def _record(samples: Floats, voice: Voice, rng: np.random.Generator) -> Floats:
    """Fade, cut a little early or late, set the loudness, add noise; never clip."""
    n_samples = len(samples)
    rise, fall = rng.uniform(0.01, 0.06), rng.uniform(0.02, 0.5)  # parts of the word
    position = np.arange(1, n_samples + 1) / (n_samples + 1)
    samples = samples * (position / rise).clip(max=1)
    samples = samples * ((1 - position) / fall).clip(max=1)
    # As in the real set, a recording may miss the first sound or hold some silence.
    starts, stops = rng.uniform(-0.12, 0.12, 2) * n_samples
    cut = samples[max(0, int(starts)) : n_samples - max(0, int(stops))]
    samples = np.pad(cut, (max(0, -int(starts)), max(0, -int(stops))))
    noise = voice.noise * rng.uniform(0.5, 2) * rng.standard_normal(len(samples))
    peak = np.exp(rng.uniform(np.log(0.05), np.log(0.95)))
    longest = round(LONGEST_S * SAMPLE_RATE)
    return _with_peak(_with_peak(samples, 1.0) + noise, peak)[:longest]


def write_wav(path: Path, samples: Floats) -> None:
    """Write a mono 16-bit wav file at 8 kHz.

    Args:
        path: The file to write.
        samples: Values in -1..1.
    """
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((samples * 32_767).round().astype("<i2").tobytes())
