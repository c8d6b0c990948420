"""The MongoDB sink: foreachBatch with an upsert by key. A batch that comes again replaces its documents by equal ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

from pyspark.sql import DataFrame

from jobs.contract.ends import Mongo
from jobs.contract.errors import ServiceError

_ANSWER_MS = 5000
_AT_ONCE = 1000  # documents of one request


def writer(uri: str, sink: Mongo) -> Callable[[DataFrame, int], None]:
    """The function of foreachBatch: each row becomes the document whose _id is its `sink.key`. Raises ServiceError when nobody answers at `uri`."""

    def write(frame: DataFrame, _: int) -> None:
        check(uri)
        frame.foreachPartition(partial(_upsert, uri, sink))

    return write


def check(uri: str) -> None:
    """Raises ServiceError when no MongoDB answers."""
    from pymongo.errors import PyMongoError

    with _client(uri) as client:
        try:
            client.admin.command("ping")
        except PyMongoError:  # its text may name the password
            raise ServiceError("no MongoDB answers", _place(client), cli="start one, or give its address") from None


def _client(uri: str) -> Any:
    from pymongo import MongoClient

    return MongoClient(uri, serverSelectionTimeoutMS=_ANSWER_MS)


def _place(client: Any) -> str:
    return ", ".join(f"{host}:{port}" for host, port in client.topology_description.server_descriptions())


def _upsert(uri: str, sink: Mongo, rows: Iterable[Any]) -> None:
    """Runs in a Spark worker."""
    from pymongo import ReplaceOne

    with _client(uri) as client:
        collection = client[sink.database][sink.collection]
        wishes = [ReplaceOne({"_id": (document := row.asDict(recursive=True))[sink.key]}, document, upsert=True) for row in rows]
        for at in range(0, len(wishes), _AT_ONCE):
            collection.bulk_write(wishes[at : at + _AT_ONCE], ordered=False)


def documents(uri: str, sink: Mongo) -> list[dict[str, Any]]:
    """What the collection holds, by _id."""
    with _client(uri) as client:
        return list(client[sink.database][sink.collection].find().sort("_id"))


def clear(uri: str, sink: Mongo) -> None:
    """Empties the collection of a lab."""
    with _client(uri) as client:
        client[sink.database][sink.collection].delete_many({})
