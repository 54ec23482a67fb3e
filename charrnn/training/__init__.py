"""How a model is made.

Reading order: trainer (the loop that yields reports), prepare (a corpus made ready), plan (what a
run is), worker (one training step), comm (several processes: shared memory, a sum of gradients),
limits (when a run ends), state (what it reports and keeps), resume (the resume file), autoconfig
(settings nobody stated), diagnosis (how a run goes), memory (what it will take).

A run's settings, corpus and number of shards determine its weights bit for bit, whether or not it
was interrupted, where its limit is steps or epochs.
"""
