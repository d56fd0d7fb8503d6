"""Put what a figure drew into columns of one length."""

from collections.abc import Iterable, Mapping

import numpy as np


def joined(blocks: Iterable[Mapping]) -> dict[str, np.ndarray]:
    """Join blocks with the same headers one below the other.

    blocks: header -> an array of the block's length, or one value for all its rows.
    """
    filled = [dict(zip(block, np.broadcast_arrays(*map(np.atleast_1d, block.values())), strict=True)) for block in blocks]
    return {header: np.concatenate([block[header] for block in filled]) for header in filled[0]}
