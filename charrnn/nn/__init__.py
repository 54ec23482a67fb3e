"""The networks and their updates. Nothing in here knows about text.

Reading order: cells (the equations), recurrent (the loop over time), embedding, loss, model (all of
these put together), then init, optim, and parameters (one flat vector with named views).

Letters used throughout: T time steps, B batch, I input size, H hidden size, E embedding size,
V vocabulary, G gates, L layers, S states per cell. Sequences are feature-major: (T, features, B).
State is a value: passed in, returned, never kept.
"""
