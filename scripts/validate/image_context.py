"""Copies what the images are built from, as .dockerignore has it, and says what of it is not there: image_context.py FOLDER

`cargo metadata` in FOLDER then says whether it is a whole workspace.
"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def allowed() -> list[str]:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    return [line[1:] for line in lines if line.startswith("!")]


def context(paths: list[str], into: Path) -> None:
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *paths],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    for name in listed.splitlines():
        place = into / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, place)


def copied_from_stages(dockerfile: str) -> list[tuple[str, str]]:
    text = (ROOT / dockerfile).read_text()
    return re.findall(r"^COPY --from=(\S+) (\S+)", text, re.MULTILINE)


def problems(into: Path):
    for path in allowed():
        if not (into / path).exists():
            yield f".dockerignore lets {path} in, which does not exist"
    for dockerfile in ("deploy/Dockerfile", "deploy/Dockerfile.mock"):
        stages = re.findall(r"^FROM .* AS (\S+)", (ROOT / dockerfile).read_text(), re.MULTILINE)
        for stage, path in copied_from_stages(dockerfile):
            if stage not in stages:
                yield f"{dockerfile} copies from {stage}, which is no stage of it"
            program = re.fullmatch(r"/src/target/release/(\S+)", path)
            if program and not (into / program[1] / "src/main.rs").exists():
                yield f"{dockerfile} copies {path}, which no package of the context builds"


def main() -> int:
    into = Path(sys.argv[1])
    context(allowed(), into)
    found = list(problems(into))
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
