"""The batch path: runs of plain events merged together. Optional; the event path gives the same without it.

`batches` decides how many events to try together and what to do if some are refused; `templates` recognises events
that repeat but for their texts, so that they need no decoding. Which events a batch takes, and what they add to the
state, each dialect says in its own module (`reducer.dialects.contract.Batch`). Only `reducer.reducer` imports this
package.
"""

from reducer.fast.batches import BatchPath as BatchPath
