"""The bare queries that the marts and RFM are measured against: the same tables, without contracts or partitions.

Belongs here: their text. Does not belong here: running or timing them (`measure.py`).
"""

MARGIN = "0.30"

ORDERS = f"""
SELECT period, order_id, customer_id, min(order_ts) AS order_ts, sum(line_total) AS spend,
       sum(coalesce(line_total - line_cost, round(line_total * {MARGIN}, 2))) AS profit,
       sum(quantity) AS quantity, count(DISTINCT product_id) AS products, count(*) AS lines
FROM lines GROUP BY ALL
"""
CUSTOMER_MONTHS = """
SELECT period, customer_id, count(*) AS orders, sum(spend) AS spend, sum(profit) AS profit,
       sum(quantity) AS quantity, count(DISTINCT order_ts::DATE) AS order_days,
       min(order_ts) AS first_order, max(order_ts) AS last_order,
       sum(spend) FILTER (order_ts::DATE = first_day) AS first_day_spend
FROM (SELECT *, min(order_ts::DATE) OVER (PARTITION BY period, customer_id) AS first_day FROM orders)
WHERE customer_id IS NOT NULL GROUP BY ALL
"""
MONTHS = """
SELECT period, sum(lines) AS lines, count(*) AS orders, count(DISTINCT customer_id) AS customers,
       sum(spend) AS spend, sum(profit) AS profit
FROM orders GROUP BY period
"""
CUSTOMERS = """
SELECT customer_id, min(first_order) AS acquisition_ts, max(last_order) AS last_order
FROM customer_months GROUP BY customer_id
"""
RFM = """
WITH totals AS (
    SELECT customer_id, sum(order_days)::BIGINT - 1 AS frequency, min(first_order) AS first_order,
           max(last_order) AS last_order, sum(orders) AS orders, sum(spend) AS spend, sum(profit) AS profit,
           min_by(first_day_spend, period) AS first_day_spend
    FROM customer_months GROUP BY customer_id
)
SELECT *, date_diff('day', first_order::DATE, last_order::DATE) / 7.0 AS recency,
       date_diff('day', first_order::DATE, (SELECT max(last_order)::DATE FROM totals)) / 7.0 AS T,
       CASE WHEN frequency > 0 THEN (spend - first_day_spend) / frequency END AS monetary_value,
       1 + (5 * (rank() OVER (ORDER BY last_order::DATE) - 1)) // count(*) OVER () AS r_score,
       1 + (5 * (rank() OVER (ORDER BY frequency) - 1)) // count(*) OVER () AS f_score,
       1 + (5 * (rank() OVER (ORDER BY spend) - 1)) // count(*) OVER () AS m_score
FROM totals
"""
BARE = {
    "orders": ORDERS,
    "customer_months": CUSTOMER_MONTHS,
    "months": MONTHS,
    "customers": CUSTOMERS,
    "rfm": RFM,
}
