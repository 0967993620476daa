"""MNIST and Fashion-MNIST: 70,000 images of 28 × 28 pixels each, downloaded when asked for.

**MNIST** (Y. LeCun, C. Cortes and C. J. C. Burges, from data of the U.S. National Institute of
Standards and Technology) holds handwritten digits; the writers of its test images wrote none of the
training images. **Fashion-MNIST** (H. Xiao, K. Rasul and R. Vollgraf, 2017, MIT licence) holds
photographs of clothes in the same format, and is harder.

Each comes as four files, of 11.6 and 30.9 MB in all: images and labels for training (60,000) and
for the test (10,000), in the format of :mod:`dlbook.data.idx`. A pixel is a byte, here divided by
255. The validation part is the end of the training file.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Literal

import torch

from dlbook.data.downloads import Remote, fetch
from dlbook.data.idx import read as read_idx
from dlbook.data.splits import Part, Splits

__all__ = ["CLASSES", "load", "read"]

Name = Literal["mnist", "fashion-mnist"]

CLASSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "mnist": tuple("0123456789"),
        "fashion-mnist": (
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
    }
)
"""What the classes 0 to 9 of each data set are called."""

SIDE = 28
PREFIXES = {"train": "train", "test": "t10k"}


def _remotes(
    name: str, addresses: tuple[str, ...], files: dict[str, tuple[int, str]]
) -> list[Remote]:
    return [
        Remote(f"{name}/{file}.gz", tuple(f"{a}/{file}.gz" for a in addresses), sha256, size)
        for file, (size, sha256) in files.items()
    ]


# The checksums are those of tensorflow_datasets/url_checksums in github.com/tensorflow/datasets.
REMOTES: Mapping[str, list[Remote]] = {
    "mnist": _remotes(
        "mnist",
        (
            "https://ossci-datasets.s3.amazonaws.com/mnist",
            "https://storage.googleapis.com/cvdf-datasets/mnist",
        ),
        {
            "train-images-idx3-ubyte": (
                9912422,
                "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            ),
            "train-labels-idx1-ubyte": (
                28881,
                "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            ),
            "t10k-images-idx3-ubyte": (
                1648877,
                "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            ),
            "t10k-labels-idx1-ubyte": (
                4542,
                "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
            ),
        },
    ),
    "fashion-mnist": _remotes(
        "fashion-mnist",
        (
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        ),
        {
            "train-images-idx3-ubyte": (
                26421880,
                "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            ),
            "train-labels-idx1-ubyte": (
                29515,
                "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            ),
            "t10k-images-idx3-ubyte": (
                4422102,
                "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            ),
            "t10k-labels-idx1-ubyte": (
                5148,
                "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            ),
        },
    ),
}


def load(
    name: Name = "mnist",
    *,
    download: bool = False,
    folder: str | Path | None = None,
    validation: int = 10_000,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Splits:
    """Return MNIST or Fashion-MNIST in three parts: by default 50,000, 10,000 and 10,000 images.

    Args:
        name: ``"mnist"`` or ``"fashion-mnist"``.
        download: fetch the files if they are not in the cache; see :mod:`dlbook.data.downloads`.
        folder: where files lie that you have already, under their usual names, with or without
            ``.gz``; None for the cache, whose files are compared with their checksums.
        validation: how many examples from the end of the training file are kept for validation.
        dtype: floating-point type of ``x``, whose values lie in [0, 1].
        device: where the tensors live; the CPU if None.

    Returns:
        Splits ``(train, validation, test)``, each a :class:`dlbook.data.Part` with ``x``,
        ``(N, 1, 28, 28)``, and the classes ``y``, ``(N,)`` of int64 in 0..9, in the files' order.

    Raises:
        FileNotFoundError: if a file is missing and its download was not asked for.
        OSError: if the download failed.
        ValueError: for arguments out of range, and for files that are damaged or hold something
            else.

    Example:
        >>> load(folder="nowhere")
        Traceback (most recent call last):
        FileNotFoundError: mnist: expected nowhere/train-images-idx3-ubyte or the same with .gz, \
got neither
    """
    if name not in REMOTES:
        raise ValueError(f"mnist.load: name expects 'mnist' or 'fashion-mnist', got {name!r}")
    if folder is None:
        files = fetch(REMOTES[name], caller="mnist.load", download=download)
        folder = files[0].parent
    elif download:
        raise ValueError(
            "mnist.load: expects folder= (files that you have) or download=True (into the cache), "
            "got both"
        )
    whole = read(folder, "train", dtype=dtype, device=device)
    if not 0 <= validation < len(whole):
        raise ValueError(
            f"mnist.load: validation expects a number from 0 to {len(whole) - 1}, got {validation}"
        )
    cut = len(whole) - validation
    return Splits(
        Part(*whole[:cut]),
        Part(*whole[cut:]),
        read(folder, "test", dtype=dtype, device=device),
    )


def read(
    folder: str | Path,
    part: Literal["train", "test"],
    *,
    dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Part:
    """Read the images and labels of one part from files in a folder.

    Args:
        folder: where they lie, under their usual names, with or without ``.gz``.
        part: ``"train"`` or ``"test"``.
        dtype: floating-point type of ``x``, whose values lie in [0, 1].
        device: where the tensors live; the CPU if None.

    Returns:
        A part with ``x``, ``(N, 1, 28, 28)``, and ``y``, ``(N,)`` of int64 in 0..9.

    Raises:
        FileNotFoundError: if a file is missing.
        ValueError: if a file is damaged or holds something else, if there are not as many labels
            as images, or a label is above 9.

    Example:
        >>> read("nowhere", "test")
        Traceback (most recent call last):
        FileNotFoundError: mnist: expected nowhere/t10k-images-idx3-ubyte or the same with .gz, \
got neither
    """
    if part not in PREFIXES:
        raise ValueError(f"mnist.read: part expects 'train' or 'test', got {part!r}")
    if not dtype.is_floating_point:
        raise ValueError(f"mnist: dtype expects a floating-point type, got {dtype}")
    images_file = _find(Path(folder), f"{PREFIXES[part]}-images-idx3-ubyte")
    labels_file = _find(Path(folder), f"{PREFIXES[part]}-labels-idx1-ubyte")
    images = read_idx(images_file, shape=(None, SIDE, SIDE))
    labels = read_idx(labels_file, shape=(None,))
    if len(images) != len(labels):
        raise ValueError(
            f"{labels_file}: expected as many labels as images, {len(images):,}, "
            f"got {len(labels):,}"
        )
    if len(labels) and int(labels.max()) > 9:
        raise ValueError(f"{labels_file}: expected labels from 0 to 9, got {int(labels.max())}")
    x = images[:, None].to(device=device).to(dtype) / 255
    return Part(x, labels.to(device=device, dtype=torch.int64))


def _find(folder: Path, name: str) -> Path:
    for path in (folder / f"{name}.gz", folder / name):
        if path.is_file():
            return path
    raise FileNotFoundError(f"mnist: expected {folder / name} or the same with .gz, got neither")
