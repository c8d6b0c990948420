"""What a row of the registry may contain. The values are frozen, and checked when they are constructed."""

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
