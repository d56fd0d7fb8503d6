"""Survival curves against a published table, and against counting."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept_lives import DECLINE, GROWTH, live, no_sync  # noqa: F401

import neurosim as ns
from neurosim.measures import kaplan_meier

# Weeks of remission under 6-mercaptopurine; a minus marks a patient who was still in remission when last seen.
# Freireich et al. 1963 (doi:10.1182/blood.V21.6.699.699), as in Kalbfleisch & Prentice 2002, table 1.1.
FREIREICH = [6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35]
PUBLISHED = {  # week: at risk, deaths, fraction, standard error by Greenwood's formula
    6: (21, 3, 0.857, 0.0764),
    7: (17, 1, 0.807, 0.0869),
    10: (15, 1, 0.753, 0.0963),
    13: (12, 1, 0.690, 0.1068),
    16: (11, 1, 0.627, 0.1141),
    22: (7, 1, 0.538, 0.1282),
    23: (6, 1, 0.448, 0.1346),
}


def remission(end=40):
    """The patients as cells: those who left early are alive at the end, so that they were born later."""
    birth = np.array([end + weeks if weeks < 0 else 0 for weeks in FREIREICH])
    death = np.array([-1 if weeks < 0 else weeks for weeks in FREIREICH])
    return birth, death, end


def test_a_published_table():
    curve = kaplan_meier(*remission())
    assert curve["age"].tolist() == list(range(36)) and curve["at_risk"][0] == 21 and curve["deaths"].sum() == 9
    for week, (at_risk, deaths, fraction, error) in PUBLISHED.items():
        row = curve[week]
        assert (row["at_risk"], row["deaths"]) == (at_risk, deaths) and row["fraction"] == pytest.approx(fraction, abs=5e-4)
        # The interval of log(-log S) is that of Greenwood's error over |S log S|.
        half = 1.959964 * error / abs(fraction * np.log(fraction))
        assert row["low"] == pytest.approx(fraction ** np.exp(half), abs=2e-3)
        assert row["high"] == pytest.approx(fraction ** np.exp(-half), abs=2e-3)
    assert set(np.flatnonzero(curve["deaths"]).tolist()) == set(PUBLISHED)
    for week in range(36):  # between deaths nothing changes
        last = max((one for one in PUBLISHED if one <= week), default=None)
        assert curve["fraction"][week] == (1.0 if last is None else curve["fraction"][last])


def test_control_of_the_published_table():
    """Without the censored the fractions are others."""
    birth, death, end = remission()
    curve = kaplan_meier(birth[death > 0], death[death > 0], end)
    assert abs(curve["fraction"][6] - 0.857) > 0.1 and curve["fraction"][-1] == 0


def test_edges():
    nobody = kaplan_meier([], [], 5)
    assert nobody["age"].tolist() == [0] and nobody["at_risk"].tolist() == [0] and nobody["fraction"].tolist() == [1]
    all_alive = kaplan_meier([0, 0, 3], [-1, -1, -1], 5)
    assert all_alive["fraction"].tolist() == all_alive["low"].tolist() == all_alive["high"].tolist() == [1] * 6
    assert all_alive["at_risk"].tolist() == [3, 3, 3, 2, 2, 2]
    all_dead = kaplan_meier([0, 1], [2, 3], 5)
    assert all_dead["fraction"].tolist() == [1, 1, 0] and all_dead["low"][-1] == all_dead["high"][-1] == 0


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=40))
def test_without_censoring_it_is_the_share_that_lives_longer(lives):
    birth = np.array([one for one, _ in lives])
    death = birth + np.array([lasts + 1 for _, lasts in lives])
    curve = kaplan_meier(birth, death, 30)
    for row in curve:
        assert row["fraction"] == pytest.approx(np.mean(death - birth > row["age"]))
        assert 0 <= row["low"] <= row["fraction"] + 1e-12 and row["fraction"] <= row["high"] + 1e-12 <= 1 + 1e-11


def test_survival_of_cells_and_synapses(tmp_path):
    history = live(tmp_path, phases=[ns.Phase("growth", 3, GROWTH.rules), ns.Phase("decline", 3, DECLINE.rules)])
    rows = history.synapses("loop")
    curve = history.survival("loop")
    assert curve["at_risk"][0] == len(rows) and curve["deaths"].sum() == (rows["death"] >= 0).sum() > 5
    at_two = [row for row in rows if (row["death"] if row["death"] >= 0 else 6) - row["birth"] >= 2]
    assert curve["at_risk"][2] == len(at_two) and curve["deaths"][2] == sum(
        row["death"] - row["birth"] == 2 for row in at_two if row["death"] >= 0
    )
    assert history.survival("exc")["at_risk"][0] == len(history.circuit["exc"].parents)
    assert history.survival("source")["fraction"].tolist() == [1] * 7
    with pytest.raises(KeyError, match="this history has no projection 'lop'. Did you mean 'loop'"):
        history.survival("lop")
