"""The audit: everything counted again from files, manifests, checkpoint and topics."""
