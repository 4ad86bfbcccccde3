"""Writes the dashboards, or with --check says which file differs from what would be written."""

import argparse
import json
import pathlib
import sys

from . import fleet, gateway, limits

DASHBOARDS = {"gateway": gateway.dashboard, "limits": limits.dashboard, "fleet": fleet.dashboard}
DIRECTORY = pathlib.Path(__file__).resolve().parent.parent / "dashboards"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; fail if a file would change")
    check = parser.parse_args().check
    wanted = {f"{name}.json": json.dumps(make(), indent=2) + "\n" for name, make in DASHBOARDS.items()}
    present = {path.name: path.read_text() for path in DIRECTORY.glob("*.json")}
    differing = sorted(name for name in wanted.keys() | present.keys() if wanted.get(name) != present.get(name))
    if check:
        for name in differing:
            print(f"{DIRECTORY / name} is not what the generator writes: run make dashboards", file=sys.stderr)
        return 1 if differing else 0
    for name in differing:
        if name in wanted:
            (DIRECTORY / name).write_text(wanted[name])
        else:
            (DIRECTORY / name).unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
