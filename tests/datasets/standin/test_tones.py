"""The stand-in for spoken digits: file names, wav parameters, loudness, spectra."""

import wave

import numpy as np
import pytest

from minifast.datasets.standin import tones


def read_wav(path):
    with wave.open(str(path)) as file:
        assert file.getparams()[:3] == (1, 2, 8_000)
        assert file.getcomptype() == "NONE"
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    root = tmp_path_factory.mktemp("fsdd")
    tones.generate(root, n_recordings=4)
    return {p.stem: read_wav(p) for p in sorted((root / "recordings").iterdir())}


def test_each_voice_says_each_digit_equally_often(recordings):
    expected = {
        f"{digit}_{voice}_{index}"
        for digit in range(10)
        for voice in tones.VOICES
        for index in range(4)
    }
    assert set(recordings) == expected
    assert len(tones.VOICES) == 6
    assert tones.N_RECORDINGS == 50
    assert all("_" not in voice for voice in tones.VOICES)


def test_lengths_and_peaks_are_in_range(recordings):
    lengths_s = np.array([len(samples) for samples in recordings.values()]) / 8_000
    assert lengths_s.min() >= 0.15
    assert lengths_s.max() <= 1.2
    assert lengths_s.std() > 0.05
    peaks = [np.abs(samples.astype(int)).max() for samples in recordings.values()]
    assert min(peaks) > 0.04 * 32_767
    assert max(peaks) < 0.96 * 32_767


def test_no_recording_is_clipped_or_starts_with_a_step(recordings):
    for name, samples in recordings.items():
        peak = np.abs(samples.astype(int)).max()
        assert (np.abs(samples.astype(int)) == peak).sum() < 4, name


def test_no_two_recordings_are_the_same(recordings):
    assert len({samples.tobytes() for samples in recordings.values()}) == 240


def test_two_runs_give_the_same_bytes(folders, tree):
    for folder in folders:
        tones.generate(folder, n_recordings=1)
    one, two = map(tree, folders)
    assert len(one) == 60
    assert one == two


def test_a_recording_does_not_depend_on_how_many_there_are(recordings, tmp_path):
    tones.generate(tmp_path, n_recordings=1)
    for path in (tmp_path / "recordings").iterdir():
        assert np.array_equal(read_wav(path), recordings[path.stem])


def test_hiss_is_high_and_vowels_are_low():
    rng = np.random.default_rng(0)
    voice = tones.VOICES["tenor"]
    for word, high in ((["s", "s"], True), (["oo", "oo"], False)):
        power = np.abs(np.fft.rfft(tones.say(word, voice, rng))) ** 2
        frequency_hz = np.linspace(0, 4_000, len(power))
        above = power[frequency_hz > 2_000].sum() / power.sum()
        assert above > 0.8 if high else above < 0.2


def test_the_pitch_is_that_of_the_voice():
    rng = np.random.default_rng(0)
    for voice in tones.VOICES.values():
        samples = tones.say(["a", "a", "a"], voice, rng)
        samples = samples[len(samples) // 4 : len(samples) // 2]
        alike = np.correlate(samples, samples, "full")[len(samples) - 1 :]
        shortest, longest = (int(8_000 / (voice.pitch_hz * f)) for f in (1.35, 0.65))
        period = shortest + alike[shortest:longest].argmax()
        assert 8_000 / period == pytest.approx(voice.pitch_hz, rel=0.3)


def test_every_word_is_spelled_in_known_sounds_and_differs():
    assert len(set(tones.WORDS)) == 10
    assert {sound for word in tones.WORDS for sound in word.split()} <= set(
        tones.SOUNDS
    )


def test_the_note_says_that_nobody_speaks(tmp_path):
    note = tones.generate(tmp_path, n_recordings=0)
    assert "not recordings of people" in note
