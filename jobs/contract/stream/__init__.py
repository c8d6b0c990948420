"""What a stream is: the values that a row of the registry is made of. They are frozen, and checked when they
are made."""

from jobs.contract.stream.declaration import (
    Delivery,
    Files,
    Format,
    Mode,
    Published,
    Source,
    Stream,
    Topic,
    ValueFormat,
    is_separator,
)
from jobs.contract.stream.policies import Checks, EventTime, Limits, Thresholds, Upkeep

__all__ = [
    "Checks",
    "Delivery",
    "EventTime",
    "Files",
    "Format",
    "Limits",
    "Mode",
    "Published",
    "Source",
    "Stream",
    "Thresholds",
    "Topic",
    "Upkeep",
    "ValueFormat",
    "is_separator",
]
