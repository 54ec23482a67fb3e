"""The networks: cells, look-up, softmax, and the loop over time. Nothing in here knows of text.

Letters used throughout: T time steps, B batch, I input size, H hidden size, E embedding size,
V vocabulary, G gates, L layers, S states per cell. Sequences are feature-major: (T, features, B).
"""
