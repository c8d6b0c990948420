"""The labs' Spanish: singular and plural of what is counted, the nearest name, and why Spark cannot run a
pipeline."""

from __future__ import annotations

from collections.abc import Iterable

from jobs.contract.errors import Refused
from jobs.contract.nearest import listed, nearest
from jobs.labs.declared import combinations
from jobs.labs.declared.ends import Pipeline

# English of `combinations` -> Spanish; a test checks that none is missing
TEXTS = {
    "complete shows the whole result, and without an aggregation nothing keeps it": (
        "complete enseña el resultado entero, y sin una agregación nadie lo guarda"
    ),
    "mode append, or an aggregation": "el modo append, o una agregación",
    "append needs to know that a group is final, and without a watermark none ever is": (
        "append necesita saber que un grupo es definitivo, y sin marca de agua ninguno lo es nunca"
    ),
    "mode update or complete, or a watermark and a window": (
        "el modo update o complete, o una marca de agua y una ventana"
    ),
    "continuous processing has no batches, so nothing can be aggregated over them": (
        "el proceso continuo no tiene batches, así que no hay nada sobre lo que agregar"
    ),
    "trigger processing-time": "el trigger processing-time",
    "this source cannot be read continuously (kafka, socket and rate can)": (
        "esta fuente no se puede leer de forma continua (kafka, socket y rate sí)"
    ),
    "this sink takes whole batches (kafka, console, memory and foreach do without)": (
        "este destino recibe batches enteros (kafka, console, memory y foreach no los necesitan)"
    ),
    "what is there at the start is all that such a run reads, and here nothing is there yet": (
        "una ejecución así solo lee lo que hay al empezar, y aquí todavía no hay nada"
    ),
    "a row in a file cannot be changed": "una fila de un fichero no se puede cambiar",
    "mode append, or sink foreachBatch or mongodb with an upsert by key": (
        "el modo append, o el destino foreachBatch o mongodb con un upsert por clave"
    ),
    "Delta's sink adds rows or replaces all of them; to change some is a MERGE": (
        "el destino Delta añade filas o las sustituye todas; cambiar algunas es un MERGE"
    ),
    "mode append or complete, or sink foreachBatch with a MERGE": (
        "el modo append o complete, o el destino foreachBatch con un MERGE"
    ),
    "files that are written stay, so a reader would find every earlier result, too": (
        "los ficheros escritos se quedan, y quien lea encontraría también todos los resultados anteriores"
    ),
    "sink foreachBatch that replaces one snapshot, memory, console or mongodb": (
        "el destino foreachBatch que sustituya una foto entera, memory, console o mongodb"
    ),
    "select and where only: no explode, no join, no current time": (
        "solo select y where: sin explode, sin join, sin hora actual"
    ),
    "one batch however much is waiting; available-now keeps to the limits": (
        "un solo batch, por mucho que espere; available-now respeta los límites"
    ),
    "what was read and not finished is lost: a socket cannot be read again": (
        "lo leído y no terminado se pierde: un socket no se puede releer"
    ),
    "at least once: a batch that fails half-way is sent again (a Caudal stream: exactly once)": (
        "al menos una vez: un batch que falla a medias se envía otra vez (un stream de Caudal: "
        "exactamente una vez)"
    ),
    "at least once: make the function idempotent by key or batch": (
        "al menos una vez: la función tiene que ser idempotente, por clave o por batch"
    ),
    "exactly once by the table's own log; a reader of its part files alone sees deleted rows, too": (
        "exactamente una vez por el log de la propia tabla; "
        "quien lea solo sus ficheros ve también lo que ya no está"
    ),
    "everything stays in the driver's memory": "todo se queda en la memoria del driver",
    "a window appears when the watermark has passed its end; the last ones stay open": (
        "una ventana aparece cuando la marca de agua ha pasado su final; las últimas quedan abiertas"
    ),
}


def cuantos(number: int, one: str, many: str = "") -> str:
    """`1 línea`, `2 líneas`. `many` is the plural where it is more than an added s or es."""
    return f"{number} {one if number == 1 else many or one + ('s' if one[-1] in 'aeiouáéíóú' else 'es')}"


def pista(word: str, known: Iterable[str]) -> str:
    """`. ¿Querías decir 'a' o 'b'?`, to append to an error; empty when no name resembles `word`."""
    return f". ¿Querías decir {listed(names, 'o')}?" if (names := nearest(word, known)) else ""


def nota(pipeline: Pipeline) -> str:
    """What to know about a pipeline that works."""
    return "; ".join(TEXTS[note] for note in combinations.verdict(combinations.of(pipeline)).notes)


def require(pipeline: Pipeline, where: object) -> None:
    """As combinations.require. Raises Refused."""
    asked = combinations.of(pipeline)
    verdict = combinations.verdict(asked)
    if not verdict.works:
        what = f"{asked.source} -> {asked.sink}, modo {asked.mode}, trigger {asked.trigger}"
        raise Refused(f"{what}: {TEXTS[verdict.why]}", where, cli=f"usa {TEXTS[verdict.instead]}")
