"""Who downloaded a session's recording, and how its indexing went, made when asked for.

The shapes are those of the samples of the REST API guide, "Session audit trail downloads" (6.9.5, page 40) and
"Indexing sessions" (7.0.1 LTS, page 44): lists of plain items, without a key each. Guesses, as no guide says: which
sessions have how many, that a session without a recording has an empty list of downloads and a 404 for its indexing,
that one that was not indexed yet has an empty list there, and every `status` but COMPLETED.
"""

from typing import Any, Final

from spsetl.simulator import vocabulary as words
from spsetl.simulator.dice import Dice, spread
from spsetl.simulator.documents import index_status
from spsetl.simulator.facts import Facts, facts_of
from spsetl.simulator.records import Record
from spsetl.simulator.sessions import CLOSED, INDEXED, PROGRESS, SCORED, Download, Session
from spsetl.simulator.spec import WorldSpec
from spsetl.simulator.times import SECOND, iso

_COUNTS: Final = spread((0, 85), (1, 9), (2, 4), (4, 2))
_JOBS: Final = {"INDEXING_IN_PROGRESS": "IN_PROGRESS", "INDEXED": "COMPLETED", "INDEXING_FAILED": "FAILED"}


def is_recorded(spec: WorldSpec, session: Session) -> bool:
    """True for a session that SPS itself carried, so that its document has a `recording`."""
    return facts_of(spec, session.number).recorded


def has_trail(spec: WorldSpec, session: Session) -> bool:
    """True if there is a recording that could be downloaded."""
    facts = facts_of(spec, session.number)
    return facts.recorded and index_status(session, facts) != "NO_TRAIL"


def downloads_of(spec: WorldSpec, session: Session) -> list[Record]:
    """The downloads of the recording by time; most sessions have none."""
    if not has_trail(spec, session):
        return []
    downloads = [*_early_downloads(spec, session), *session.downloads]
    return [
        {
            "from_api": download.from_api,
            "ip_address": download.ip_address,
            "time": iso(download.time),
            "username": download.username,
        }
        for download in sorted(downloads, key=lambda download: download.time)
    ]


def _early_downloads(spec: WorldSpec, session: Session) -> list[Download]:
    """Those that the spec brings: all of them come with the score, so that none appears while the revision stays."""
    if not session.has(SCORED):
        return []
    dice = Dice(spec.seed, "downloads", session.number)
    end, scored = session.milestones[CLOSED], session.milestones[SCORED]
    return [
        Download(
            (end + dice.below(scored - end)) // SECOND * SECOND,
            dice.pick(words.USERS),
            f"10.{dice.pick(words.SUBNETS)}.9.{dice.between(1, 60)}",
            from_api=dice.share(0.3),
        )
        for _ in range(dice.pick(_COUNTS))
    ]


def indexing_of(spec: WorldSpec, session: Session) -> Record | None:
    """What the indexer did or does with the recording; None before it began, and where there is nothing to index."""
    facts = facts_of(spec, session.number)
    status = index_status(session, facts)
    if not facts.recorded or status not in _JOBS:
        return None
    dice = Dice(spec.seed, "indexing", session.number)
    began = session.milestones[PROGRESS] if session.has(PROGRESS) else session.end or session.start
    seconds = (session.milestones[INDEXED] - began) // SECOND if session.has(INDEXED) else dice.between(1, 9000)
    # Milliseconds since 1970, unlike all other times of the API; seconds for the other two is a guess.
    statistics: dict[str, Any] = {"start_time": began}
    if _JOBS[status] != "IN_PROGRESS":
        statistics |= {"cpu_time": seconds // 30, "duration": seconds}
    version = {"adp": "6.0.20", "worker": "4.0.26"}
    return {"config": _config(facts), "statistics": statistics, "status": _JOBS[status], "version": version}


def _config(facts: Facts) -> dict[str, Any]:
    terminal = facts.protocol in words.TERMINAL_PROTOCOLS
    return {
        "command": {"enabled": terminal},
        "keyboard": {"buffer_interval": 3, "enabled": False},
        "mouse": {"buffer_interval": 1, "enabled": False},
        "near_realtime": False,
        "ocr_languages": [] if terminal else ["ENGLISH"],
        "screen": {"enabled": True, "omnipage_trade_off": "TO_ACCURATE"},
        "title": {"enabled": not terminal},
    }
