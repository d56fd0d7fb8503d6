"""Real data that comes with a package: scikit-learn's 8 x 8 images of handwritten digits."""

from importlib.util import find_spec
from numbers import Integral

import numpy as np

SPLIT = 0  # the state of the one generator that splits the images, so that test images are the same in every study


def digits(validate: int = 0, test: int = 500, most: int | None = None) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Split 1797 handwritten digits, each class in proportion, into the parts "train", "valid" and "test"; the same at every call.

    Each part is a pair of images, shape (n, 64) with values from 0 to 16, and labels, shape (n,). `validate` images are set apart
    from training (0: there is no part "valid"), `test` images whatever `validate` is; `most` keeps only so many of each part, the
    first. Raises ImportError without scikit-learn, and ValueError for parts that leave a class without images. Alpaydin & Kaynak
    1998, doi:10.24432/C50P49.
    """
    for name, size in (("validate", validate), ("test", test), ("most", most)):
        if not (name == "most" and size is None) and (isinstance(size, bool) or not isinstance(size, Integral) or size < 0):
            raise ValueError(f"{name} of the digits is {size!r}; give a whole number of images, 0 or more")
    if find_spec("sklearn") is None:
        raise ImportError(
            "the digits come with scikit-learn, which is not installed; install neurosim with its extra: pip install 'neurosim[study]'"
        )
    from sklearn.datasets import load_digits

    parts, left = {}, load_digits(return_X_y=True)
    for name, size in (("test", test), ("valid", validate)):
        if size:
            left, parts[name] = _parted(*left, size, name)
    return {name: tuple(one[:most] for one in part) for name, part in {"train": left, **parts}.items()}


def _parted(images: np.ndarray, labels: np.ndarray, size: int, name: str) -> tuple:
    """Return the images and labels that are left, and those that are set apart."""
    from sklearn.model_selection import train_test_split

    if not 10 <= size <= len(labels) - 10:
        raise ValueError(
            f"{size} images are asked for the part {name!r}, of {len(labels)}; give 10 to {len(labels) - 10}, so that each class is in both"
        )
    left, apart, left_labels, apart_labels = train_test_split(images, labels, test_size=size, stratify=labels, random_state=SPLIT)
    return (left, left_labels), (apart, apart_labels)
