"""Has anything moved: the data, the deliveries, the predictions, or how well these come true?

Frames in, frames out. SciPy's statistics are imported when there is something to compare.
"""
