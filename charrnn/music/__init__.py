"""Read, write, compose, measure, draw and play tunes. Only cli imports this package.

Reading order:

- tune: what a tune is. transpose: tunes in other keys.
- abc_parser, with abc_sources, abc_fields and abc_repeats: ABC notation to tunes.
- abc_writer: tunes to ABC notation. abc_book: tunes with all that people wrote.
- midi_io: MIDI files. transcription, quantise and repeats: from performed times to written bars.
- mxl, musicxml_files and musicxml: MusicXML files, unpacked, checked, and read or written.
- repair: bars that do not add up.
- formats: files of tunes, by suffix. dataset: tunes to the text that a model learns from.
- grammar: which characters keep a tune valid. repetition: a preference for bars that return.
- prompt: the beginning of a tune. compose: new tunes. infill: rewrites bars of a tune.
- metrics: figures of tunes, and copies.
- layout, with piano_roll and sheet_music: drawings. performance: when notes sound and how loud.
  harmony: chords. synth: sound. facts: what a page says about a tune. page: the HTML page.
- writers: tunes to files, by suffix. folder: files of several tunes, and their page.

Reading a file that charrnn wrote, ABC or MIDI, gives the same music. The same model, seed and
options give the same tunes. Deleting this package leaves a working charrnn for text.
"""
