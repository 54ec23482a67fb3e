"""Training.

Reading order: train (a run in one call), trainer (the training loop), prepare (split and encode the
corpus), plan (a run before its first step), worker (one training step), comm (several processes:
shared memory and the sum of gradients), limits (when a run ends), state (reports and snapshots),
resume (the resume file), autoconfig (selected settings), diagnosis (early stopping, the verdict),
memory (the estimate).

If the limit is steps or epochs, a run's settings, corpus and number of shards determine its weights
bit for bit, interrupted or not.
"""
