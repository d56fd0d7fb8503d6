"""What fixes a run: each ingredient that changes is named when the run is resumed, and what does not matter is not."""

import copy
import importlib.util
import json
import linecache
import re
import sys
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from kept_lives import BACKEND, DECLINE, GROWTH, REWIRING, START, Break, Slip, files, live, measure, no_sync, stop_after  # noqa: F401
from life_data import NUMPY, circuit

import neurosim as ns
from neurosim.specification import difference, specification
from neurosim.units import Hz, ms, mV, nS, second

NOISE = ns.PoissonInput("exc", "g_exc", rate=900 * Hz, weight=5 * nS)
DIVISION, APOPTOSIS = GROWTH.rules[0], DECLINE.rules[0]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("specification") / "life"
    with pytest.raises(Break):
        live(folder, progress=stop_after(1), inputs=[NOISE], backend=NUMPY)
    return folder


def phases(rules=GROWTH.rules, name="growth", epochs=2, modulate=None):
    return {"phases": [ns.Phase(name, epochs, rules, modulate or {}), DECLINE]}


def other_cells():
    exc = START["exc"]
    return replace(
        START,
        populations=[START["source"], replace(exc, model=exc.model.replace(tau_ref=3 * ms))],
        projections=list(START.projections.values()),
    )


def another_measure(now, recording):
    return {}


OTHERS = {
    "seed": ({"start": circuit(seed=2)}, "circuit.seed is 2 now and was 1"),
    "size": ({"start": circuit(9)}, "circuit.exc.cells is 9 now and was 8"),
    "state": ({"start": START.set("exc", v=-61 * mV)}, "circuit.exc.state.v is"),
    "weights": ({"start": START.set("loop", weight=1 * nS)}, "circuit.loop.state.weight is"),
    "parameter of a model": ({"start": other_cells()}, "circuit.exc.model.parameters.tau_ref"),
    "newborn": ({"start": START.updated({"loop": START["loop"].replace(newborn="copy")})}, "circuit.loop.newborn is copy now and was split"),
    "length of an epoch": ({"epoch": 5 * ms}, "life.epoch is"),
    "epochs": (phases(epochs=3), "life.phases[0].epochs is 3 now and was 2"),
    "name of a phase": (phases(name="youth"), "life.phases[0].name is youth now and was growth"),
    "one phase more": ({"phases": [GROWTH, DECLINE, ns.Phase("age", 1)]}, "life.phases is"),
    "hazard of a rule": (phases([replace(DIVISION, hazard=200 / second), Slip()]), "life.phases[0].rules[0].hazard is 200.0 Hz now and was 300.0 Hz"),
    "until": (phases([replace(DIVISION, until=15), Slip()]), "life.phases[0].rules[0].until is 15 now and was 14"),
    "label": (phases([replace(DIVISION, label="mine"), Slip()]), "life.phases[0].rules[0].label is mine now and was absent"),
    "who": (phases([replace(DIVISION, who=ns.Busiest()), Slip()]), "life.phases[0].rules[0].who.class is Busiest now and was Everyone"),
    "rule of another class": (phases([replace(APOPTOSIS), Slip()]), "life.phases[0].rules[0].class is Apoptosis now and was Division"),
    "one rule less": (phases([DIVISION]), "life.phases[0].rules is"),
    "pruning": ({"phases": [GROWTH, ns.Phase("decline", 2, [*DECLINE.rules[:2], replace(REWIRING, prune=ns.WeightBelow(1.1 * nS)), Slip()])]}, "life.phases[1].rules[2].prune.weight"),
    "rate of an input": ({"inputs": [replace(NOISE, rate=800 * Hz)]}, "inputs[0].rate"),
    "cells of an input": ({"inputs": [replace(NOISE, cells=[1, 2])]}, "inputs[0].cells is [1, 2] now and was absent"),
    "one input more": ({"inputs": [NOISE, replace(NOISE, name="again")]}, "inputs is"),
    "record": ({"record": [ns.Spikes("exc")]}, "record is"),
    "traced cells": ({"record": [ns.Spikes("exc"), ns.Trace("exc", "v", cells=3, every=1 * ms), ns.Trace("loop", "weight", every=2 * ms)]}, "record[1].cells is 3 now and was 2"),
    "measure": ({"measure": another_measure}, "measure.function is another_measure now and was measure"),
    "no measure": ({"measure": None}, "measure is absent now and was measure"),
    "time step": ({"backend": ns.Brian2(dt=0.05 * ms, target="numpy")}, "backend.dt is"),
    "target": ({"backend": ns.Brian2(dt=0.1 * ms, target="auto")}, "backend.target is auto now and was numpy"),
}  # fmt: skip


@pytest.mark.parametrize("name", OTHERS)
def test_another_run_is_refused_by_the_detail(name, folder, monkeypatch):
    changes, detail = OTHERS[name]
    monkeypatch.setattr(ns.Brian2, "opened", lambda *arguments: pytest.fail("something was simulated"))
    before = files(folder)
    asked = {"inputs": [NOISE], "backend": NUMPY, **changes}
    with pytest.raises(ValueError, match=re.escape(f"the run in {folder} was another one: {detail}")) as caught:
        live(ns.RunFolder(folder, resume=True), **asked)
    assert (
        str(caught.value).endswith(f"or begin another life with ns.RunFolder(..., parent={str(folder)!r})") and len(str(caught.value)) < 600
    )
    assert files(folder) == before


def test_control_equal_ingredients_made_anew_go_on(folder, monkeypatch):
    """Also if the bar differs, and the way to name the folder; that a simulation begins shows it."""

    def run(*arguments):
        raise Break

    monkeypatch.setattr(ns.Brian2, "opened", run)
    division = ns.Division("exc", hazard=0.3 / ms, until=14)
    asked = {
        "start": circuit(),
        "inputs": [replace(NOISE)],
        "backend": ns.Brian2(dt=100e-3 * ms, target="numpy"),
        **phases([division, Slip()]),
    }
    with pytest.raises(Break):
        live(ns.RunFolder(str(folder), resume=True), progress=lambda done, total: None, **asked)


# --- a user's own code -----------------------------------------------------------------------------------------------


def module(path: Path, text: str):
    """A user's module, as its file is now."""
    path.write_text(text)
    spec = importlib.util.spec_from_file_location("users_own", path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    sys.modules["users_own"] = made  # where inspect looks for the source of a class
    linecache.clearcache()
    return made


OWN = """
from dataclasses import dataclass
import neurosim as ns

class Base:
    def chosen(self, circuit):
        return circuit["exc"].ids[:0]

@dataclass(frozen=True)
class Mine(Base):
    count: int = 1

    def __call__(self, circuit, recording, rng):
        return ns.Events.kill("exc", self.chosen(circuit))

def measure(circuit, recording):
    return {"one": 1.0}
"""


@pytest.mark.parametrize(
    ("old", "new", "detail"),
    [
        ("ids[:0]", "ids[:1]", "rules[0].source"),
        ('Events.kill("exc"', 'Events.kill("ex"', "rules[0].source"),
        ("1.0}", "2.0}", "measure.source"),
    ],
)
def test_a_users_source_that_changed(old, new, detail, tmp_path, monkeypatch):
    """Of a rule, of the class that it inherits from, of a measure."""
    own = module(tmp_path / "users_own.py", OWN)
    with pytest.raises(Break):
        live(tmp_path / "life", phases=[ns.Phase("own", 2, [own.Mine()])], measure=own.measure, progress=stop_after(1))
    own = module(tmp_path / "users_own.py", OWN.replace(old, new))
    with pytest.raises(ValueError, match=re.escape(detail) + " is '?[0-9a-f]{16}'? now and was"):
        live(ns.RunFolder(tmp_path / "life", resume=True), phases=[ns.Phase("own", 2, [own.Mine()])], measure=own.measure)
    own = module(tmp_path / "users_own.py", OWN + "\n# the control\n")
    assert (
        len(live(ns.RunFolder(tmp_path / "life", resume=True), phases=[ns.Phase("own", 2, [own.Mine()])], measure=own.measure).boundaries)
        == 2
    )


@dataclass(frozen=True)
class Own:
    value: object


class Counter:
    def __init__(self, start):
        self.start = start

    def measure(self, circuit, recording):
        return {"start": self.start}


def closing_over(value):
    return lambda circuit, recording: {"value": value}


def by_default(value):
    return lambda circuit, recording, value=value: {"value": value}


def recursive(value):
    def measure(circuit, recording, depth=2):
        return measure(circuit, recording, depth - 1) if depth else {"value": value, "later": later}

    result = specification(measure)
    later = 1
    return result


LONG = np.arange(1000.0)
PAIRS = {
    "numbers": (1, 2), "kinds": (1, "1"), "quantities": (1 * mV, 1 * nS), "arrays": (LONG, LONG + 1), "types of arrays": (LONG, LONG.astype(int)),
    "long lists": (list(range(1000)), [*range(999), 0]), "sets": ({1, 2}, {1, 3}), "tuples as keys": ({("a", "b"): 1}, {("a", "c"): 1}),
    "numbers as keys": ({1: 2}, {2: 2}), "paths": (Path("a"), Path("b")), "modules": (np, re), "classes": (ns.Division, ns.Apoptosis),
    "complex numbers": (1 + 2j, 1 + 3j), "texts of objects": (slice(1, 2), slice(1, 3)), "arrays of objects": (np.array([None, 1]), np.array([None, 2])),
    "closures": (closing_over(1), closing_over(2)), "defaults": (by_default(1), by_default(2)), "methods": (Counter(1).measure, Counter(2).measure),
    "partial": (partial(measure, 1), partial(measure, 2)), "keywords": (partial(measure, now=1), partial(measure, now=2)),
    "rules": (Own(1), Own(2)), "rules in rules": (Own(Own(1)), Own(Own(2))), "distributions": (ns.Uniform(1 * nS, 2 * nS), ns.Uniform(1 * nS, 3 * nS)),
    "NaN": (np.nan, 1.0),
}  # fmt: skip


@pytest.mark.parametrize("name", PAIRS)
def test_values_that_differ_have_other_specifications(name):
    one, other = (json.loads(json.dumps(specification(Own(value)))) for value in PAIRS[name])
    assert difference(one, other).startswith("value")
    try:
        same = copy.deepcopy(PAIRS[name][0])
    except TypeError:  # modules
        same = PAIRS[name][0]
    again = json.loads(json.dumps(specification(Own(same))))
    assert difference(one, again) is None and difference(again, one) is None


def test_functions_that_know_themselves_come_to_an_end():
    assert recursive(1) != recursive(2) and recursive(1) == recursive(1)


def test_what_has_no_value_of_its_own_is_known_by_its_class():
    assert specification(object()) == specification(object()) == {"class": "object"}
    assert specification(np.random.default_rng(1))["class"] == "Generator"


def test_of_a_source_and_its_values_the_first_difference_is_named():
    assert difference({"a": {"b": [1, {"c": 2}]}}, {"a": {"b": [1, {"c": 3}]}}) == "a.b[1].c is 2 now and was 3"
    assert difference({"a": 1}, {}) == "a is 1 now and was absent" and difference({}, {"a": 1}) == "a is absent now and was 1"
    assert difference([1], [1, 2], "list") == "list is [1] now and was [1, 2]"
    assert difference({"a": [float("nan")]}, {"a": [float("nan")]}) is None
