-- One row per customer with at least one order up to $as_of who may be shown: recency, frequency and value, scores and
-- segment.
--
-- Purchases of one day are one occasion. frequency counts the repeat occasions; recency and "T" are weeks from the
-- first purchase day to the last one and to $as_of_end; monetary_value is the mean spend of the repeat occasions.
-- Scores run from 1 to 5 (best), by rank: 1 + floor(5 (rank - 1) / N). Equal values share a rank, so also the score.
--
-- Segments, by r_score (across) and f_score (down), every cell once:
--          r 1            r 2            r 3                r 4                r 5
--   f 5    cannot lose    at risk        loyal              champions          champions
--   f 4    at risk        at risk        loyal              loyal              champions
--   f 3    hibernating    at risk        needs attention    potential loyalist potential loyalist
--   f 2    lost           hibernating    about to sleep     potential loyalist potential loyalist
--   f 1    lost           hibernating    about to sleep     promising          new
WITH totals AS (
    SELECT
        customer_id,
        CAST(SUM(orders) AS BIGINT) AS orders,
        CAST(SUM(spend) AS DECIMAL(18, 2)) AS spend,
        CAST(SUM(profit) AS DECIMAL(18, 2)) AS profit,
        CAST(SUM(order_days) AS BIGINT) - 1 AS frequency,
        MIN(first_order) AS first_order,
        MAX(last_order) AS last_order,
        CAST(MIN_BY(first_day_spend, period) FILTER (WHERE orders > 0) AS DECIMAL(18, 2)) AS first_day_spend
    FROM marts.customer_periods
    GROUP BY customer_id
    HAVING SUM(orders) > 0
),

ranked AS (
    SELECT
        *,
        RANK() OVER (ORDER BY CAST(last_order AS DATE)) AS r_rank,
        RANK() OVER (ORDER BY frequency) AS f_rank,
        RANK() OVER (ORDER BY spend) AS m_rank,
        COUNT(*) OVER () AS customers
    FROM totals
    WHERE customer_id NOT IN (SELECT customer_id FROM landing.hidden_customers)
),

scored AS (
    SELECT
        *,
        1 + CAST(FLOOR(CAST(5 * (r_rank - 1) AS DOUBLE) / customers) AS BIGINT) AS r_score,
        1 + CAST(FLOOR(CAST(5 * (f_rank - 1) AS DOUBLE) / customers) AS BIGINT) AS f_score,
        1 + CAST(FLOOR(CAST(5 * (m_rank - 1) AS DOUBLE) / customers) AS BIGINT) AS m_score
    FROM ranked
)

SELECT
    $as_of AS as_of,
    customer_id,
    frequency,
    CAST(DATE_DIFF('day', CAST(first_order AS DATE), CAST(last_order AS DATE)) AS DOUBLE) / 7 AS recency,
    CAST(DATE_DIFF('day', CAST(first_order AS DATE), $as_of_end) AS DOUBLE) / 7 AS "T",
    CASE
        WHEN frequency > 0 THEN CAST(GREATEST(spend - first_day_spend, 0) AS DOUBLE) / frequency
    END AS monetary_value,
    first_order,
    last_order,
    orders,
    spend,
    profit,
    r_score,
    f_score,
    m_score,
    CASE
        WHEN (r_score = 5 AND f_score >= 4) OR (r_score = 4 AND f_score = 5) THEN 'champions'
        WHEN r_score >= 3 AND f_score >= 4 THEN 'loyal'
        WHEN r_score >= 4 AND f_score >= 2 THEN 'potential loyalist'
        WHEN r_score = 5 THEN 'new'
        WHEN r_score = 4 THEN 'promising'
        WHEN r_score = 3 AND f_score = 3 THEN 'needs attention'
        WHEN r_score = 3 THEN 'about to sleep'
        WHEN r_score = 1 AND f_score = 5 THEN 'cannot lose'
        WHEN f_score >= 4 OR (r_score = 2 AND f_score = 3) THEN 'at risk'
        WHEN r_score = 2 OR f_score = 3 THEN 'hibernating'
        ELSE 'lost'
    END AS segment
FROM scored
