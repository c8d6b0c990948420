"""The state of a stream on disk: lease, generations, journal, deliveries."""
