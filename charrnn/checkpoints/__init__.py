"""Model and resume files: written atomically, verified when read, readable forever.

Reading order: checkpoint (a model file), records (what it says about its training), container (how
a file is built and checked), atomic (how it replaces an old one), lock (one run per model file),
output (the files that a run writes).

What is on disk is the old file or the new one. Names, shapes and types are checked before anything
is allocated, and a SHA-256 checksum before anything is used.
"""
