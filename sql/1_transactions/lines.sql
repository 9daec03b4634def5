-- One row per line that counts, in its current state. Without a line id of the source, lines are numbered within
-- their order by content, so that the number does not depend on how or when they were delivered.
SELECT
    period,
    order_id,
    COALESCE(
        line_id,
        order_id || '-' || CAST(ROW_NUMBER() OVER (PARTITION BY period, order_id ORDER BY order_ts, content) AS VARCHAR)
    ) AS line_id,
    customer_id, order_ts, product_id, quantity, unit_price, line_total, line_cost, is_return, extra
FROM transactions.judged
WHERE fate = 'kept'
