"""The embedded data set of the demo: logs, gold and recorded models of an invented help desk."""
