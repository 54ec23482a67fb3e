"""Model and resume files: written atomically, verified when read, readable forever.

Reading order: checkpoint (model files), records (how a model was trained), container (the file
format and its checks), migrate (files of earlier formats), atomic (how a file is replaced), lock
(one run per model file), output (the files that a run writes).

A file on disk is always complete: the old version or the new one. Names, shapes and types are
checked before memory is allocated, and a SHA-256 digest before the data is used.
"""
