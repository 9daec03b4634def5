"""What Dagster loads: the pipeline for the configuration of this process (`$CLV_CONFIG`, else `clv.toml` here).

Belongs here: nothing but `defs`. The table of contents is `assembly.py`, the steps in order are in `pipeline.py`.
"""

import gc

# What an import makes stays: looking through it for circles again and again takes a tenth of the time.
gc.disable()
try:
    from clv_pipeline.assembly import build_definitions
    from clv_pipeline.settings import load_settings

    defs = build_definitions(load_settings())
finally:
    gc.enable()
