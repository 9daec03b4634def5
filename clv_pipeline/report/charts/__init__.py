"""Charts: a frame in, a Vega-Lite specification out, all declared with Altair."""
