-- One row per customer with an order whom lenses 3 to 5 see, numbered in the order of the ids, and put into one of 256 buckets.
--
-- acquired_month counts months from year 0; it is null for customers acquired before $data_start. Buckets are dealt
-- out in turn, month of acquisition by month, in an order that has nothing to do with what customers did: in any
-- cohort, of whatever length, their sizes differ by one at most, and up to 256 customers have one each.
SELECT
    c.customer_id,
    ROW_NUMBER() OVER (ORDER BY c.customer_id) AS customer_no,
    ROW_NUMBER() OVER (
        ORDER BY
            CASE WHEN acquired_before_data THEN '' ELSE STRFTIME(acquisition_ts, '%Y-%m') END, MD5(c.customer_id),
            c.customer_id
    ) % 256 AS bucket,
    CASE
        WHEN NOT acquired_before_data
            THEN CAST(EXTRACT(YEAR FROM acquisition_ts) AS BIGINT) * 12
                + CAST(EXTRACT(MONTH FROM acquisition_ts) AS BIGINT) - 1
    END AS acquired_month,
    CASE WHEN NOT acquired_before_data THEN CAST(acquisition_ts AS DATE) END AS acquired_day
FROM marts.customers AS c
INNER JOIN lenses.base_customers AS b ON c.customer_id = b.customer_id
WHERE b.in_base
