"""The stand-ins for IMDb and WikiText-2: layout, split, balance, rare words."""

import re
from collections import Counter

import pytest

from minifast.datasets.standin import texts
from minifast.datasets.standin.docstrings import Docstring
from minifast.errors import DataError

ANIMALS = ("ants", "bees", "cats", "dogs", "eels", "foxes", "goats", "hens", "ibises")


def word(number):
    return "place" + "".join(chr(ord("a") + int(digit)) for digit in str(number))


def library(name, n_modules):
    """Docstrings of ``n_modules`` modules; each text has a word for its module."""
    return [
        Docstring(
            f"{name}.m{number}",
            section,
            [
                f"In {name} the {animal} of {word(number)} like to run far and wide.",
                "They come back in the evening.",
            ],
        )
        for number in range(n_modules)
        for animal, section in zip(ANIMALS[:3], ("", "Zoo", "Zoo"), strict=True)
    ]


def read_reviews(root):
    return {
        path.relative_to(root).as_posix(): path.read_text(encoding="utf-8")
        for path in sorted(root.rglob("*.txt"))
    }


def modules(text):
    return set(re.findall(r"place[a-j]+", text))


@pytest.fixture
def reviews(tmp_path):
    counts = texts.write_reviews(tmp_path, library("std", 30), library("lib", 20))
    return read_reviews(tmp_path), counts


def test_reviews_lie_in_the_folders_of_imdb_with_fitting_ratings(reviews):
    files, _ = reviews
    for path in files:
        part, label, number, rating = re.fullmatch(
            r"(train|test)/(pos|neg)/(\d+)_(\d+)\.txt", path
        ).groups()
        assert part in {"train", "test"}
        assert int(number) >= 0
        assert int(rating) in ((1, 2, 3, 4) if label == "neg" else (7, 8, 9, 10))


def test_the_label_is_the_library_that_wrote_it(reviews):
    for path, text in reviews[0].items():
        assert text.startswith("In std" if "/neg/" in path else "In lib")
        assert text.endswith("<br /><br />They come back in the evening.")


def test_each_part_has_as_many_of_one_label_as_of_the_other(reviews):
    files, counts = reviews
    folders = Counter(path.rpartition("/")[0] for path in files)
    assert folders["train/pos"] == folders["train/neg"] > 0
    assert folders["test/pos"] == folders["test/neg"] > 0
    assert counts == (2 * folders["train/pos"], 2 * folders["test/pos"])


@pytest.mark.parametrize("label", ["pos", "neg"])
def test_reviews_of_a_module_are_all_for_training_or_all_for_testing(reviews, label):
    of_part = {
        part: set().union(
            *(modules(t) for p, t in reviews[0].items() if f"{part}/{label}" in p)
        )
        for part in ("train", "test")
    }
    assert of_part["train"]
    assert of_part["test"]
    assert not of_part["train"] & of_part["test"]


def test_short_and_repeated_texts_are_left_out(tmp_path):
    neg, pos = library("std", 20), library("lib", 20)
    again = Docstring(
        "lib.other", "", [neg[0].paragraphs[0].upper(), "But it goes on."]
    )
    short = Docstring("lib.short", "", ["It has only seven words in all."])
    texts.write_reviews(tmp_path, neg, [*pos, again, short])
    written = list(read_reviews(tmp_path).values())
    assert len({text[:60] for text in written}) == len(written)
    assert not any("But it goes on." in text or "seven" in text for text in written)


def test_articles_look_like_wikitext(tmp_path):
    counts = texts.write_articles(tmp_path, library("std", 40))
    written = {p.stem: p.read_text(encoding="utf-8") for p in tmp_path.iterdir()}
    assert set(written) == {"train", "valid", "test"}
    lines = written["train"].split("\n")
    assert lines[:13] == [
        " ",
        " = std <unk> = ",
        " ",
        " In std the ants of placea like to run far and wide . ",
        " They come back in the evening . ",
        " ",
        " = = Zoo = = ",
        " ",
        " In std the bees of placea like to run far and wide . ",
        " They come back in the evening . ",
        " In std the cats of placea like to run far and wide . ",
        " They come back in the evening . ",
        " ",
    ]
    ended = [len(text.replace("\n", "<eos>").split()) for text in written.values()]
    assert sorted(ended) == sorted(counts)


def test_words_seen_less_than_three_times_in_train_are_unknown(tmp_path):
    docs = [
        Docstring(f"m{number}", "", [f"Common words{number % 2} and rare{number}."])
        for number in range(40)
    ]
    docs[0] = Docstring("m0", "", ["Twice twice here and thrice thrice thrice."])
    docs[1] = Docstring("m1", "", ["Thrice here and once more."])
    texts.write_articles(tmp_path, docs)
    vocabulary = Counter((tmp_path / "train.txt").read_text(encoding="utf-8").split())
    assert "<unk>" in vocabulary
    assert min(vocabulary.values()) >= 3
    for part in ("valid", "test"):
        words = set((tmp_path / f"{part}.txt").read_text(encoding="utf-8").split())
        assert words <= set(vocabulary)
        assert "<unk>" in words
        assert "Common" in words


def test_articles_are_split_by_module(tmp_path):
    names = [f"m{number}" for number in range(40)]
    docs = [Docstring(n, "", [f"The name {n} {n} {n} is mine."]) for n in names]
    counts = texts.write_articles(tmp_path, docs)
    assert min(counts) > 0
    held_out = (tmp_path / "valid.txt").read_text(encoding="utf-8")
    held_out += (tmp_path / "test.txt").read_text(encoding="utf-8")
    in_train = set((tmp_path / "train.txt").read_text(encoding="utf-8").split())
    n_held_out = held_out.count(" is mine . ")
    assert sum(name in in_train for name in names) == 40 - n_held_out
    assert not any(name in held_out.split() for name in names)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("It's a test, isn't it?", "It 's a test , isn 't it ?"),
        ("A well-known 3,000.5 m", "A well @-@ known 3 @,@ 000 @.@ 5 m"),
        ("Use os.path (e.g. here).", "Use os.path ( e.g. here ) ."),
        ("the 'mode' is -> None...", "the ' mode ' is -> None ..."),
    ],
)
def test_tokens_are_those_of_wikitext(text, tokens):
    assert texts.tokenize(text) == tokens.split()


def test_two_runs_give_the_same_files(folders, tree):
    for folder in folders:
        texts.write_reviews(folder, library("std", 20), library("lib", 20))
        texts.write_articles(folder, library("std", 30))
    one, two = map(tree, folders)
    assert len(one) > 20
    assert one == two


def test_the_notes_say_what_and_which_versions(tmp_path, monkeypatch):
    monkeypatch.setattr(texts, "standard_library", lambda: library("std", 40))
    monkeypatch.setattr(texts, "torch_library", lambda: library("lib", 40))
    reviews, articles = (
        texts.generate_reviews(tmp_path),
        texts.generate_articles(tmp_path),
    )
    for note in (reviews, articles):
        assert note.startswith("stand-in: ")
        assert "\n" not in note
        assert f"Python {texts.platform.python_version()}" in note
    assert f"torch {texts.torch.__version__}" in reviews


def write_nothing(root):
    return texts.write_reviews(root, library("std", 20), [])


def write_little(root):
    return texts.write_articles(root, library("std", 1))


@pytest.mark.parametrize("write", [write_nothing, write_little])
def test_too_few_docstrings_are_a_clear_error(tmp_path, write):
    with pytest.raises(DataError) as caught:
        write(tmp_path)
    assert str(caught.value) == (
        "The stand-in texts need the source files of Python and torch.\n"
        "  got: too few docstrings found in the installed files\n"
        "  fix: Use an install with its .py files unpacked, or the real set."
    )
    assert not list(tmp_path.iterdir())
