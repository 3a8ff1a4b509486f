"""The `q` of the appliance, a Lucene expression, as a condition in SQL over the sessions of the copy.

sql/Q.md tells what is understood, what is refused, and what differs from the appliance.
"""

from spsetl.analysis.lucene.compiler import compile_query
from spsetl.analysis.lucene.condition import Condition
from spsetl.analysis.lucene.content import content_condition, content_notice, notices

__all__ = ["Condition", "compile_query", "content_condition", "content_notice", "notices"]
