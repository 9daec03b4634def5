"""`clv models`, `clv promote`, `clv rollback`: which fitted versions there are, and which one is used.

Belongs here: arguments and layout. Does not belong here: where versions and choices are kept (`model_store.py`,
`pins.py`), or the rule that picks one when nobody does (`clv/models/promotion.py`).
"""

from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table as Grid

from clv_pipeline.cli.options import Config, check_month, console, read_settings

if TYPE_CHECKING:
    from clv_pipeline.model_store import StoredVersion
    from clv_pipeline.pins import Pin
    from clv_pipeline.settings import Settings
    from clv_pipeline.state import State

_AUTO = "auto"
_IN_USE = "models.in_use"
_WIDE = 110
_CARD = "Print the card of this version (the beginning of its name will do)."
From = Annotated[
    str | None, typer.Option("--from", help="First as-of month YYYY-MM that it is for; default: the latest.")
]


def models(
    card: Annotated[str | None, typer.Option("--card", metavar="VERSION", help=_CARD)] = None, config: Config = None
) -> None:
    """Lists the fitted versions, and the as-of months that each is in use for."""
    from clv_pipeline.model_store import find_version, list_versions  # noqa: PLC0415

    state = _open(read_settings(config))
    if card is not None:
        console.print(find_version(state.lake, card).card, markup=False, soft_wrap=True, end="")
        return
    versions = list_versions(state.lake)
    if not versions:
        console.print("no version has been fitted yet; `clv run` fits one")
        return
    console.print(_lay_out(state, versions))


def promote(
    version: Annotated[str, typer.Argument(metavar="VERSION|auto", help="Version to use; auto: as the rule says.")],
    since: From = None,
    config: Config = None,
) -> None:
    """Uses a version from an as-of month on, until another is promoted; auto goes back to the rule."""
    from clv_pipeline.model_store import VersionError, find_version  # noqa: PLC0415
    from clv_pipeline.pins import find_pin  # noqa: PLC0415

    state = _open(read_settings(config))
    month = check_month(since) or _find_latest(state)
    if version != _AUTO:
        stored = find_version(state.lake, version)
        if stored.facts["as_of"] > month:
            console.print(f"[yellow]note:[/] {stored.name} was fitted to data after {month}")
        _choose(state, month, stored.name, "promoted")
        return
    pin = find_pin(state.lake, month)
    if pin is None or pin.version is None:
        raise VersionError(f"no version is pinned for {month}; `clv models` shows what is, and from when")
    _choose(state, month, None, "left to the rule")


def rollback(config: Config = None) -> None:
    """Goes back to the version that was in use before, from the latest as-of month on."""
    from clv_pipeline.model_store import VersionError, find_version  # noqa: PLC0415
    from clv_pipeline.pins import find_pin  # noqa: PLC0415

    state = _open(read_settings(config))
    month = _find_latest(state)
    pin = find_pin(state.lake, month)
    now = _find_current(state, month, pin)
    stamps = sorted(state.stamps(_IN_USE).items(), reverse=True)
    others = (stamp.facts.get("version") for _, stamp in stamps if stamp.facts.get("version") != now)
    before = pin.replaced if pin and pin.version else next(others, None)
    if before is None:
        raise VersionError(f"no other version was in use before {now}; `clv models` lists what `clv promote` can take")
    _choose(state, month, find_version(state.lake, before).name, "rolled back")


def _open(settings: "Settings") -> "State":
    from clv_pipeline.lake import Lake  # noqa: PLC0415
    from clv_pipeline.state import State  # noqa: PLC0415

    return State(Lake(settings.home, settings.engine), settings)


def _find_latest(state: "State") -> str:
    from clv_pipeline.model_store import VersionError  # noqa: PLC0415

    if months := state.stamps(_IN_USE):
        return max(months)
    raise VersionError("no version is in use yet; run `clv run` first")


def _find_current(state: "State", month: str, pin: "Pin | None") -> str | None:
    """The version that `month` uses, or will once it has been run again."""
    if pin and pin.version:
        return pin.version
    until = [as_of for as_of in state.stamps(_IN_USE) if as_of <= month]
    return state.stamps(_IN_USE)[max(until)].facts.get("version") if until else None


def _choose(state: "State", month: str, version: str | None, how: str) -> None:
    from clv_pipeline.pins import Pin, add_pin, find_pin  # noqa: PLC0415

    state.lake.prepare()
    latest = max(month, *state.stamps(_IN_USE))
    replaced = _find_current(state, latest, find_pin(state.lake, latest))
    add_pin(state.lake, Pin(month, version, replaced, how))
    console.print(f"{month} and later: {version or 'the version that the rule picks'} ({how})", soft_wrap=True)
    if (months := state.periods) and month not in months:
        console.print(
            f"[yellow]note:[/] there are no data of {month}; they go from {months[0]} to {months[-1]}", soft_wrap=True
        )
    later = sorted(as_of for as_of in state.stamps(_IN_USE) if as_of >= month)
    if stale := [as_of for as_of in later if version is None or _use(state, as_of) != version]:
        console.print(f"stale: {', '.join(stale)}; `clv run` brings them up to date", soft_wrap=True)


def _use(state: "State", month: str) -> str | None:
    return state.stamps(_IN_USE)[month].facts.get("version")


def _lay_out(state: "State", versions: "list[StoredVersion]") -> Grid:
    from clv_pipeline.periods import group_ranges  # noqa: PLC0415
    from clv_pipeline.pins import find_pinned  # noqa: PLC0415

    used: dict[str, list[str]] = {}
    for month in state.stamps(_IN_USE):
        used.setdefault(_use(state, month) or "", []).append(month)
    pinned = find_pinned(state.lake)
    shown = ("version", *(("as-of", "model") if console.width >= _WIDE else ()), "estimation", "fitted (UTC)")
    grid = Grid(box=None, header_style="bold", pad_edge=False)
    for name in (*shown, "backtest", "in use for", "pinned from"):
        grid.add_column(name, no_wrap=name == "version", overflow="fold")
    for version in versions:
        facts = version.facts
        criteria = {row["model"]: f"{row['criterion']} {row['value']:.3f}" for row in facts["backtest"]}
        cells = {
            "version": escape(version.name),
            "as-of": facts["as_of"],
            "model": facts["model"],
            "estimation": facts["estimation"] + ("" if facts["converged"] else ", not converged"),
            "fitted (UTC)": facts["fitted_at"][:16].replace("T", " "),
        }
        ranges = [f if f == t else f"{f} to {t}" for f, t in group_ranges(used.get(version.name, []))]
        pins = [first + (f" to {last}" if last else "") for first, last, name in pinned if name == version.name]
        criterion = criteria.get(facts["model"], "-")
        grid.add_row(*(cells[name] for name in shown), criterion, ", ".join(ranges), ", ".join(pins))
    return grid
