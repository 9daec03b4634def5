-- One row: the active customers of the window that ends at $as_of, and their averages.
SELECT
    as_of,
    window_start,
    window_end,
    window_complete,
    customers,
    orders,
    spend,
    profit,
    aof,
    aov,
    margin,
    spend_per_customer,
    profit_per_customer,
    returned_by_inactive
FROM lenses.window_headlines
WHERE window_number = 2
