"""Holds every configuration that documents and manifests show to the program itself: examples.py GATEWAY

The TOML of docs/migration.md and the files in the Helm samples.
"""

import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]


def examples():
    for number, block in enumerate(
        re.findall(r"```toml\n(.*?)```", (ROOT / "docs/migration.md").read_text(), re.DOTALL), 1
    ):
        yield f"docs/migration.md, block {number}", block
    for sample in sorted((ROOT / "charts/api-gateway/ci").glob("*.yaml")):
        if configuration := yaml.safe_load(sample.read_text()).get("config"):
            yield str(sample.relative_to(ROOT)), configuration


def main() -> int:
    gateway = Path(sys.argv[1]).resolve()
    wrong = count = 0
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "gateway.toml"
        # Files of keys are mounted where these are used; here one stands in for each.
        keys = Path(folder) / "keys.toml"
        keys.write_text(f'[[keys]]\nid = "sample"\nsha256 = "{"0" * 64}"\n')
        for name, text in examples():
            file.write_text(re.sub(r'"/etc/[^"]*/keys\.toml"', f'"{keys}"', text))
            command = [gateway, "check", "--config", file]
            said = subprocess.run(
                command, capture_output=True, text=True, check=False, env={"PATH": os.environ["PATH"]}
            )
            count += 1
            if said.returncode != 0:
                wrong += 1
                print(f"{name}:\n{said.stderr}")
    print(f"{count} configurations shown, {wrong} wrong")
    return 1 if wrong or not count else 0


if __name__ == "__main__":
    sys.exit(main())
