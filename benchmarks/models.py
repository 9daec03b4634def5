"""Measures the fit of the models: Laplace on any number of customers, and NUTS against pymc-marketing's own model.

    python benchmarks/models.py --customers 1_000_000 --only laplace
    python benchmarks/models.py --customers 20_000
    python benchmarks/models.py --customers 1_000_000 --only gradients

NUTS on a million raw rows takes an hour or so. What it costs is the number of gradients times the price of one, and
the number follows from the posterior: so `gradients` shows that both densities are the same function up to a constant,
prices one gradient of each, turn about in the same run, and adds a short chain of each from the same start.

Belongs here: simulated customers, timings, and whether both posteriors are the same. Does not belong here: whether the
fit is right (`clv_pipeline_tests/clv/`), or the pipeline around it (`measure.py`).
"""

import argparse
import resource
import sys
import time
import warnings
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import polars as pl

from clv_pipeline.clv.models import PARAMETERS, ModelFit, fit_models
from clv_pipeline.clv.models.likelihoods import compile_posterior, load_libraries
from clv_pipeline.clv.models.priors import resolve_priors
from clv_pipeline.clv.models.sampling import diagnose

type Floats = np.ndarray[Any, np.dtype[np.float64]]
type Density = Callable[[Floats], tuple[float, Floats]]

_SEED = 1
# CDNOW's customers, over two years of daily acquisitions.
_R, _ALPHA, _A, _B = 0.25, 4.5, 0.8, 2.5
_P, _Q, _GAMMA = 6.25, 3.75, 15.5
_DAYS = 730
_SETTINGS: dict[str, Any] = {"transactions": "bg_nbd", "priors": "default"}


def simulate_customers(size: int) -> pl.DataFrame:
    """Customers who buy as BG/NBD and spend as Gamma-Gamma say, in whole days and cents."""
    draw = np.random.default_rng(_SEED)
    rate, dropout = draw.gamma(_R, 1 / _ALPHA / 7, size), draw.beta(_A, _B, size)
    age = draw.integers(1, _DAYS, size, endpoint=True)
    now, last, frequency = np.zeros(size), np.zeros(size), np.zeros(size, np.int64)
    buying = np.arange(size)
    while buying.size:
        now[buying] += draw.exponential(1 / np.maximum(rate[buying], 1e-12))
        buying = buying[now[buying] <= age[buying]]
        day = np.ceil(now[buying])
        frequency[buying] += day > last[buying]
        last[buying] = day
        buying = buying[draw.random(buying.size) >= dropout[buying]]
    shape = np.maximum(_P * frequency, 1e-9)
    mean = draw.gamma(shape) / shape * _P * _GAMMA / draw.gamma(_Q, 1.0, size)
    return pl.DataFrame(
        {"frequency": frequency, "recency": last / 7, "T": age / 7, "mean": np.maximum(mean, 0.01)}
    ).select(
        pl.all().exclude("mean"),
        monetary_value=pl.when(pl.col("frequency") > 0).then(pl.col("mean").round(2)),
        spend=(pl.col("mean") * (pl.col("frequency") + 1)).round(2),
    )


def measure_laplace(customers: pl.DataFrame) -> None:
    """Seconds of both models with their draws, libraries imported, and the largest memory of the process so far."""
    begun = time.perf_counter()
    fit = fit_models(customers, **_SETTINGS, estimation="laplace")
    seconds = time.perf_counter() - begun
    # Kilobytes on Linux, bytes on a Mac.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**30 if sys.platform == "darwin" else 2**20)
    rows = fit.evaluation.filter(metric="distinct_rows")["value"].cast(pl.Int64).to_list()
    print(f"laplace  {customers.height:,} customers, {rows} distinct rows: {seconds:.1f} s, {peak:.2f} GB at most")


def measure_nuts(customers: pl.DataFrame, draws: int) -> None:
    """Seconds of NUTS on counted rows and of pymc-marketing's BetaGeoModel on one row per customer, same priors."""
    begun, worked = time.perf_counter(), _count_cpu()
    ours = fit_models(customers, **_SETTINGS, estimation="mcmc", draws=draws, tune=draws)
    seconds, work = time.perf_counter() - begun, _count_cpu() - worked
    print(f"nuts     both models on counted rows: {seconds:.1f} s, {work:.1f} s of CPU, {ours.doubts or 'converged'}")
    begun, worked = time.perf_counter(), _count_cpu()
    theirs = _sample_with_library(customers, draws)
    library, library_work = time.perf_counter() - begun, _count_cpu() - worked
    logs = np.log(np.stack([theirs[name] for name in PARAMETERS["bg_nbd"]], axis=-1))
    print(f"library  BG/NBD alone on raw rows: {library:.1f} s, {library_work:.1f} s of CPU, {diagnose(logs)}")
    print(
        f"ratio    {library / seconds:.1f}, of CPU {library_work / work:.1f} (the library samples no Gamma-Gamma here)"
    )
    for name in PARAMETERS["bg_nbd"]:
        found = _read_draws(ours, name)
        print(
            f"{name:8} {found.mean():.4f} +- {found.std():.4f}   {theirs[name].mean():.4f} +- {theirs[name].std():.4f}"
        )


def _count_cpu() -> float:
    """Seconds of this process and of those it waited for, since a loaded machine stretches the others."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(each.ru_utime + each.ru_stime for each in used)


def measure_gradients(customers: pl.DataFrame, evaluations: int, draws: int) -> None:
    """Whether both posteriors are the same function, seconds of a gradient of each, and a short chain of each."""
    names = PARAMETERS["bg_nbd"]
    rows = customers.group_by("frequency", "recency", "T").len().sort("frequency", "recency", "T")
    weeks = float(customers["T"].to_numpy().mean())
    data = (rows["frequency"], rows["recency"] / weeks, rows["T"] / weeks, rows["len"])
    columns = tuple(column.cast(pl.Float64).to_numpy() for column in data)
    evaluate = compile_posterior("bg_nbd", resolve_priors("bg_nbd", "default"), "NUMBA")
    scale = np.log([1.0, weeks, 1.0, 1.0])

    def ours(theta: Floats) -> tuple[float, Floats]:
        value, _, gradient = evaluate(theta - scale, *columns)
        return float(theta.sum() - value), 1.0 - gradient

    model = _build_library(customers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        function = model.model.logp_dlogp_function(ravel_inputs=True)
    function.set_extra_values({})
    order = [f"{name}_log__" for name in names]

    def theirs(theta: Floats) -> tuple[float, Floats]:
        place = dict(zip(order, theta, strict=True))
        raveled = np.array([place[variable.name] for variable in model.model.value_vars])
        value, gradient = function(raveled)
        found = {variable.name: part for variable, part in zip(model.model.value_vars, gradient, strict=True)}
        return float(value), np.array([found[name] for name in order])

    true = np.log([_R, _ALPHA, _A, _B])
    random = np.random.default_rng(_SEED)
    places = [true, *(true + random.normal(0, 0.1, len(names)) for _ in range(4))]
    both = [[density(place) for place in places] for density in (ours, theirs)]
    levels = np.array([[value for value, _ in values] for values in both])
    slopes = np.array([[gradient for _, gradient in values] for values in both])
    differences = np.diff(levels, axis=1)
    print(f"{customers.height:,} customers, {rows.height:,} distinct rows")
    print(
        f"densities are the same but for a constant, to {_differ(differences):.1e}; gradients, to {_differ(slopes):.1e}"
    )
    seconds: dict[str, list[float]] = {"ours": [], "library": []}
    for number in range(evaluations):
        place = places[number % len(places)] + 1e-6 * number
        for name, density in (("ours", ours), ("library", theirs)):
            begun = time.perf_counter()
            density(place)
            seconds[name].append(time.perf_counter() - begun)
    price = {name: float(np.median(found)) for name, found in seconds.items()}
    print(f"a gradient: ours {price['ours']:.4f} s, library {price['library']:.4f} s, ratio", end=" ")
    print(f"{price['library'] / price['ours']:.1f} (median of {evaluations}, turn about)")
    if draws:
        _measure_chains(ours, theirs, true, draws)


def _measure_chains(ours: Density, theirs: Density, start: Floats, draws: int) -> None:
    """A short chain on each density by the same sampler from the same start, with the gradients that it took."""
    nutpie, from_pyfunc = import_module("nutpie"), import_module("nutpie.compiled_pyfunc").from_pyfunc
    took: dict[str, tuple[float, int, Floats]] = {}
    for name, density in (("ours", ours), ("library", theirs)):
        count = 0

        def counted(place: Floats, density: Density = density) -> tuple[float, Floats]:
            nonlocal count
            count += 1
            return density(place)

        size = len(start)
        model = from_pyfunc(
            size,
            lambda counted=counted: counted,
            lambda *_: lambda place: {"theta": place},
            [np.dtype(np.float64)],
            [(size,)],
            ["theta"],
            make_initial_point_fn=lambda _seed: start,
        )
        begun = time.perf_counter()
        trace = nutpie.sample(model, draws=draws, tune=draws, chains=1, seed=_SEED, progress_bar=False)
        took[name] = time.perf_counter() - begun, count, np.asarray(trace.posterior["theta"])[0].mean(axis=0)
    for name, (seconds, count, mean) in took.items():
        print(f"{name:8} a chain of {draws} + {draws}: {seconds:.1f} s, {count} gradients, means {mean.round(3)}")
    print(f"ratio    {took['library'][0] / took['ours'][0]:.1f}")


def _differ(pair: Floats) -> float:
    return float(np.max(np.abs(pair[0] - pair[1]) / np.maximum(np.abs(pair[1]), 1e-6 * np.abs(pair).max())))


def _build_library(customers: pl.DataFrame) -> Any:
    """pymc-marketing's BG/NBD on one row per customer, with the priors that ours has in weeks."""
    library = import_module("pymc_marketing.clv")
    prior = import_module("pymc_extras.prior").Prior
    weeks = float(customers["T"].to_numpy().mean())
    modes = {"r": 0.5, "alpha": 0.5 * weeks, "a": 1.0, "b": 2.0}
    config = {name: prior("Gamma", alpha=1.5, beta=0.5 / mode) for name, mode in modes.items()}
    frame = customers.select("frequency", "recency", "T").with_row_index("customer_id").to_pandas()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = library.BetaGeoModel(model_config=config)
        model.build_model(frame)
    return model


def _sample_with_library(customers: pl.DataFrame, draws: int) -> dict[str, Any]:
    model = _build_library(customers)
    frame = customers.select("frequency", "recency", "T").with_row_index("customer_id").to_pandas()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(frame, method="mcmc", draws=draws, tune=draws, chains=4, random_seed=_SEED, progressbar=False)
    return {name: np.asarray(model.idata.posterior[name]) for name in PARAMETERS["bg_nbd"]}


def _read_draws(fit: ModelFit, parameter: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    return fit.draws.filter(model="bg_nbd", parameter=parameter)["value"].to_numpy()


def main() -> None:
    """Reads the size from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--customers", type=int, default=20_000)
    parser.add_argument("--draws", type=int, default=500, help="per chain of NUTS, after as many steps of tuning")
    parser.add_argument("--evaluations", type=int, default=20, help="of each gradient that is timed")
    parser.add_argument("--only", choices=["laplace", "nuts", "gradients"])
    chosen = parser.parse_args()
    customers = simulate_customers(chosen.customers)
    load_libraries()
    if chosen.only == "gradients":
        measure_gradients(customers, chosen.evaluations, chosen.draws)
        return
    if chosen.only != "nuts":
        measure_laplace(customers)
    if chosen.only != "laplace":
        measure_nuts(customers, chosen.draws)


if __name__ == "__main__":
    main()
