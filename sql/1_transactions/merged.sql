-- One row per line of transactions.unmerged, with the customer whose identifier the source names.
SELECT
    l.period,
    l.order_id,
    l.line_id,
    COALESCE(i.customer_id, l.customer_id) AS customer_id,
    l.order_ts,
    l.product_id,
    l.quantity,
    l.unit_price,
    l.line_total,
    l.line_cost,
    l.is_return,
    l.extra
FROM transactions.unmerged AS l
LEFT JOIN landing.customer_ids AS i ON l.customer_id = i.source_id
