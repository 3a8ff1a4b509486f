from functools import partial
from typing import Any

import pytest

from spsetl.simulator.documents import value_at
from spsetl.simulator.messages import ApiError
from spsetl.simulator.query import compile_query

SSH: dict[str, Any] = {
    "protocol": "SSH",
    "verdict": "ACCEPT",
    "active": False,
    "duration": 22,
    "start_time": "2026-10-20T10:00:00.000Z",
    "end_time": None,
    "client": {"ip": "10.20.30.40"},
    "server": {"port": 22},
    "user": {"name": "admin", "server_username": ["root", "Windows User"]},
    "recording": {"session_id": "svc/abc/policy:12", "verdict": "Accepted"},
}
RDP: dict[str, Any] = {"protocol": "RDP", "start_time": "2026-10-21T23:59:59.999+05:00", "user": {"name": None}}


def get(document: dict[str, Any], field: str) -> Any:
    """The value of a field, as the search gives it to a query."""
    return document if field == "*" else value_at(document, field)


def found(q: str) -> str:
    """Which of the two sessions pass."""
    passes = compile_query(q)
    documents = (("ssh", SSH), ("rdp", RDP))
    return " ".join(name for name, document in documents if passes(partial(get, document)))


@pytest.mark.parametrize(
    ("q", "names"),
    [
        ("protocol:ssh", "ssh"),
        ("protocol:SSH AND verdict:accept AND NOT name:admin", ""),
        ("protocol:(ssh rdp)", "ssh rdp"),
        ("protocol:ssh OR protocol:rdp", "ssh rdp"),
        ("NOT protocol:ssh", "rdp"),
        ("NOT verdict:deny", "ssh rdp"),
        ("NOT no_such_field:x", "ssh rdp"),
        ("no_such_field:x", ""),
        ("protocol:(ssh rdp) -protocol:rdp", "ssh"),
        ("protocol:* NOT protocol:ssh", "rdp"),
        ("+verdict:accept protocol:rdp", "ssh"),
        ("(client.address:10.20.30.40 OR target.address:10.20.30.40) AND verdict:accept", "ssh"),
        ("client.ip:10.20.*", "ssh"),
        ("name:?dmi*", "ssh"),
        ("name:?dmi", ""),
        ("name:adm\\*", ""),
        ("_exists_:user.name", "ssh"),
        ("_exists_:psm.verdict", "ssh"),
        ("NOT _exists_:end_time", "ssh rdp"),
        ("active:false", "ssh"),
        ("port:{21 TO 23}", "ssh"),
        ("server.port:{21 TO 22}", ""),
        ("server.port:[22 TO 22]", "ssh"),
        ("server.port:[* TO 21]", ""),
        ("duration:[22 TO *}", "ssh"),
        ("duration:>21", "ssh"),
        ("duration:<=21", ""),
        ('server_username:"windows user"', "ssh"),
        ("server_username:Windows\\ User", "ssh"),
        ("user.server_username:root", "ssh"),
        ("psm.session_id:svc\\/abc\\/policy\\:12", "ssh"),
        ('session_id:"svc/abc/policy:12"', "ssh"),
        ("recording.session_id:svc*12", "ssh"),
        ("start_time:[2026-10-20 TO 2026-10-20]", "ssh"),
        ("start_time:[2026-10-20 TO 2026-10-21}", "ssh"),
        ("start_time:{2026-10-20 TO *]", "rdp"),
        ("start_time:[2026-10-20T10:00:00Z TO 2026-10-21T18:59:59.999Z]", "ssh rdp"),
        ("start_time:[* TO 1792490400]", "ssh"),
        ("start_time:2026-10-21", "rdp"),
        ('start_time:"2026-10-20T12:00:00.000+02:00"', "ssh"),
        ("root", "ssh"),
        ('"windows user"', "ssh"),
        ("verdict:accept^2", "ssh"),
    ],
)  # fmt: skip
def test_expressions_mean_what_the_guide_says(q: str, names: str) -> None:
    """Words, wildcards, groups, ranges, escapes, older spellings and existence."""
    assert found(q) == names


@pytest.mark.parametrize(
    ("q", "kind"),
    [
        ("(protocol:ssh", "InvalidQuery"),
        ("protocol:", "InvalidQuery"),
        ("AND", "InvalidQuery"),
        ("name:/adm.*/", "InvalidQuery"),
        ("name:admin~2", "InvalidQuery"),
        ("server.port:many", "InvalidQueryValue"),
        ("start_time:[yesterday TO *]", "InvalidQueryValue"),
        ("active:perhaps", "InvalidQueryValue"),
    ],
)
def test_what_does_not_parse_is_refused(q: str, kind: str) -> None:
    """400, InvalidQuery for the expression and InvalidQueryValue for a value that does not fit its field."""
    with pytest.raises(ApiError) as refused:
        compile_query(q)
    assert (refused.value.status, refused.value.type) == (400, kind)
