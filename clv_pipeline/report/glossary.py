"""The words a reader may not know, in one sentence each, and the filter that puts them behind the text.

Belongs here: definitions. Does not belong here: anything computed.
"""

import re

from markupsafe import Markup, escape

DEFINITIONS: dict[str, str] = {
    "active": "With at least one order in the period or window.",
    "AOF": "Average order frequency: orders divided by active customers.",
    "AOV": "Average order value: spend divided by orders.",
    "as-of": "Everything up to the end of this month is known, nothing after it.",
    "bridge": "The steps that lead from the profit of one window to that of the next; they add up exactly.",
    "carry-over": "This period's profit from customers acquired before it, divided by all profit of the period before.",
    "CLV": "Customer lifetime value: the expected profit of a customer's future orders over the horizon, discounted to "
    "today. What was spent before is not in it.",
    "cohort": "The customers acquired in the same month, quarter or year.",
    "behavioural cohort": "The customers who share a value of a column (channel, region, first product), whenever they "
    "were acquired.",
    "customer decile": "A tenth of the customers, ranked by profit: decile 1 holds the most profitable tenth.",
    "value decile": "A tenth of the profit, the best customers first: few customers in decile 1, many in decile 10.",
    "repeat-buying rate": "Of the customers active in a period, the share that is active in the next one too.",
    "second order": "The order that comes second in time after acquisition by an order; it may fall on the same day.",
    "score decile": "A tenth of the scored customers, ranked by CLV: decile 1 has the highest.",
    "frequency": "In the models: days with a purchase after the first one (repeat purchases).",
    "recency": "In the models: weeks from a customer's first to the last purchase.",
    "T": "Weeks from a customer's first purchase to the as-of date.",
    "margin": "Profit divided by spend.",
    "New": "Acquired within the latest window.",
    "Returning": "Bought in the latest window, not in the one before, but was acquired earlier.",
    "P(alive)": "The probability that the customer is still active as a buyer, given the purchases so far.",
    "expected purchases": "Purchases expected over the horizon. The chance of having gone inactive is already in it.",
    "expected spend": "Expected amount of an order; with few orders it lies close to the average of all customers.",
    "BG/NBD": "A model of repeat buying: customers buy at their own steady rate and, after any repeat purchase, may go "
    "inactive for good.",
    "MBG/NBD": "BG/NBD in which a customer may also go inactive right after the first purchase.",
    "Pareto/NBD": "A model of repeat buying: customers buy at their own steady rate and may go inactive at any time.",
    "Gamma-Gamma": "A model of the amount per order: customers differ around a common average.",
    "NBD": "A model of repeat buying in which nobody ever goes inactive.",
    "origin": "The month at whose end a forecast was made, to be held against what happened after it.",
    "Gini": "How well a forecast sorts customers by what they then do: 1 as well as hindsight, 0 not at all.",
    "holdout": "The last stretch of the data, kept from the model while fitting, then used to check its forecast.",
    "MAE": "Mean absolute error: how far the forecast is off for an average customer.",
    "RMSE": "Root mean squared error: like MAE, with large misses weighing more.",
    "PSI": "Population stability index: how different two distributions are; below 0.1 hardly, above 0.25 clearly.",
    "KS": "Kolmogorov-Smirnov statistic: the largest gap between two cumulative distributions, from 0 to 1.",
    "RFM": "A description of customers by recency, frequency and monetary value of their purchases.",
    "quarantine": "Delivered lines that cannot be used as they are: set aside with a reason, in no figure here.",
    "line": "One row of a delivery: usually a product in an order.",
    "likely range": "What the customer will really bring lies in it with 80% probability, if the model is right.",
}

_TERMS = sorted(DEFINITIONS, key=len, reverse=True)
_PATTERN = re.compile(
    r"(?<![\w/&;-])(" + "|".join(f"[{t[0]}{t[0].upper()}]" + re.escape(t[1:]) for t in _TERMS) + r")(?![\w/])"
)
_BY_SPELLING = {spelling: term for term in _TERMS for spelling in (term, term[0].upper() + term[1:])}


def define(text: str, seen: set[str] | None = None) -> Markup:
    """`text` escaped, with defined terms as abbreviations that show their definition.

    A minus sign stays on the line of its number. Each term is annotated once: those in `seen` are left as they are,
    and `seen` grows by those annotated here.
    """
    seen = set() if seen is None else seen

    def annotate(match: re.Match[str]) -> str:
        text = match.group(1)
        term = _BY_SPELLING[text]
        if term in seen:
            return text
        seen.add(term)
        return f'<abbr title="{escape(DEFINITIONS[term])}">{text}</abbr>'

    return Markup(_PATTERN.sub(annotate, str(escape(text)).replace("−", "−\u2060")))


def find_terms(texts: list[str]) -> list[tuple[str, str]]:
    """The defined terms in `texts` with their definitions, in alphabetical order."""
    found = {_BY_SPELLING[match] for text in texts for match in _PATTERN.findall(text)}
    return sorted(((term, DEFINITIONS[term]) for term in found), key=lambda pair: pair[0].lower())
