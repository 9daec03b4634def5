-- Offending rows: the value deciles do not sum to the headline, or a profit has none, or a loss has some.
WITH deciles AS (
    SELECT
        COALESCE(SUM(customers), 0) AS customers,
        COALESCE(SUM(orders), 0) AS orders,
        COALESCE(SUM(spend), 0) AS spend,
        COALESCE(SUM(profit), 0) AS profit
    FROM staged_lenses_lens1_value_deciles
)

SELECT d.*, h.customers AS headline_customers, h.orders AS headline_orders, h.spend AS headline_spend, h.profit AS headline_profit
FROM deciles AS d
CROSS JOIN staged_lenses_lens1_headline AS h
WHERE
    CASE
        WHEN h.profit > 0
            THEN d.customers <> h.customers OR d.orders <> h.orders OR d.spend <> h.spend OR d.profit <> h.profit
        ELSE d.customers <> 0
    END
