"""The networks and their updates. Nothing in here knows about text.

Reading order: cells (the equations), layer (the products and the loop over time), recurrent (layers
stacked), inputs, loss, model (all of these put together), then init, optim, parameters (one flat
vector with named views), and products and blas (what makes it fast).

Letters used throughout: T time steps, B batch, I input size, H hidden size, E embedding size,
V vocabulary, G gates, L layers, S states per cell, N characters (T*B). Sequences are (T, B, F).
State is a value: passed in, returned, never kept.
"""
