"""Models in other programs: exported as a web page. No other package but cli knows these.

Reading order: formats (the registry of formats, by suffix), export (a model to a file), page (the
web page).

A model is exported as a whole or not at all, and whatever stands in the way is found before any
work. Deleting this package leaves a working charrnn.
"""
