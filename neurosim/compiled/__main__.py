"""List what is compiled and kept, or clear it: python -m neurosim.compiled [--clear]."""

import argparse
import sys

from neurosim.backends.compiler import cache_root
from neurosim.compiled.store import clear, entries


def main() -> None:
    """List the cache, or clear it if asked to."""
    parser = argparse.ArgumentParser(prog="python -m neurosim.compiled", description=__doc__.partition(":")[0] + ".")
    parser.add_argument("--clear", action="store_true", help="remove all libraries and Cython modules")
    if parser.parse_args().clear:
        try:
            print(f"{_size(clear())} freed in {cache_root()}")
        except OSError as error:
            sys.exit(error.strerror)
        return
    found = entries()
    for entry in found:
        print(f"{entry.key:24}  {entry.used:%Y-%m-%d %H:%M}  {_size(entry.bytes)}  {entry.summary}")
    print(f"{len(found)} entries, {_size(sum(entry.bytes for entry in found)).strip()} in {cache_root()}")


def _size(number: int) -> str:
    return f"{number / 1e6:8.2f} MB"


if __name__ == "__main__":
    main()
