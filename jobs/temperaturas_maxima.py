"""what temperaturas has published -> the maximum of each sensor and 5 minutes, once, when they are over
(course: IoT)."""

from jobs.core.run import main
from jobs.domain import iot

if __name__ == "__main__":
    main(schema=iot.SCHEMA, transform=iot.maximas)
