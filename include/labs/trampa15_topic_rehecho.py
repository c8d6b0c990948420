"""Borrar un topic y crearlo otra vez.

Los offsets del topic nuevo son otros registros: si ya es más largo, Spark sigue donde iba y pierde los primeros. Caudal conoce el id del
topic, se para y ofrece `rollover`.
"""

from jobs.contract.lab import Lab

LAB = Lab(
    name="trampa15_topic_rehecho",
    title="trampa 15: borrar un topic y crearlo otra vez",
    section="Trampas",
    fault="topic_made_again",
    reads=("docs/reliability.md",),
)
