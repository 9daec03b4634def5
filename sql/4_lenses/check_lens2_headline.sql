-- Offending rows: the latest window of lens 2 is not the window of lens 1.
SELECT l.*, h.customers AS lens1_customers, h.orders AS lens1_orders, h.spend AS lens1_spend, h.profit AS lens1_profit
FROM staged_lenses_lens1_headline AS h
LEFT JOIN staged_lenses_lens2_headline AS l ON l.window_number = 2
WHERE
    l.customers IS NULL
    OR l.customers <> h.customers
    OR l.orders <> h.orders
    OR l.spend <> h.spend
    OR l.profit <> h.profit
    OR l.window_start <> h.window_start
