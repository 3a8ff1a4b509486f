"""Seeing what a run does, from outside: events on stderr, OpenTelemetry's traces and metrics, a file for Prometheus.

Every event is told once, by `spsetl.seeing.logs.log`, with figures and never with content: names of phases and windows,
counts, seconds, and the messages of our own errors. Where settings and environment ask for none of it, nothing of it
is done.
"""

from spsetl.seeing.form import configure, configure_early, is_told_as_events

__all__ = ["configure", "configure_early", "is_told_as_events"]
