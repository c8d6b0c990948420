"""The MongoDB sink: foreachBatch with an upsert by key. A batch that comes again replaces its documents with
equal ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

from pyspark.sql import DataFrame, SparkSession

from jobs.contract.errors import ServiceError
from jobs.labs.declared.ends import Mongo

_ANSWER_MS = 5000  # a MongoDB on this machine answers within milliseconds; a remote one may be slow
_AT_ONCE = 1000  # documents in one request, so that a partition of any size fits in memory


def writer(uri: str, sink: Mongo) -> Callable[[DataFrame, int], None]:
    """The function of foreachBatch: each row becomes the document whose _id is its `sink.key`. It raises
    ServiceError when nobody answers at `uri`."""

    def write(frame: DataFrame, _: int) -> None:
        check(uri)
        frame.foreachPartition(partial(_upsert, uri, sink))

    return write


def check(uri: str) -> None:
    """Raises ServiceError when no MongoDB answers."""
    from pymongo.errors import PyMongoError

    try:
        connected = _client(uri)
    except (PyMongoError, ValueError):
        raise ServiceError(
            "no es la dirección de un MongoDB", "--mongo", cli="--mongo mongodb://HOST:PUERTO"
        ) from None
    with connected as client:
        try:
            client.admin.command("ping")
        except PyMongoError:  # its text may contain the password
            raise ServiceError(
                "no contesta ningún MongoDB", _place(client), cli="arranca uno, o da su dirección con --mongo"
            ) from None


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
        upserts = [
            ReplaceOne({"_id": (document := row.asDict(recursive=True))[sink.key]}, document, upsert=True)
            for row in rows
        ]
        for at in range(0, len(upserts), _AT_ONCE):
            collection.bulk_write(upserts[at : at + _AT_ONCE], ordered=False)


def documents(uri: str, sink: Mongo) -> list[dict[str, Any]]:
    """The documents of the collection, by _id."""
    with _client(uri) as client:
        return list(client[sink.database][sink.collection].find().sort("_id"))


def clear(uri: str, sink: Mongo) -> None:
    """Empties the collection of a lab."""
    with _client(uri) as client:
        client[sink.database][sink.collection].delete_many({})


# Spark application -> class loader. There must be one only: py4j caches methods by the name of their class.
_LOADERS: dict[str, Any] = {}


@contextmanager
def in_memory(spark: SparkSession, jars: Sequence[str]) -> Iterator[str]:
    """A MongoDB (5.0, in memory) inside Spark's driver, on a free port of 127.0.0.1; gives its address.

    It is shut down at the end, because its threads would keep the driver alive.
    """
    server = _server(spark, jars)
    try:
        yield f"mongodb://127.0.0.1:{server.bind().getPort()}"
    finally:
        server.shutdownNow()


def _server(spark: Any, jars: Sequence[str]) -> Any:
    jvm, array = spark._jvm, spark.sparkContext._gateway.new_array
    loader = _loader(spark, jars)
    version = loader.loadClass("de.bwaldvogel.mongo.ServerVersion").getEnumConstants()[2]  # 5.0, its newest
    constructors = loader.loadClass("de.bwaldvogel.mongo.backend.memory.MemoryBackend").getConstructors()
    plain = next(constructor for constructor in constructors if constructor.getParameterCount() == 0)
    arguments = array(jvm.java.lang.Object, 1)
    arguments[0] = plain.newInstance(array(jvm.java.lang.Object, 0)).version(version)
    return loader.loadClass("de.bwaldvogel.mongo.MongoServer").getConstructors()[0].newInstance(arguments)


def _loader(spark: Any, jars: Sequence[str]) -> Any:
    """A class loader with the server's jars, which are not on the class path."""
    application = spark.sparkContext.applicationId
    if application not in _LOADERS:
        jvm = spark._jvm
        urls = spark.sparkContext._gateway.new_array(jvm.java.net.URL, len(jars))
        for index, jar in enumerate(jars):
            urls[index] = jvm.java.io.File(jar).toURI().toURL()
        _LOADERS[application] = jvm.java.net.URLClassLoader(
            urls, jvm.java.lang.Thread.currentThread().getContextClassLoader()
        )
    return _LOADERS[application]
