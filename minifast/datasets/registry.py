"""The data sets that the book trains on: where each comes from and what it must be.

A data set is named by what can be checked: the size and the sha256 of each file its
origin serves, or, where the origin does not promise stable bytes, the digest of the
folder that its files end up in (see :mod:`minifast.datasets.checksum`).

Book: ch. 00, "The data".
"""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from html import escape
from itertools import product
from typing import TYPE_CHECKING, Literal

from minifast.errors import UnknownNameError

if TYPE_CHECKING:
    from pathlib import Path


MIB = 2**20


@dataclass(frozen=True)
class RemoteFile:
    """One file to take from an origin or a mirror.

    Args:
        path: Where it is below the place that serves it, with forward slashes.
        bytes: Its exact size, or None where that is not known in advance.
        sha256: Its checksum, or an empty string where its bytes are not stable.
    """

    path: str
    bytes: int | None = None
    sha256: str = ""


@dataclass(frozen=True)
class DatasetInfo:
    """What is known in advance about a data set.

    Args:
        name: The name that :func:`~minifast.datasets.fetching.fetch` takes.
        title: What it is, in a few words.
        download_mb: About how much its origin sends, in units of 10^6 bytes.
        origins: Base addresses that serve ``files``, in the order of trying.
        files: What to take from an origin.
        max_bytes: Upper bound on what the files unpack to.
        licence: The terms of the data, in a few words.
        citation: Whom to cite.
        layout: Patterns of the paths in the folder a reader gets, if they are others
            than those of ``files``. A file of an archive that matches none is left out;
            a pattern that nothing matches is an error.
        content: Digest of the folder that the origin's files give, where it is known.
    """

    name: str
    title: str
    download_mb: int
    origins: tuple[str, ...]
    files: tuple[RemoteFile, ...]
    max_bytes: int
    licence: str
    citation: str
    layout: tuple[str, ...] = ()
    content: str = ""

    @property
    def patterns(self) -> tuple[str, ...]:
        """What paths in the folder look like, by the layout or the files' names."""
        return self.layout or tuple(file.path for file in self.files)

    def keeps(self, path: str) -> bool:
        """Tell whether a file belongs to the folder that a reader gets.

        Example:
            >>> DATASETS["fsdd"].keeps("recordings/7_theo_0.wav")
            True
            >>> DATASETS["fsdd"].keeps("README.md")
            False
        """
        return any(matches(path, pattern) for pattern in self.patterns)


def matches(path: str, pattern: str) -> bool:
    """Match a path against a pattern whose stars stay within one folder.

    Nothing hidden or unprintable matches: an archive that was packed on a Mac has a
    file ``._x`` beside each file ``x``, and may have files whose names end a line.

    Example:
        >>> matches("train/pos/0_9.txt", "train/*/*.txt")
        True
        >>> matches("train/pos/more/0_9.txt", "train/*/*.txt")
        False
        >>> matches("train/pos/._0_9.txt", "train/*/*.txt")
        False
    """
    same_depth = path.count("/") == pattern.count("/")
    plain = path.isprintable() and "/." not in f"/{path}"
    return same_depth and plain and fnmatchcase(path, pattern)


_MNIST = DatasetInfo(
    name="mnist",
    title="70,000 handwritten digits, 28x28 pixels",
    download_mb=12,
    origins=(
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    files=(
        RemoteFile(
            "train-images-idx3-ubyte.gz",
            9_912_422,
            "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        ),
        RemoteFile(
            "train-labels-idx1-ubyte.gz",
            28_881,
            "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        ),
        RemoteFile(
            "t10k-images-idx3-ubyte.gz",
            1_648_877,
            "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        ),
        RemoteFile(
            "t10k-labels-idx1-ubyte.gz",
            4_542,
            "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        ),
    ),
    max_bytes=32 * MIB,
    # Its origin states none; this is what the Keras documentation says.
    licence="CC BY-SA 3.0",
    citation="LeCun, Cortes, Burges: The MNIST database of handwritten digits, 1998",
    content="abca1685336e37aa33a42b8e8886e04e9bd739abb9c10b4340fdb3be3218f9e7",
)

_IMAGENETTE = DatasetInfo(
    name="imagenette",
    title="13,394 photographs in 10 classes, 160 pixels",
    download_mb=99,
    origins=("https://s3.amazonaws.com/fast-ai-imageclas/",),
    files=(
        RemoteFile(
            "imagenette2-160.tgz",
            99_003_388,
            "64d0c4859f35a461889e0147755a999a48b49bf38a7e0f9bd27003f10db02fe5",
        ),
    ),
    layout=("train/*/*.JPEG", "val/*/*.JPEG", "noisy_imagenette.csv"),
    max_bytes=512 * MIB,
    licence="ImageNet's: non-commercial only",
    citation="Howard: Imagenette, 2019, github.com/fastai/imagenette",
)

_IMDB_FOLDERS = tuple(product(("train", "test"), ("pos", "neg")))
_IMDB = DatasetInfo(
    name="imdb",
    title="50,000 film reviews, positive or negative",
    download_mb=84,
    origins=("https://ai.stanford.edu/~amaas/data/sentiment/",),
    files=(
        RemoteFile(
            "aclImdb_v1.tar.gz",
            84_125_825,
            "c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
        ),
    ),
    # The 50,000 unlabelled reviews and the bag-of-words files stay out.
    layout=(
        *(f"{part}/{label}/*_*.txt" for part, label in _IMDB_FOLDERS),
        *(f"{part}/urls_{label}.txt" for part, label in _IMDB_FOLDERS),
        *("imdb.vocab", "imdbEr.txt", "README"),
    ),
    max_bytes=1024 * MIB,
    licence="none stated; cite its paper",
    citation="Maas et al.: Learning Word Vectors for Sentiment Analysis, ACL 2011",
)

_WIKITEXT_2 = DatasetInfo(
    name="wikitext-2",
    title="2.5 million words of Wikipedia articles",
    download_mb=13,
    origins=(
        (
            "https://raw.githubusercontent.com/pytorch/examples/"
            "77f55b912142e11fcfdf5b530231fb9c52f181e8/"
            "word_language_model/data/wikitext-2/"
        ),
    ),
    files=(
        RemoteFile(
            "train.txt",
            10_797_148,
            "9e9fa1ad55b1c2c95b08e37dd8e653f638fac2c6de904b79e813611eefbc985f",
        ),
        RemoteFile(
            "valid.txt",
            1_121_681,
            "f0737ed31fc1329026e95cb8b98e19c2a182c39c240ab909dc31abf2f8af58e8",
        ),
        RemoteFile(
            "test.txt",
            1_256_449,
            "d790b833ef8cf03a90db7bf1271b7520b83c45ce07ba3c1a9699df81e239eca0",
        ),
    ),
    max_bytes=32 * MIB,
    licence="CC BY-SA 3.0",
    citation="Merity et al.: Pointer Sentinel Mixture Models, 2016",
    content="5d5d66ee6b9e8aee5a931f8342929f33d5da9075dd9fc881bdd609a9f4f23cbe",
)

_FSDD = DatasetInfo(
    name="fsdd",
    title="3,000 recordings of spoken digits, 8 kHz",
    download_mb=16,
    origins=("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/",),
    # GitHub packs this archive on request and does not promise its bytes, so there is
    # no checksum of the file: the digest of the recordings is checked instead.
    files=(RemoteFile("26eb9aaf76e81b692f806f9140c2d2777410d7a1.tar.gz"),),
    layout=("recordings/*_*_*.wav",),
    max_bytes=128 * MIB,
    licence="CC BY-SA 4.0",
    citation="Jackson et al.: Free Spoken Digit Dataset, 2018",
    content="04e1baae96c6a26e39c623f2b01d0182ddae627ba0ac02a3cdc17ba2af99fd9b",
)

DATASETS: dict[str, DatasetInfo] = {
    dataset.name: dataset
    for dataset in (_MNIST, _IMAGENETTE, _IMDB, _WIKITEXT_2, _FSDD)
}
"""The registry, by name."""


def find_dataset(name: str) -> DatasetInfo:
    """Look a data set up by its name.

    Raises:
        UnknownNameError: If there is none of that name; it names the closest.

    Example:
        >>> find_dataset("fsdd").licence
        'CC BY-SA 4.0'
    """
    if name not in DATASETS:
        raise UnknownNameError.of("data set", name, DATASETS)
    return DATASETS[name]


SourceKind = Literal["origin", "mirror", "stand-in"]


@dataclass(frozen=True)
class DatasetPath:
    """The folder of a data set, and where its content came from.

    It can be used like a path: ``data / "train"``, ``open(data / "README")``,
    ``os.fspath(data)`` and ``str(data)`` all mean the folder.

    Args:
        path: The folder.
        name: The data set's name in the registry.
        real: False for a stand-in.
        note: What the content is, in one line.
        sha256: Digest of the content (see :mod:`minifast.datasets.checksum`).
        source: Where the content came from.

    Example:
        >>> from pathlib import Path
        >>> sha256 = "8d42" * 16
        >>> data = DatasetPath(Path("d"), "mnist", True, "4 files", sha256, "origin")
        >>> data
        mnist: real, origin, sha256 8d428d428d42; 4 files
        >>> (data / "train").as_posix()
        'd/train'
    """

    path: Path
    name: str
    real: bool
    note: str
    sha256: str
    source: SourceKind

    def __truediv__(self, inner: str | Path) -> Path:
        return self.path / inner

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    def __repr__(self) -> str:
        return self.provenance()

    def provenance(self) -> str:
        """Say in one line what this data is, for the footer of a page."""
        return f"{self.name}: {self._kind}, sha256 {self.sha256[:12]}; {self.note}"

    @property
    def _kind(self) -> str:
        return f"real, {self.source}" if self.real else "stand-in, not the real data"

    def _repr_html_(self) -> str:
        name, note = escape(self.name), escape(self.note)
        digest = f"sha256 <code>{self.sha256[:12]}</code>"
        return f"<p><strong>{name}</strong> ({self._kind}): {note}. {digest}</p>"
