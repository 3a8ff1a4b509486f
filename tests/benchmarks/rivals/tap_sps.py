"""A Singer tap for SPS, piped into target-duckdb, which keeps a body as one JSON column."""

from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import requests
from asking import FIELDS, KINDS, PAGE, SESSIONS, log_in, quoted, read_task
from singer_sdk import RESTStream, Tap
from singer_sdk import typing as th
from singer_sdk.pagination import BaseOffsetPaginator, SinglePagePaginator

TASK = read_task()


class _Paginator(BaseOffsetPaginator):
    def has_more(self, response: requests.Response) -> bool:
        return response.json()["meta"]["next"] is not None


class _Stream(RESTStream[Any]):
    url_base = TASK["url"]
    records_jsonpath = "$.items[*]"
    cookie: ClassVar[str] = log_in(TASK)

    @property
    def http_headers(self) -> dict[str, str]:
        return {"Cookie": f"session_id={self.cookie}"}

    def get_url_params(self, context: Mapping[str, Any] | None, next_page_token: Any) -> dict[str, Any]:  # noqa: ARG002 its signature
        return {"limit": PAGE, "offset": next_page_token or 0}

    def get_new_paginator(self) -> Any:
        return _Paginator(start_value=0, page_size=PAGE)


class Sessions(_Stream):
    """The list, window by window."""

    name = "sessions"
    path = f"/{SESSIONS}"
    primary_keys = ("key",)
    schema = th.PropertiesList(th.Property("key", th.StringType), th.Property("body", th.ObjectType())).to_dict()

    @property
    def partitions(self) -> list[dict[str, Any]]:
        """One window each."""
        return [{"query": query} for query in TASK["filters"]]

    def get_url_params(self, context: Mapping[str, Any] | None, next_page_token: Any) -> dict[str, Any]:
        """The query of the window."""
        window = {"fields": FIELDS, "sort": "start_time", "q": (context or {})["query"]}
        return window | super().get_url_params(context, next_page_token)

    def post_process(self, row: Any, context: Mapping[str, Any] | None = None) -> dict[str, Any]:  # noqa: ARG002 its signature
        """Without what says nothing of the session."""
        return {"key": row["key"], "body": row["body"]}

    def generate_child_contexts(self, record: Any, context: Mapping[str, Any] | None) -> Iterable[dict[str, Any]]:  # noqa: ARG002 its signature
        """Whose details to fetch."""
        yield {"session_key": record["key"], "quoted_key": quoted(record["key"])}


class _Details(_Stream):
    parent_stream_type = Sessions
    state_partitioning_keys = ()  # else the state holds every session ever seen

    def post_process(self, row: Any, context: Mapping[str, Any] | None = None) -> dict[str, Any]:
        return {"session_key": (context or {})["session_key"], **row}


class Channels(_Details):
    """The channels of a session."""

    name = "channels"
    path = f"/{SESSIONS}/{{quoted_key}}/channels"
    primary_keys = ("session_key", "key")
    schema = th.PropertiesList(
        th.Property("session_key", th.StringType),
        th.Property("key", th.StringType),
        th.Property("body", th.ObjectType()),
    ).to_dict()

    def get_new_paginator(self) -> Any:
        """Never more than a page."""
        return SinglePagePaginator()


class _Records(_Details):
    primary_keys = ("session_key", "record_id")
    texts: tuple[str, ...] = ()

    def __init__(self, tap: Tap) -> None:
        columns = (th.Property(name, th.StringType) for name in ("session_key", *self.texts))
        super().__init__(tap, schema=th.PropertiesList(*columns, th.Property("record_id", th.IntegerType)).to_dict())


class Events(_Records):
    """The events of a session."""

    name = "events"
    path = f"/{SESSIONS}/{{quoted_key}}/events"
    texts = ("channels_id", "time", "type", "action", "content")


class Alerts(_Records):
    """The alerts of a session."""

    name = "alerts"
    path = f"/{SESSIONS}/{{quoted_key}}/alerts"
    texts = (
        "channel_id", "time", "alert_type", "matched_action", "matched_content", "matched_regexp", "rule_name",
    )  # fmt: skip


class TapSps(Tap):
    """The tap."""

    name = "tap-sps"
    config_jsonschema = th.PropertiesList().to_dict()

    def discover_streams(self) -> list[Any]:
        """The list, and the details where they are wanted."""
        kinds = [{"channels": Channels, "events": Events, "alerts": Alerts}[kind] for kind in KINDS]
        return [Sessions(self), *(kind(self) for kind in (kinds if TASK["details"] else ()))]


if __name__ == "__main__":
    TapSps(config={}).sync_all()
