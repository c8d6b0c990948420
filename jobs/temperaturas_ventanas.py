"""what temperaturas has published -> sliding windows of 15 minutes, each once, when it is over (course:
IoT)."""

from jobs.core.run import main
from jobs.domain import iot

if __name__ == "__main__":
    main(schema=iot.SCHEMA, transform=iot.ventanas)
