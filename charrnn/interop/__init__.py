"""Models in other programs: exported as a web page or to ONNX, and imported from PyTorch.

Reading order: formats (the registry of formats, by suffix), export (a model to a file), page (the
web page, whose parts are in web/), weights (as bytes), onnx (the ONNX graph), pytorch (a state dict
to a model). No other package but cli knows these.

A model is exported as a whole or not at all, and whatever stands in the way is found before any
work. Deleting this package leaves a working charrnn.
"""
