"""readings that temperaturas has published -> maximum of each 5 minutes and sensor, once, when they are over
(course: IoT)."""

from jobs.core.run import main
from jobs.domain import iot

if __name__ == "__main__":
    main(schema=iot.SCHEMA, transform=iot.maximas)
