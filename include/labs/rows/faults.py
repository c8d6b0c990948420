"""The course's traps that are a fault: each is done by the same steps to a plain Spark job and to Caudal, and
counted alike."""

from __future__ import annotations

from jobs.labs.declared.lab import Lab


def _trap(name: str, title: str, fault: str, doc: str) -> Lab:
    """`fault`: a function of include/torture/faults."""
    return Lab(name, title, "Trampas", fault=fault, reads=("docs/reliability.md",), doc=doc)


LABS = (
    _trap(
        "trampa01_checkpoint_borrado",
        "trampa 1: borrar el checkpoint para empezar de cero",
        "checkpoint_removed",
        """Borrar el checkpoint para empezar de cero.

Sin el checkpoint, la consulta vuelve a contar sus lotes desde 0, y la carpeta de salida recuerda que el
lote 0 ya está: los datos nuevos se descartan en silencio. Caudal compara checkpoint y salida antes de
empezar, se niega, y nombra la orden que lo arregla.""",
    ),
    _trap(
        "trampa02_salida_borrada",
        "trampa 2: borrar la salida y conservar el checkpoint",
        "output_removed",
        """Borrar la salida y conservar el checkpoint.

Spark da por hechos los lotes del checkpoint: lo borrado no vuelve. Caudal ve que faltan lotes y se niega;
`generation reset` trae los ficheros archivados y lo publica todo otra vez.""",
    ),
    _trap(
        "trampa04_movido_a_medias",
        "trampa 4: archivar un fichero que está planificado y sin terminar",
        "moved_while_planned",
        """Archivar un fichero que está planificado y sin terminar.

Un fichero planificado que ya no está: Spark confirma el lote con cero de sus filas. Caudal comprueba cada
fichero del plan, se para y lo nombra.""",
    ),
    _trap(
        "trampa05_mismo_nombre",
        "trampa 5: entregar otra vez el mismo nombre con otro contenido",
        "same_name",
        """Entregar otra vez el mismo nombre con otro contenido.

Spark reconoce los ficheros por su nombre y no lee el segundo. Caudal da a cada entrega un nombre con su
número y su contenido.""",
    ),
    _trap(
        "trampa06_fecha_futura",
        "trampa 6: un fichero con fecha del futuro",
        "future_dated",
        """Un fichero con fecha del futuro.

Tras un fichero de 2096, los normales son «demasiado viejos» (`maxFileAge`) y no se leen. Caudal les pone
la fecha de su admisión.""",
    ),
    _trap(
        "trampa07_a_medio_escribir",
        "trampa 7: leer un fichero a medio escribir",
        "half_written",
        """Leer un fichero a medio escribir.

Spark lee lo que hay y no vuelve. Caudal deja en `entrada` lo que alguien todavía escribe.""",
    ),
    _trap(
        "trampa08_corchetes",
        "trampa 8: un nombre con corchetes",
        "brackets_in_a_name",
        """Un nombre con corchetes.

Para Spark un nombre con `[ ]` es un patrón: los demás ficheros del lote se leen dos veces. Caudal admite
con nombres seguros.""",
    ),
    _trap(
        "trampa08_dos_puntos",
        "trampa 8: un nombre con dos puntos",
        "colon_in_a_name",
        """Un nombre con dos puntos, como los que llevan la hora.

Spark no puede leer `2026-11-25T10:00.json`: la consulta falla, y falla otra vez en cada arranque mientras
el fichero esté ahí. Caudal lo admite con un nombre seguro y guarda el suyo.""",
    ),
    _trap(
        "trampa08_enlaces",
        "trampa 8: un enlace se lee como un fichero más",
        "link_to_a_file",
        """Un enlace simbólico en la carpeta de entrada.

Spark lo sigue: lee otra vez el fichero al que apunta, o uno de fuera de la carpeta. Caudal no sigue
enlaces: lo deja en entrada y dice por qué.""",
    ),
    _trap(
        "trampa09_malformados",
        "trampa 9: registros malformados entre los buenos",
        "malformed_records",
        """Registros malformados entre los buenos.

El lector de JSON de Spark pierde el registro o un campo, o la consulta se para para siempre. Caudal
aparta cada uno con su motivo y sigue.""",
    ),
    _trap(
        "trampa12_dos_a_la_vez",
        "trampa 12: dos ejecuciones a la vez sobre un checkpoint",
        "two_at_once",
        """Dos ejecuciones a la vez sobre un checkpoint.

Una de las dos acaba mal y deja ficheros que un lector cuenta. En Caudal la segunda no empieza: código 75.""",
    ),
    _trap(
        "trampa13_kill",
        "trampa 13: kill -9 a mitad de la escritura",
        "killed_while_writing",
        """Kill -9 a mitad de la escritura.

Lo escrito a medias queda bajo `part-*` y un lector que no sea Spark lo cuenta. Caudal publica con un solo
cambio de nombre.""",
    ),
    _trap(
        "trampa15_kafka_repite",
        "trampa 15: kill -9 entre el envío a Kafka y el commit",
        "killed_before_commit",
        """Kill -9 entre el envío a Kafka y el commit.

El destino Kafka de Spark es «al menos una vez»: el lote se envía otra vez. Caudal envía en transacciones
con su posición dentro.""",
    ),
    _trap(
        "trampa15_retencion",
        "trampa 15: la retención borra lo que no se había leído",
        "retention_passed",
        """Registros que la retención borra antes de que nadie los lea.

El job de Spark muere en cada ejecución, con lo que vino detrás sin leer; con `failOnDataLoss=false`
sigue, y nadie sabe qué faltó. Caudal se para una vez, dice qué offsets de qué partición faltan, y
`rollover --accept-loss` sigue detrás de ellos.""",
    ),
    _trap(
        "trampa15_topic_rehecho",
        "trampa 15: borrar un topic y crearlo otra vez",
        "topic_made_again",
        """Borrar un topic y crearlo otra vez.

Los offsets del topic nuevo son otros registros: si ya es más largo, Spark sigue donde iba y pierde los
primeros. Caudal conoce el id del topic, se para y ofrece `rollover`.""",
    ),
    _trap(
        "trampa16_corte_de_luz",
        "trampa 16: un corte de luz deja vacío el último offset",
        "last_offset_empty",
        """Un corte de luz deja vacío el último offset.

Spark no sincroniza su checkpoint: tras el corte, la consulta no arranca nunca más. Caudal nombra el
fichero roto y qué hacer.""",
    ),
)
