"""The `q` of the appliance, a Lucene expression, as a condition in SQL over the sessions of the copy.

Words match a whole value, whatever the case: `user.name:kovacs`. `*` and `?` stand for any letters and for one; in
quotes they are letters. A word without a field matches a value of any field that the appliance lists. Words side by
side are alternatives, as in the guide's `protocol:(ssh rdp)`; `+` is a must, `-` and `NOT` exclude. `field:*` and
`_exists_:field` ask for any value. Ranges are of numbers, times or text: `[a TO b]` with its ends, `{a TO b}` without,
`>=a`. Times are UTC unless they say otherwise; a date means its whole day.
"""

from spsetl.analysis.lucene.compiler import compile_query
from spsetl.analysis.lucene.condition import Condition
from spsetl.analysis.lucene.content import content_condition, content_notice, notices

__all__ = ["Condition", "compile_query", "content_condition", "content_notice", "notices"]
