"""Configurations in the sample values of the chart, against the published schema; what they mean is tested in Rust."""

import sys
from pathlib import Path

import jsonschema
import tomllib
import yaml

ROOT = Path(__file__).resolve().parents[2]


def configurations():
    for path in sorted((ROOT / "charts/api-gateway/ci").glob("*-values.yaml")):
        if text := yaml.safe_load(path.read_text()).get("config"):
            yield path.name, text


def main() -> int:
    schema = yaml.safe_load((ROOT / "docs/configuration.schema.json").read_text())
    validator = jsonschema.Draft202012Validator(schema)
    wrong = seen = 0
    for name, text in configurations():
        seen += 1
        for error in validator.iter_errors(tomllib.loads(text)):
            print(f"{name}: {error.json_path}: {error.message}")
            wrong += 1
    print(f"{seen} configurations, {wrong} problems")
    return 1 if wrong or not seen else 0


if __name__ == "__main__":
    sys.exit(main())
