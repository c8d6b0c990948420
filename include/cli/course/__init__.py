"""The verbs of the course: lab, notebook and spark-ui."""
