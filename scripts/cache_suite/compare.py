"""What the public suite saw, against what is known to differ: nothing more, and nothing less.

    compare.py DIFFERS RESULTS…

RESULTS are what the suite's client prints, one for each round: a case passes that passes once, for many of them wait for what is fresh
for two seconds. Fails and names the cases when one differs that is not in DIFFERS, or one in DIFFERS passes.
"""

import json
import sys
from collections import Counter
from pathlib import Path

# A case that passes is `true`, any other is a list of what went wrong.
PASSED = True
# A suite that broke off, or was changed, must not look like one that passed.
FEWEST = 250


def results(text: str) -> dict[str, object]:
    """The object that the client prints last."""
    return json.loads(text[text.index("{") :])


def differences(text: str) -> dict[str, str]:
    """Names of cases, each with the reason why it differs."""
    lines = (line.split("#")[0].split() for line in text.splitlines())
    return {words[0]: words[1] for words in lines if words}


def main() -> int:
    """Compares, and says what it found."""
    known = differences(Path(sys.argv[1]).read_text(encoding="utf-8"))
    rounds = [results(Path(name).read_text(encoding="utf-8")) for name in sys.argv[2:]]
    seen = rounds[-1]
    failed = {case for case in seen if all(one.get(case) is not PASSED for one in rounds)}
    for case in sorted(failed - known.keys()):
        print(f"differs, and is not known to: {case}: {seen[case]}")
    for case in sorted(known.keys() - failed):
        word = "passes" if case in seen else "does not exist"
        print(f"is said to differ, and {word}: {case}")
    counts = Counter(known[case] for case in failed & known.keys())
    print(f"{len(seen)} cases, {len(seen) - len(failed)} pass; of the others: {dict(counts.most_common())}")
    return 0 if failed == known.keys() and len(seen) >= FEWEST else 1


if __name__ == "__main__":
    sys.exit(main())
