"""Every branch of the rule that picks the version in use, decided by hand."""

from dataclasses import replace

import pytest

from clv_pipeline.clv.models.promotion import Decision, Rule, Version, decide

NEW = Version("new", "2024-03", "bg_nbd", asked="now")
BEFORE = Version("before", "2024-02", "bg_nbd", asked="now")
USED = Version("used", "2024-03", "bg_nbd", asked="now")
OTHER = replace(BEFORE, model="pareto_nbd")
EARLIER_SETTINGS = replace(USED, model="pareto_nbd", asked="then")
WORSE, EQUAL_ENOUGH = {"bg_nbd": 1.03, "pareto_nbd": 1.0}, {"bg_nbd": 1.02, "pareto_nbd": 1.0}
NEVER, ALWAYS = Rule("never"), Rule("always")


def pick(
    challenger: Version = NEW,
    before: Version | None = BEFORE,
    used: Version | None = None,
    *,
    pinned: str | None = None,
    criteria: dict[str, float] | None = None,
    rule: Rule | None = None,
    has_later: bool = False,
) -> Decision:
    return decide(
        challenger,
        before=before,
        used=used,
        pinned=pinned,
        criteria=criteria or {},
        rule=rule or Rule(),
        has_later=has_later,
    )


@pytest.mark.parametrize(
    ("decision", "version", "kind", "reason"),
    [
        (pick(before=None), "new", "first", "No version was in use before"),
        (pick(replace(NEW, doubt="it did not converge"), before=None), "new", "first", "though it did not converge"),
        (pick(), "new", "promoted", "same model, BG/NBD"),
        (pick(replace(NEW, doubt="it did not converge")), "before", "kept", "did not converge"),
        (pick(before=OTHER, criteria=EQUAL_ENOUGH), "new", "promoted", "Not worse by more than 2%"),
        (pick(before=OTHER, criteria=WORSE), "before", "kept", "worse by more than 2%"),
        (pick(before=OTHER, criteria={"bg_nbd": 9.0}), "new", "promoted", "could not compare"),
        (pick(before=OTHER, criteria=WORSE, rule=ALWAYS), "new", "promoted", "'always'"),
        (pick(replace(NEW, doubt="it did not converge"), rule=ALWAYS), "before", "kept", "did not converge"),
        (pick(rule=NEVER), "before", "kept", "'never'"),
        (pick(before=None, rule=NEVER), "new", "first", "No version"),
        (pick(pinned="chosen", rule=NEVER), "chosen", "pinned", "clv promote"),
        (pick(before=None, pinned="chosen"), "chosen", "pinned", "clv promote"),
    ],
)
def test_the_rule_decides(decision: Decision, version: str, kind: str, reason: str) -> None:
    assert (decision.version, decision.decision) == (version, kind)
    assert reason in decision.reason


@pytest.mark.parametrize("rule", [Rule(), NEVER, ALWAYS])
@pytest.mark.parametrize("has_later", [True, False])
@pytest.mark.parametrize("before", [None, BEFORE, OTHER])
def test_with_the_same_settings_history_makes_no_difference(
    rule: Rule, has_later: bool, before: Version | None
) -> None:
    for doubt in ("", "it did not converge"):
        new = replace(NEW, doubt=doubt)
        again = pick(new, before, USED, criteria=WORSE, rule=rule, has_later=has_later)
        assert again == pick(new, before, criteria=WORSE, rule=rule)


def test_with_other_settings_an_old_month_keeps_what_it_used_and_the_latest_compares() -> None:
    for rule in (Rule(), ALWAYS, NEVER):
        assert pick(used=EARLIER_SETTINGS, rule=rule, has_later=True).version == "used"
    assert pick(used=EARLIER_SETTINGS, criteria=WORSE).version == "used"
    assert pick(used=EARLIER_SETTINGS, criteria=EQUAL_ENOUGH).version == "new"
    assert pick(before=None, used=EARLIER_SETTINGS, rule=NEVER).version == "used"
    assert pick(used=EARLIER_SETTINGS, pinned="chosen", has_later=True).version == "chosen"
