"""Hard days, many of them: `python -m tests.soak [--only NAME] [--quick] [--seed N]`.

Syncs that are killed, appliances that fail, lists that change while they are read, full disks and damaged files; after
each, the copy is compared with the simulated world row by row, and the differences are counted. Run by hand; it takes
some twenty minutes, `--quick` one. The exit code is 1 if anything is lost, doubled or wrong, or a claim does not hold.
"""

import argparse
import logging
import sys

import stamina

from tests.soak.bulk import burst, long_events, offset, quiet
from tests.soak.damage import damage
from tests.soak.disk import disk
from tests.soak.hardship import hardship
from tests.soak.kills import kills
from tests.soak.moving import growing
from tests.soak.nights import nights
from tests.soak.outcome import Outcome, Scenario, Soak, show

SCENARIOS: dict[str, Scenario] = {
    "kills": kills,
    "nights": nights,
    "hardship": hardship,
    "burst": burst,
    "growing": growing,
    "offset": offset,
    "events": long_events,
    "disk": disk,
    "damage": damage,
    "quiet": quiet,
}
_SEED = 20261101
_TRIES = 20


def run(names: list[str], soak: Soak) -> list[Outcome]:
    """Run the scenarios one after the other."""
    outcomes = []
    for name in names:
        print(f"{name} …", file=sys.stderr, flush=True)
        for outcome in SCENARIOS[name](soak):
            state = "good" if outcome.is_good else "FAILED"
            print(f"  {outcome.scenario}: {state}, {outcome.seconds:.0f} s", file=sys.stderr, flush=True)
            outcomes.append(outcome)
    return outcomes


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--only", choices=list(SCENARIOS), action="append", help="only this scenario; several times")
    parser.add_argument("--quick", action="store_true", help="a tenth of everything")
    parser.add_argument("--seed", type=int, default=_SEED)
    given = parser.parse_args()
    print(f"seed {given.seed}", file=sys.stderr)
    # The simulator's server complains of each answer that it was told to break off.
    logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
    # Retries of the syncs in this process happen, but without their waits.
    with stamina.set_testing(testing=True, attempts=_TRIES):
        outcomes = run(given.only or list(SCENARIOS), Soak(given.seed, given.quick))
    show(outcomes)
    print(f"seed {given.seed}")
    return 0 if all(outcome.is_good for outcome in outcomes) else 1


if __name__ == "__main__":
    sys.exit(main())
