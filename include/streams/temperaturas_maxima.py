"""Every five minutes: publishes the maximum temperature of each sensor in each 5 minutes (IoT).

- **Source**: what `temperaturas` has published.
- **Sink**: JSON files under `salida/temperaturas_maxima`.
- **Guarantee**: each window exactly once, when the latest reading is 10 minutes after the end of the window.
  A reading that comes later is dropped, and the report counts it as `dropped_late`.

`./caudal run temperaturas_maxima --close-windows` publishes the open windows at once. Later readings of these
windows are late.

**When it is red**, the last line of the log names the error and what to do. It is always safe to run it
again.

After a reset or a rewind of `temperaturas`, it refuses to run until you reset it, too.
"""

from jobs.contract.stream import Files, Published, Stream

STREAM = Stream(
    name="temperaturas_maxima",
    source=Published("temperaturas"),
    sink=Files("json"),
    stateful=True,
    tags=("temperaturas", "iot"),
)
