"""Text to ids to batches. Nothing here knows about networks.

Reading order: tokenizer and fold (characters outside its alphabet), corpus (texts as ids), loading
(files to a corpus), documents and formats (the registries of document kinds and file formats),
plain (plain text), split (training and validation) and hashing (of texts), batches (chunks for
truncated backpropagation through time), and spool (arrays that outgrow memory).

A text is read once, in blocks, and is never in memory as a whole.
"""
