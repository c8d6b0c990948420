"""The exactly-once Kafka sink: one Kafka transaction for each task and batch."""
