"""What tests of the client share: how a simulated appliance is started and asked."""

from collections.abc import Callable

import pytest

from spsetl.appliance.client import Client
from spsetl.appliance.protocol import ListQuery, SessionPage, decode_list
from spsetl.errors import SpsetlError
from spsetl.simulator import Simulator

SECRET = "Pässwörd-密码"
TRIES = 14

Start = Callable[..., Simulator]
Connect = Callable[..., Client]


def ask(client: Client) -> SessionPage:
    """The first page of the list."""
    query = ListQuery()
    return decode_list(client.get(query.path, query.params, kind="sessions"))


def refusal(client: Client, expected: type[SpsetlError]) -> str:
    """The message of the error that the client raises, which is fit to be shown."""
    with pytest.raises(expected) as raised:
        ask(client)
    message = str(raised.value)
    assert message.isprintable()
    assert SECRET not in message
    assert "/api/" not in message
    return message
