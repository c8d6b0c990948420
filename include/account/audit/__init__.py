"""The audit: counts everything again from files, manifests, checkpoint and topics."""
