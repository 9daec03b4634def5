"""What all customers of a synthetic company share: its scenario, its catalogue, the clock of each city.

Belongs here: building the three, once. Does not belong here: what differs between customers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clv_pipeline.clv.synthetic.catalogue import Catalogue, draw_catalogue
from clv_pipeline.clv.synthetic.clock import Clock, build_clocks
from clv_pipeline.clv.synthetic.scenario import Scenario


@dataclass(frozen=True)
class World:
    """The company before it has a customer."""

    scenario: Scenario
    catalogue: Catalogue
    clocks: Sequence[Clock]

    @property
    def end(self) -> float:
        """The hour at which the data end and the horizon begins."""
        return (self.scenario.end - self.scenario.start).days * 24.0

    @property
    def last_hour(self) -> float:
        """The hour at which the horizon ends."""
        return self.clocks[0].last_hour

    def leave_out(self, promotion: str) -> "World":
        """The same company without one of its promotions."""
        return World(self.scenario, self.catalogue, build_clocks(self.scenario, self.catalogue, without=promotion))


def build_world(scenario: Scenario) -> World:
    """The company of a scenario; its catalogue depends on the seed."""
    catalogue = draw_catalogue(scenario.basket, np.random.default_rng(scenario.seed))
    return World(scenario, catalogue, build_clocks(scenario, catalogue))
