-- One row per month of first order: customers who may be shown, and those of them that were acquired before $data_start.
SELECT
    STRFTIME(first_order, '%Y-%m') AS first_month,
    COUNT(*) AS customers,
    COUNT(*) FILTER (WHERE acquired_before_data) AS acquired_before
FROM marts.customers
WHERE customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
GROUP BY 1
ORDER BY 1
