"""Maximum temperature of each sensor in each 5 minutes (course: IoT).

**Source** what `temperaturas` has published. **Sink** JSON under `salida/temperaturas_maxima`. **Guarantee** each window exactly once, when
the latest reading is 10 minutes past its end; a reading that comes later is dropped, and counted in the report as `dropped_late`.
`./caudal run temperaturas_maxima --close-windows` publishes the open ones at once; later readings of theirs are late.

**When it is red** the last line of the log names the error and what to do; running it again is always safe. After a reset or a rewind of
`temperaturas` it refuses to run until it is reset, too.
"""

from jobs.contract.stream import Files, Published, Stream

STREAM = Stream(
    name="temperaturas_maxima",
    source=Published("temperaturas"),
    sink=Files("json"),
    stateful=True,
    tags=("temperaturas", "iot"),
)
