"""A specification in words: quantities with their units, rules and inputs as they would be written in a script."""

from collections.abc import Mapping

from neurosim.units import from_exponents, unit_name

PREFIXES = ((1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"), (1e-12, "p"))
SYMBOLS = {"second": "s", "siemens": "S", "volt": "V", "amp": "A", "farad": "F", "metre": "m"}
PLAIN = ("population", "projection", "name")  # what a rule or an input concerns stands first and without its keyword
SHORT = 8  # digits of a hash


def words(value) -> str:
    """Return a piece of a specification as a short text; what was left at None or empty is left out."""
    if isinstance(value, Mapping):
        return _mapping(value)
    if isinstance(value, list):
        return f"[{', '.join(map(words, value))}]"
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def _mapping(value: Mapping) -> str:
    if "sha256" in value:
        size = " × ".join(map(str, value["shape"])) if "shape" in value else str(value["length"])
        return f"{size} values{_in_unit(value)} (sha256 {value['sha256'][:SHORT]})"
    if {"unit", "values"} == set(value):
        return amount(value["values"], value["unit"])
    if "distribution" in value:
        unit = unit_name(from_exponents(value["dimensions"]))
        return call(
            value["distribution"], {name: amount(one, unit) for name, one in value.items() if name not in ("distribution", "dimensions")}
        )
    for key in ("class", "function", "wiring"):
        if isinstance(value.get(key), str):
            given = {name: words(one) for name, one in value.items() if name not in (key, "source") and one not in (None, [], {})}
            own = f" (own code, sha256 {value['source'][:SHORT]})" if "source" in value else ""
            return call(value[key], given) + own
    return ", ".join(f"{name} {words(one)}" for name, one in value.items())


def _in_unit(value: Mapping) -> str:
    return f" in {value['unit']}" if "unit" in value else ""


def call(name: str, given: Mapping[str, str]) -> str:
    """Return a name with its arguments in brackets."""
    plain = [given[key] for key in PLAIN if key in given]
    inside = ", ".join([*plain, *(f"{key}={text}" for key, text in given.items() if key not in PLAIN)])
    return f"{name}({inside})" if inside else name


def amount(values, unit: str) -> str:
    """Return SI numbers with their unit, in a prefix in which the largest reads as 0.1 or more."""
    many = values if isinstance(values, list) else [values]
    plain = [one for one in many if isinstance(one, (int, float))]
    scale, prefix = 1.0, ""
    if unit in SYMBOLS and plain:
        largest = max(map(abs, plain))
        # A value that was rounded in binary is not to read as 100 of the smaller unit.
        fitting = (one for one in PREFIXES if 0.1 * one[0] * (1 - 1e-9) <= largest)
        scale, prefix = next(fitting, PREFIXES[-1]) if largest else PREFIXES[0]
    texts = [f"{one / scale:.6g}" if isinstance(one, (int, float)) else words(one) for one in many]
    text = f"[{', '.join(texts)}]" if isinstance(values, list) else texts[0]
    return text if unit == "1" else f"{text} {prefix}{SYMBOLS.get(unit, unit)}"
