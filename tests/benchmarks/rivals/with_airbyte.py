"""A declarative source of Airbyte's CDK, read and not loaded: records are counted, and written only to be compared."""

import json
from collections import Counter
from pathlib import Path
from typing import Any

import orjson
from airbyte_cdk.models import (
    AirbyteStream,
    ConfiguredAirbyteCatalog,
    ConfiguredAirbyteStream,
    DestinationSyncMode,
    SyncMode,
    Type,
)
from airbyte_cdk.sources.declarative.concurrent_declarative_source import ConcurrentDeclarativeSource
from asking import FIELDS, KINDS, PAGE, SESSIONS, log_in, read_task, say


def source_of(task: dict[str, Any], cookie: str) -> dict[str, Any]:
    """The manifest."""
    streams = [_sessions(task, cookie)]
    if task["details"]:
        streams += [_details(task, cookie, kind, _sessions(task, cookie)) for kind in KINDS]
    connections = task["connections"]
    return {
        "version": "6.0.0",
        "type": "DeclarativeSource",
        "check": {"type": "CheckStream", "stream_names": ["sessions"]},
        "streams": streams,
        "concurrency_level": {
            "type": "ConcurrencyLevel",
            "default_concurrency": connections,
            "max_concurrency": connections,
        },
    }


def _sessions(task: dict[str, Any], cookie: str) -> dict[str, Any]:
    stream = _stream(task, cookie, "sessions", SESSIONS)
    stream["retriever"]["requester"]["request_parameters"] = {"fields": FIELDS, "sort": "start_time"}
    stream["retriever"]["paginator"] = {
        "type": "DefaultPaginator",
        "page_size_option": _parameter("limit"),
        "page_token_option": _parameter("offset"),
        "pagination_strategy": {"type": "OffsetIncrement", "page_size": PAGE},
    }
    stream["retriever"]["partition_router"] = {
        "type": "ListPartitionRouter",
        "values": task["filters"],
        "cursor_field": "query",
        "request_option": _parameter("q"),
    }
    return stream


def _details(task: dict[str, Any], cookie: str, kind: str, parent: dict[str, Any]) -> dict[str, Any]:
    path = f"{SESSIONS}/{{{{ stream_partition.session_key | replace('/', '%2F') | replace(':', '%3A') }}}}/{kind}"
    stream = _stream(task, cookie, kind, path)
    stream["retriever"]["paginator"] = {
        "type": "DefaultPaginator",
        "page_token_option": {"type": "RequestPath"},
        "pagination_strategy": {
            "type": "CursorPagination",
            "cursor_value": "{{ '" + task["url"] + "' ~ response.meta.next }}",
            "stop_condition": "{{ not response.meta.next }}",
        },
    }
    stream["retriever"]["partition_router"] = {
        "type": "SubstreamPartitionRouter",
        "parent_stream_configs": [
            {
                "type": "ParentStreamConfig",
                "stream": parent,
                "parent_key": "key",
                "partition_field": "session_key",
            }
        ],
    }
    stream["transformations"] = [
        {
            "type": "AddFields",
            "fields": [{"path": ["session_key"], "value": "{{ stream_partition.session_key }}"}],
        }
    ]
    return stream


def _stream(task: dict[str, Any], cookie: str, name: str, path: str) -> dict[str, Any]:
    return {
        "type": "DeclarativeStream",
        "name": name,
        "primary_key": [],
        "schema_loader": {"type": "InlineSchemaLoader", "schema": {"type": "object", "properties": {}}},
        "retriever": {
            "type": "SimpleRetriever",
            "requester": {
                "type": "HttpRequester",
                "url_base": task["url"],
                "path": path,
                "http_method": "GET",
                "request_headers": {"Cookie": f"session_id={cookie}"},
            },
            "record_selector": {
                "type": "RecordSelector",
                "extractor": {"type": "DpathExtractor", "field_path": ["items"]},
            },
        },
    }


def _parameter(name: str) -> dict[str, str]:
    return {"type": "RequestOption", "inject_into": "request_parameter", "field_name": name}


def main() -> None:
    """One reading."""
    task = read_task()
    manifest = source_of(task, log_in(task))
    names = [stream["name"] for stream in manifest["streams"]]
    catalog = ConfiguredAirbyteCatalog(
        streams=[
            ConfiguredAirbyteStream(
                stream=AirbyteStream(name=name, json_schema={}, supported_sync_modes=[SyncMode.full_refresh]),
                sync_mode=SyncMode.full_refresh,
                destination_sync_mode=DestinationSyncMode.append,
            )
            for name in names
        ]
    )
    source = ConcurrentDeclarativeSource(catalog=catalog, config={}, state=[], source_config=manifest)
    rows: Counter[str] = Counter()
    written = Path(task["folder"]) / "records.ndjson"
    with written.open("wb") as out:
        for message in source.read(source.logger, {}, catalog, []):
            if message.type is Type.RECORD:
                record = message.record
                rows[record.stream] += 1
                if task["verify"]:
                    out.write(orjson.dumps({"stream": record.stream, "data": json.dumps(record.data)}) + b"\n")
    say(rows={name: rows[name] for name in ("sessions", *KINDS)})


if __name__ == "__main__":
    main()
