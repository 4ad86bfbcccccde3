"""What holds deployment files together that no tool of theirs looks at. Says everything that is wrong."""

import json
import re
import sys
from pathlib import Path

import tomllib

ROOT = Path(__file__).resolve().parents[2]


def text(path: str) -> str:
    return (ROOT / path).read_text()


def shared_stages(dockerfile: str) -> list[str]:
    stages = text(dockerfile).split("\nARG RUST_VERSION", 1)[1].rsplit("\nFROM ", 1)[0]
    lines = stages.splitlines()
    while lines[-1].startswith("#"):
        lines.pop()
    return lines


def redis_commands() -> set[str]:
    """What the gateway and its scripts ask of Redis by name."""
    room = ROOT / "gateway/src/store/redis"
    scripts = "".join(file.read_text() for file in sorted(room.rglob("*.lua")))
    code = "".join(file.read_text() for file in sorted(room.rglob("*.rs")))
    found = re.findall(r"redis\.p?call\('(\w+)'", scripts) + re.findall(r'cmd\("([A-Z]+)"\)', code)
    return {name.lower() for name in found}


def included() -> set[Path]:
    """The files that are compiled into the gateway beside its own code."""
    found = set()
    for source in (ROOT / "gateway/src").rglob("*.rs"):
        code = source.read_text().split("#[cfg(test)]")[0]
        for name in re.findall(r'include_(?:str|bytes)!\("([^"]+)"\)', code):
            found.add((source.parent / name).resolve().relative_to(ROOT))
    return found


def problems():
    # The user that deploy.sh makes for the gateways may do what they do. CLIENT is allowed by its subcommands.
    allowed_commands = text("deploy/deploy.sh").split("gateway_may=(", 1)[1].split("\n)", 1)[0].split()
    for command in sorted(redis_commands() - {"client"}):
        if f"+{command}" not in allowed_commands:
            yield f"deploy/deploy.sh: the gateways' Redis user may not {command}"
    # An image is built from what .dockerignore lets through.
    allowed = {line[1:] for line in text(".dockerignore").splitlines() if line.startswith("!")}
    for member in tomllib.loads(text("Cargo.toml"))["workspace"]["members"]:
        if not allowed & {member, member.split("/")[0]}:
            yield f".dockerignore keeps the workspace member {member} out of the images"
    for file in sorted(included()):
        if not any(file.is_relative_to(path) for path in allowed):
            yield f".dockerignore keeps {file} out of the images, which the code includes"

    # Both images come from one cache only as long as their first stages are the same text.
    if shared_stages("deploy/Dockerfile") != shared_stages("deploy/Dockerfile.mock"):
        yield "deploy/Dockerfile and deploy/Dockerfile.mock differ before their last stage"

    rust = re.search(r'channel = "([\d.]+)"', text("rust-toolchain.toml"))[1]
    for name in ("deploy/Dockerfile", "deploy/Dockerfile.mock"):
        if f"ARG RUST_VERSION={rust}\n" not in text(name):
            yield f"{name} builds with another Rust than rust-toolchain.toml's {rust}"

    # Every variable that a Compose file wants is explained.
    example = set(re.findall(r"^#?([A-Z_]+)=", text(".env.example"), re.MULTILINE))
    demanded = set()
    for path in ("deploy/docker-compose.prod.yml", "docker-compose.monitoring.yml"):
        demanded |= set(re.findall(r"\$\{([A-Z_]+):\?", text(path)))
    yield from (f".env.example does not mention {name}" for name in sorted(demanded - example))

    version = tomllib.loads(text("Cargo.toml"))["workspace"]["package"]["version"]
    if f"appVersion: {version}\n" not in text("charts/api-gateway/Chart.yaml"):
        yield f"the chart's appVersion is not {version}"
    if f"newTag: {version}\n" not in text("k8s/base/kustomization.yaml"):
        yield f"k8s/base names another image than {version}"

    # An action is pinned to a commit, with its version beside it.
    for workflow in sorted((ROOT / ".github/workflows").glob("*.yml")):
        for line in workflow.read_text().splitlines():
            use = re.search(r"uses: *(\S+)", line)
            pinned = re.search(r"@[0-9a-f]{40} # v\d+\.\d+\.\d+$", line)
            if use and not use[1].startswith("./") and not pinned:
                yield f"{workflow.name}: not pinned to a commit with its version: {use[1]}"

    for board in sorted((ROOT / "deploy/grafana").rglob("*.json")):
        try:
            content = json.loads(board.read_text())
        except ValueError as error:
            yield f"{board.relative_to(ROOT)} is no JSON: {error}"
            continue
        if not {"title", "uid", "panels"} <= content.keys():
            yield f"{board.relative_to(ROOT)} is no dashboard: it lacks a title, a uid or panels"


def main() -> int:
    found = list(problems())
    for problem in found:
        print(problem)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
