"""The Pareto/NBD log-likelihood with a gradient, against the library's own."""

from importlib import import_module
from typing import Any

import numpy as np
import pytest

from clv_pipeline.clv.models.likelihoods import compile_posterior, load_libraries

pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.mark.parametrize("size", [1.0, 3.0])
def test_value_is_the_librarys_and_the_gradient_its_slope(size: float) -> None:
    """At parameters from exp(-size) to exp(size), on either side of alpha = beta, on ages and counts far apart."""
    load_libraries()
    library: Any = import_module("pymc_marketing.clv.distributions")
    pm: Any = import_module("pymc")
    generator = np.random.default_rng(int(size))
    T = np.append(generator.uniform(0.02, 2, 60), 1.0)
    x = np.append(generator.choice([0.0, 0, 1, 2, 7, 40], 60), 3.0)
    t_x = np.where(x > 0, T * np.append(generator.uniform(0.3, 1, 60), 1.0), 0.0)
    counts = generator.integers(1, 9, 61).astype(float)
    rows = np.stack([t_x, x], axis=-1)
    evaluate = compile_posterior("pareto_nbd", None)
    for theta in generator.uniform(-size, size, (12, 4)):
        r, alpha, s, beta = np.exp(theta)
        theirs = pm.logp(library.ParetoNBD.dist(r=r, alpha=alpha, s=s, beta=beta, T=T), rows).eval(mode="FAST_COMPILE")
        value, likelihood, gradient = evaluate(theta, x, t_x, T, counts)
        steps = np.eye(4) * 1e-5
        slope = [
            (evaluate(theta + it, x, t_x, T, counts)[0] - evaluate(theta - it, x, t_x, T, counts)[0]) for it in steps
        ]

        assert float(likelihood) == pytest.approx(float(theirs @ counts), rel=1e-9)
        assert value == -likelihood
        assert gradient == pytest.approx(np.array(slope) / 2e-5, rel=1e-5, abs=1e-5)
