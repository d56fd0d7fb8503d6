"""Rules that hold rules: their labels, and a stream of random numbers for each."""

from collections.abc import Sequence
from typing import Any

from neurosim.events import Events
from neurosim.lifecycle.books import check
from neurosim.lifecycle.phases import check_rule, label_of
from neurosim.randomness import generator


class Holder:
    """Share what rules have that hold other `rules` and let them act at some boundaries."""

    @property
    def nested(self) -> Sequence[Any]:
        """The rules that this one holds."""
        return self.rules

    def check(self, circuit) -> None:
        """Raise what the rules raise for the circuit."""
        check(circuit, self.rules)

    def check_later(self, circuit) -> None:
        """Raise what the rules raise where other numbers of cells may be there by then."""
        check(circuit, self.rules, later=True)

    def acted(self, circuit, recording, rng) -> Events:
        """Return what the rules propose, each by its label and with random numbers of its own."""
        events = Events()
        for rule, label, own in streams(self.rules, rng):
            events += rule(circuit, recording, own).labelled(label)
        return events


def check_rules(rules: Sequence[Any], what: str) -> None:
    """Raise TypeError for what is no list of rules and ValueError for one that is empty or has a label twice."""
    if not isinstance(rules, Sequence) or isinstance(rules, str):
        raise TypeError(f"rules of {what} are {rules!r}; give a list, [...]")
    if not rules:
        raise ValueError(f"{what} has no rules; give it at least one, such as ns.Apoptosis(...)")
    for rule in rules:
        check_rule(rule, what)
    labels = [label_of(rule) for rule in rules]
    for label in labels:
        if labels.count(label) > 1:
            raise ValueError(f"two rules of {what} are called {label!r} and would draw the same numbers; give each its own label=...")


def streams(rules: Sequence[Any], rng) -> list[tuple[Any, str, Any]]:
    """Return each rule with its label and a generator of its own, which the other rules do not touch."""
    key = int(rng.integers(2**63))
    return [(rule, label_of(rule), generator(key, label_of(rule))) for rule in rules]
