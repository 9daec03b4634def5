"""Champion and challenger: which fitted version the scores of an as-of month are made from.

Belongs here: the rule, as a function of what is known. Does not belong here: where versions and pins are kept
(`model_store.py`), what is published of the decision (`stages/champion.py`).
"""

from collections.abc import Mapping
from dataclasses import dataclass

FIRST, PROMOTED, KEPT, PINNED, REUSED = "first", "promoted", "kept", "pinned", "reused"
DECISIONS = (FIRST, PROMOTED, KEPT, PINNED, REUSED)
NAMES = {"bg_nbd": "BG/NBD", "mbg_nbd": "MBG/NBD", "pareto_nbd": "Pareto/NBD", "nbd": "NBD"}


@dataclass(frozen=True)
class Version:
    """A version that may be used: its purchase model, a hash of the settings it was asked for with, any doubt."""

    version: str
    fitted_as_of: str
    model: str
    asked: str
    doubt: str = ""


@dataclass(frozen=True)
class Decision:
    """The version that is used, how it came to that (one of DECISIONS), and why, in a sentence.

    `refused`: a new fit was held against the version in use and not taken.
    """

    version: str
    decision: str
    reason: str
    refused: bool = False


@dataclass(frozen=True)
class Rule:
    """`promote`: not_worse, always or never; `tolerance` is the share by which a criterion may be worse."""

    promote: str = "not_worse"
    tolerance: float = 0.02


def decide(
    challenger: Version,
    *,
    before: Version | None,
    used: Version | None,
    pinned: str | None,
    criteria: Mapping[str, float],
    rule: Rule,
    has_later: bool,
    no_fit: str | None = None,
) -> Decision:
    """Chooses between the latest fit and the version in use.

    `challenger`: the latest fit up to this as-of month, with the settings of now. `before`: the version in use at the
    latest earlier as-of month. `used`: the version that this month was published with, None for the first time.
    `pinned`: a version that somebody chose for this month. `criteria`: what the backtest of this month gives each
    purchase model, lower is better. `has_later`: a later as-of month exists, so that this one is being run again.
    `no_fit`: why this month has no fit of its own, None where it has: a challenger gets one turn.

    With the same settings, what was published before makes no difference: late data give what a rebuild gives. With
    others, a month that is run again keeps what it used, and the latest puts what it used against the challenger.
    """
    if pinned:
        return Decision(pinned, PINNED, "Chosen by hand: `clv promote` or `clv rollback`.")
    champion = used if used and used.asked != challenger.asked else before
    if champion is None:
        doubt = f" There is no other, though {challenger.doubt}." if challenger.doubt else ""
        return Decision(challenger.version, FIRST, f"No version was in use before.{doubt}")
    if no_fit and champion is before and champion.asked == challenger.asked:
        return Decision(champion.version, REUSED, no_fit)
    if reason := _find_objection(challenger, rule, is_rerun=champion is used and has_later):
        return Decision(champion.version, KEPT, reason, refused=bool(challenger.doubt))
    if rule.promote == "always":
        return Decision(challenger.version, PROMOTED, "models.promote is 'always'.")
    return _compare(challenger, champion, criteria, rule.tolerance)


def _find_objection(challenger: Version, rule: Rule, *, is_rerun: bool) -> str | None:
    """Why the challenger is not taken whatever the backtest says."""
    if is_rerun:
        return "This month is run again with other settings of its models, and keeps what it was scored with."
    if rule.promote == "never":
        return "models.promote is 'never': only `clv promote` takes another version."
    return f"{challenger.version} is not taken: {challenger.doubt}." if challenger.doubt else None


def _compare(challenger: Version, champion: Version, criteria: Mapping[str, float], tolerance: float) -> Decision:
    new, old = (NAMES.get(it.model, it.model) for it in (challenger, champion))
    if challenger.model == champion.model:
        return Decision(challenger.version, PROMOTED, f"The same model, {new}, fitted to what is known by now.")
    if challenger.model not in criteria or champion.model not in criteria:
        reason = f"{new} instead of {old}, as configured: the backtest could not compare them."
        return Decision(challenger.version, PROMOTED, reason)
    value, limit = criteria[challenger.model], criteria[champion.model] * (1 + tolerance)
    compared = (
        f"in the backtest {new} is off by {value:.3f} purchases a customer, {old} by {criteria[champion.model]:.3f}"
    )
    if value <= limit:
        return Decision(challenger.version, PROMOTED, f"Not worse by more than {tolerance:.0%}: {compared}.")
    reason = f"{challenger.version} is worse by more than {tolerance:.0%}: {compared}."
    return Decision(champion.version, KEPT, reason, refused=True)
