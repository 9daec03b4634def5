"""Companies that do not exist: customers with known rates and dropout, their orders, and what is true of them.

Frames out of a scenario, block by block; a file is read or written elsewhere (`generation.py`).
"""

from clv_pipeline.clv.synthetic.blocks import Block, count_blocks, generate_blocks
from clv_pipeline.clv.synthetic.scenario import Scenario, ScenarioError, parse_scenario
from clv_pipeline.clv.synthetic.validation import Validation, ValidationError

__all__ = [
    "Block",
    "Scenario",
    "ScenarioError",
    "Validation",
    "ValidationError",
    "count_blocks",
    "generate_blocks",
    "parse_scenario",
]
