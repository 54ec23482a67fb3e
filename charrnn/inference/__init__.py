"""What a trained model does: predict, generate, and adapt.

Reading order: evaluate (the loss on a text), sampling (temperature, one character at a time),
filters (top-k, top-p, min-p), documents (distinct and new ones), constraint (what may come next),
dynamic (adapting while reading).

The same model, seed and options give the same text. Nothing here changes a model.
"""
