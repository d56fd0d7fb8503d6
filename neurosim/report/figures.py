"""The figures of a life for its report, each with a caption of numbers; what is not drawn is said with its reason."""

from collections.abc import Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from neurosim import figures
from neurosim.figures.scales import value_scale
from neurosim.report.album import Album
from neurosim.report.page import Markup, counted, gallery, heading, paragraph, table
from neurosim.units import quantity, unit_name

KEPT, MATRICES = 48, 6  # kept circuits of which distributions of weights, and matrices, are drawn
CURVES = 7  # that have a colour of their own
MEASURES = 8  # that are drawn; a table names all


def sizes(history, album: Album) -> list[Markup]:
    """Draw the census."""
    first, last = history.epochs[0].number, history.epochs[-1].number
    changes = []
    for name in dict.fromkeys(history.census["name"].tolist()):
        rows = history.series(name)
        ends = (rows["size"][0], rows["size"][-1], rows["births"].sum(), rows["deaths"].sum())
        changes.append("{}: {:,} to {:,} ({:,} births, {:,} deaths)".format(name, *ends))
    caption = f"From epoch {first} to {last}: {'; '.join(changes)}. Lines are sizes, bars the births and deaths of all together."
    return [gallery([album("census", lambda: figures.census(history), "Cells and synapses in each epoch", caption)])]


def cells(history, album: Album) -> list[Markup]:
    """Draw the lineage and the clones of each population in which a cell divided or died."""
    lineage, blocks, still = history.lineage, [], []
    for name in history.epochs[0].cells:
        rows = lineage[lineage["population"] == name]
        born, dead = rows["birth"] > history.epochs[0].number, rows["death"] >= 0
        if not (born.any() or dead.any()):
            still.append(name)
            continue
        caption = (
            f"{counted(len(rows), 'cell')} ever lived: {(~born).sum():,} from the start and {born.sum():,} born later; {dead.sum():,} died."
        )
        living = [int((rows["death"] < 0).sum()), int((~born).sum())]
        alive = f"{counted(living[0], 'cell')} alive in the end, {living[1]:,} at the start; a clone is all that descends from one cell."
        pair = [
            album(f"lineage_{name}", lambda name=name: figures.lineage(history, name), f"Lineage tree of {name}", caption),
            album(f"clones_{name}", lambda name=name: figures.clones(history, name), f"Sizes of the clones of {name}", alive),
        ]
        blocks += [heading(name), gallery(pair)]
    return [*blocks, paragraph(f"In {' and '.join(still)} no cell divided or died, so that no lineage is drawn.")] if still else blocks


def synapses(history, album: Album) -> list[Markup]:
    """Draw weights, matrices and degrees of each projection, from the circuits that were kept."""
    blocks = [] if history.epochs[0].born else [paragraph("This circuit has no projections.")]
    looks = {epoch: _look(history.kept[epoch]) for epoch in _even(list(history.kept), KEPT)}
    for name in history.epochs[0].born:
        filled = {epoch: look[name] for epoch, look in looks.items() if look[name].synapses}
        pictures, said = _weights(history, album, name, filled)
        rows = history.connectivity[history.connectivity["name"] == name]
        turnover = rows["turnover"][np.isfinite(rows["turnover"])]
        if turnover.any():
            ends = "; ".join(
                f"epoch {row['epoch']}: in {row['in_mean']:.1f} ± {row['in_sd']:.1f}, out {row['out_mean']:.1f} ± {row['out_sd']:.1f}"
                for row in rows[[0, -1]]
            )
            caption = f"Mean and standard deviation: {ends}. Turnover {turnover.mean():.1%} of the synapses an epoch on average."
            alt = f"Synapses that cells receive and send in {name}"
            pictures.append(album(f"degrees_{name}", lambda name=name: figures.degrees(history, name), alt, caption))
        else:
            said.append(f"No synapse of {name} came or went, so that its degrees stay as the table says.")
        blocks += [heading(name), gallery(pictures), *map(paragraph, said)]
    return blocks


class Look(NamedTuple):
    """Hold what the weights of a projection in one circuit are, in SI units."""

    synapses: int
    pairs: int
    lowest: float
    highest: float
    mean: float
    sd: float


def _look(circuit) -> dict[str, Look]:
    looks = {}
    for name, part in circuit.projections.items():
        weights, pairs = part.synapses["weight"], len(circuit[part.source]) * len(circuit[part.target])
        range_and_mean = (weights.min(), weights.max(), weights.mean(), weights.std()) if len(weights) else (np.nan,) * 4
        looks[name] = Look(len(weights), pairs, *map(float, range_and_mean))
    return looks


def _weights(history, album: Album, name: str, filled: dict[int, Look]) -> tuple[list[Markup], list[str]]:
    """Draw the distribution of weights, if they differ, and the matrices; return the pictures and what is said instead of one."""
    if not filled:
        return [], [f"No circuit that was kept has a synapse in {name}, so that no weights are drawn."]
    projection, (first, last) = history.circuit[name], (min(filled), max(filled))
    lowest, highest = min(one.lowest for one in filled.values()), max(one.highest for one in filled.values())
    scale, symbol = value_scale(quantity(highest, projection.receptor.dimensions))
    unit = f" {symbol}" if symbol else ""
    pictures, said = [], []
    if lowest < highest:
        ends = "; ".join(
            f"epoch {epoch}: {filled[epoch].mean / scale:.3g} ± {filled[epoch].sd / scale:.2g}{unit} ({counted(filled[epoch].synapses, 'synapse')})"
            for epoch in dict.fromkeys((first, last))
        )
        shown = f"{len(filled)} of {len(history.kept)} kept epochs. " if len(filled) < len(history.kept) else ""
        alt = f"Distribution of the weights of {name}"
        caption = f"{shown}Mean and standard deviation: {ends}."
        pictures.append(album(f"weight_histogram_{name}", lambda: figures.weight_histogram(history, name, list(filled)), alt, caption))
    else:
        said.append(
            f"All weights of {name} are {highest / scale:.4g}{unit} before the shares that divisions leave; no distribution is drawn."
        )
    look, few = filled[last], _even(list(filled), MATRICES)
    caption = f"Each is the weight times the share that divisions left of it. {counted(look.synapses, 'synapse')} in epoch {last}, for "
    caption += f"{counted(look.pairs, 'pair')} of a cell of {projection.source} and one of {projection.target}."
    pictures.append(
        album(f"connectivity_{name}", lambda: figures.connectivity(history, name, few), f"Weights from cell to cell in {name}", caption)
    )
    return pictures, said


def survival(history, album: Album) -> list[Markup]:
    """Draw how long those live that can die: parts of which any did."""
    curves = {name: history.survival(name) for name in (*history.epochs[0].cells, *history.epochs[0].born)}
    mortal = [name for name, curve in curves.items() if curve["deaths"].any()]
    if not mortal:
        return [paragraph("No cell and no synapse was lost, so that survival is not drawn.")]
    shown = mortal[:CURVES]
    ends = "; ".join(f"{name} {curves[name]['fraction'][-1]:.0%} at age {curves[name]['age'][-1]}" for name in shown)
    caption = f"Surviving: {ends}. Bands are 95% intervals; those that live at the end count up to their age "
    caption += "(Kaplan & Meier 1958, doi:10.1080/01621459.1958.10501452)."
    more = [paragraph(f"{len(mortal) - CURVES} more are in the table only: {', '.join(mortal[CURVES:])}.")] if len(mortal) > CURVES else []
    return [gallery([album("survival", lambda: figures.survival(history, shown), "Survival of cells and synapses by age", caption)]), *more]


def balance(history, album: Album) -> list[Markup]:
    """Draw the balance of cells and of drives, if synapses drove any or there are inhibitory cells."""
    table = history.balance
    if not len(table) or not (np.nan_to_num([table["exc"], table["inh"]]).any() or np.isfinite(table["cells"]).any()):
        return []
    last = table[table["epoch"] == table["epoch"][-1]]
    told = [f"{row['name']} {row['exc']:.3g} and {row['inh']:.3g} V/s" for row in last if np.isfinite(row["exc"] + row["inh"])]
    caption = f"Excitation and inhibition in epoch {last['epoch'][0]}: {', '.join(told) or 'unknown'}; each arriving spike counts as "
    caption += "the potential that it causes in a cell at rest."
    if np.isfinite(last["cells"][0]):
        caption += f" {last['cells'][0]:.3g} excitatory cells for each inhibitory one."
    return [
        gallery([album("balance", lambda: figures.epoch_balance(history), "Balance of excitation and inhibition in each epoch", caption)])
    ]


def kept(history, album: Album) -> list[Markup]:
    """Draw what rules keep of cells, such as calcium: ledgers that are not the same all over."""
    table, pictures = history.ledgers, []
    for name, ledger in dict.fromkeys(zip(table["name"].tolist(), table["ledger"].tolist(), strict=True)):
        rows = table[(table["name"] == name) & (table["ledger"] == ledger)]
        if np.ptp(rows["median"][np.isfinite(rows["median"])]) == 0 and not rows["sd"].any():
            continue
        unit = unit_name(history.circuit[name].ledgers[ledger].dimensions)
        ends = " to ".join(f"{value:.3g}" for value in rows["median"][[0, -1]])
        caption = f"Median {ends}{'' if unit == '1' else f' {unit}'}; the band is the middle half of the cells."
        draw = partial(figures.setpoint, history, name, ledger)
        pictures.append(album(f"ledger_{name}_{ledger}", draw, f"{ledger.capitalize()} of {name} in each epoch", caption))
    return [gallery(pictures)] if pictures else []


def measures(history, album: Album) -> list[Markup]:
    """Draw each measure over the epochs, and tell its first, last, lowest and highest value."""
    taken, rows, pictures = history.measures, [["measure", "epochs", "first", "last", "lowest", "highest"]], []
    if not taken:
        return [paragraph("Nothing was measured; ns.develop(..., measure=...) asks for it.")]
    for name, series in taken.items():
        values = series[np.isfinite(series)]
        if not len(values):
            rows.append([name, "0", "", "", "", ""])
            continue
        rows.append([name, str(len(values)), *(f"{value:.4g}" for value in (values[0], values[-1], values.min(), values.max()))])
        if len(pictures) < MEASURES:
            caption = f"From {values[0]:.4g} to {values[-1]:.4g}, measured in {counted(len(values), 'epoch')}."
            pictures.append(
                album(
                    f"measure_{name}", lambda name=name: figures.census(history, name, names=[]), f"Measure {name} over the epochs", caption
                )
            )
    return [table("What was measured", rows), gallery(pictures)]


def _even(epochs: Sequence[int], most: int) -> list[int]:
    """Return so many epochs at most, evenly chosen, the first and the last among them."""
    return [epochs[place] for place in np.unique(np.linspace(0, len(epochs) - 1, min(len(epochs), most)).round().astype(int))]
