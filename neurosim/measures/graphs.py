"""How cells of a population are joined, beyond how many synapses there are."""

import numpy as np


def reciprocity(pre: np.ndarray, post: np.ndarray, cells: int) -> float:
    """Return how much more often a synapse of one population is answered by one the other way round than chance would have it.

    `pre` and `post` are rows of cells, one of each a synapse, of a population of so many `cells`; several synapses of a pair count once,
    those of a cell with itself not at all. The share of joined ordered pairs that are joined the other way round too, over the share of all
    that are joined: 1 in a random network, 0 where there are none both ways, NaN without synapses. Raises ValueError for rows that are
    no cells of the population. Source: the ratio r/a of Garlaschelli & Loffredo (2004), doi:10.1103/PhysRevLett.93.268701.
    """
    pre, post = np.asarray(pre), np.asarray(post)
    for rows in (pre, post):
        if len(rows) and not 0 <= rows.min() <= rows.max() < cells:
            raise ValueError(f"synapses join rows from {rows.min()} to {rows.max()}, but there are {cells} cells; give rows below that")
    one_way = np.unique((pre * cells + post)[pre != post])
    if not len(one_way):
        return np.nan
    back = (one_way % cells) * cells + one_way // cells
    return float(np.isin(back, one_way).mean() / (len(one_way) / (cells * (cells - 1))))
