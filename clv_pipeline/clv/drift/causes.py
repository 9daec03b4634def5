"""The causes that a diagnosis may name, what people call them, and which of them a new fit takes in.

Belongs here: names and words. Does not belong here: how a cause is found (`diagnosis.py`), who is told (`alerts/`).
"""

CAUSES = {
    "missing_days": "Days are missing",
    "repeated_lines": "Lines are repeated",
    "currency_change": "Another currency or unit",
    "price_change": "Prices moved",
    "new_value": "A new value of a column",
    "worse_new_value": "A new value with worse customers",
    "purchase_rate": "Customers buy more or less often",
    "acquisition": "Acquisitions moved",
    "order_value": "The value of an order moved",
    "margin": "The margin moved",
    "volume": "The number of lines moved",
    "rejected_rows": "More rows are rejected",
    "late_delivery": "More rows come late",
    "time_zone": "A clock or time zone moved",
    "ordering_hours": "Customers order at other hours",
    "missing_values": "Values are missing",
    "category_mix": "A column has other shares",
    "customers_changed": "Customers changed",
    "scores_changed": "Scores changed without their customers",
    "model_outdated": "Customers differ from those of the model",
    "forecast_off": "Forecasts miss as they did not before",
}
# What a new fit takes in; the others are deliveries that went wrong, or no matter of the models.
LEARNED = frozenset(
    (
        "price_change",
        "order_value",
        "purchase_rate",
        "worse_new_value",
        "customers_changed",
        "model_outdated",
        "forecast_off",
    )
)
