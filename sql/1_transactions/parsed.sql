-- One row per delivered source row, typed, with the reason why it cannot be used (null when it can).
-- Times become wall-clock time in the business time zone; an offset in the text wins over $timezone.
WITH texts AS (
    SELECT
        batch_id, source, row_number, loaded_at, seq, malformed, raw, raw_text, extra,
        NULLIF(TRIM(in_order_id), '') AS order_id,
        NULLIF(TRIM(in_customer_id), '') AS customer_id,
        NULLIF(TRIM(in_product_id), '') AS product_id,
        NULLIF(TRIM(in_line_id), '') AS line_id,
        TRIM(in_order_ts) AS order_text,
        REGEXP_MATCHES(TRIM(in_order_ts), ':[0-9]{2}.*(Z|[+-][0-9]{2}(:?[0-9]{2})?)$') AS has_offset,
        NULLIF(TRIM(in_quantity), '') AS quantity_text,
        NULLIF(TRIM(in_unit_price), '') AS price_text,
        NULLIF(TRIM(in_line_total), '') AS total_text,
        NULLIF(TRIM(in_unit_cost), '') AS unit_cost_text,
        NULLIF(TRIM(in_line_cost), '') AS line_cost_text,
        NULLIF(TRIM(in_updated_at), '') AS updated_text,
        LOWER(TRIM(COALESCE(in_is_return, ''))) IN ('true', 't', '1', 'yes', 'y') AS flagged_return,
        LOWER(TRIM(COALESCE(in_is_deleted, ''))) IN ('true', 't', '1', 'yes', 'y') AS is_deleted
    FROM landing.mapped
),
typed AS (
    SELECT
        *,
        CASE
            WHEN $timestamp_format IS NOT NULL
                THEN TIMEZONE($business_timezone, TIMEZONE($timezone, TRY_STRPTIME(order_text, $timestamp_format)))
            WHEN has_offset THEN TIMEZONE($business_timezone, TRY_CAST(order_text AS TIMESTAMPTZ))
            WHEN $timezone = $business_timezone THEN TRY_CAST(order_text AS TIMESTAMP)
            ELSE TIMEZONE($business_timezone, TIMEZONE($timezone, TRY_CAST(order_text AS TIMESTAMP)))
        END AS order_ts,
        TRY_CAST(updated_text AS TIMESTAMPTZ) AS updated_at,
        TRY_CAST(quantity_text AS DECIMAL(18, 3)) AS quantity,
        TRY_CAST(price_text AS DECIMAL(18, 4)) AS unit_price,
        TRY_CAST(total_text AS DECIMAL(18, 2)) AS given_total,
        TRY_CAST(line_cost_text AS DECIMAL(18, 2)) AS given_cost,
        TRY_CAST(unit_cost_text AS DECIMAL(18, 4)) AS unit_cost
    FROM texts
),
-- DECIMAL(19, 3) makes the products 38 digits wide: no value that a file can hold overflows them.
multiplied AS (
    SELECT
        *,
        COALESCE(CAST(given_total AS DECIMAL(38, 2)), ROUND(CAST(quantity AS DECIMAL(19, 3)) * unit_price, 2)) AS any_amount,
        COALESCE(CAST(given_cost AS DECIMAL(38, 2)), ROUND(CAST(quantity AS DECIMAL(19, 3)) * unit_cost, 2)) AS any_cost
    FROM typed
),
-- Beyond 10^12 a number is an error of the source, and its sums would not fit the money type.
valued AS (
    SELECT
        *,
        CASE WHEN ABS(any_amount) < 1000000000000 THEN TRY_CAST(any_amount AS DECIMAL(18, 2)) END AS amount,
        CASE WHEN ABS(any_cost) < 1000000000000 THEN TRY_CAST(any_cost AS DECIMAL(18, 2)) END AS cost,
        COALESCE(ABS(quantity) >= 1000000000000, FALSE) OR COALESCE(ABS(any_amount) >= 1000000000000, FALSE)
            OR COALESCE(ABS(any_cost) >= 1000000000000, FALSE) AS is_too_large,
        STRFTIME(order_ts, '%Y-%m') AS month,
        order_ts >= TIMESTAMP '1970-01-01 00:00:00' AND order_ts <= TIMEZONE($business_timezone, TIMEZONE('UTC', loaded_at))
            AS in_range
    FROM multiplied
),
signed AS (
    SELECT
        *,
        flagged_return OR COALESCE(quantity < 0, FALSE) OR COALESCE(amount < 0 AND COALESCE(unit_price >= 0, TRUE), FALSE)
            OR COALESCE(REGEXP_MATCHES(order_id, $return_pattern), FALSE) AS is_return,
        CASE
            WHEN malformed IS NOT NULL THEN malformed
            WHEN is_deleted AND $keyed AND line_id IS NOT NULL THEN NULL
            WHEN $keyed AND line_id IS NULL THEN 'missing line id'
            WHEN order_id IS NULL THEN 'missing order id'
            WHEN order_ts IS NULL THEN 'unparseable timestamp'
            WHEN order_ts < TIMESTAMP '1970-01-01 00:00:00' THEN 'timestamp before 1970'
            WHEN NOT in_range THEN 'timestamp in the future'
            WHEN month < $start THEN 'before the first period'
            WHEN updated_text IS NOT NULL AND updated_at IS NULL THEN 'unparseable updated_at'
            WHEN quantity IS NULL THEN 'non-numeric quantity'
            WHEN price_text IS NOT NULL AND unit_price IS NULL THEN 'non-numeric price'
            WHEN total_text IS NOT NULL AND given_total IS NULL THEN 'non-numeric amount'
            WHEN is_too_large THEN 'number too large'
            WHEN unit_price < 0 THEN 'negative price'
            WHEN amount IS NULL THEN 'missing amount'
            WHEN COALESCE(unit_cost_text, '0') <> '0' AND unit_cost IS NULL THEN 'non-numeric cost'
            WHEN COALESCE(line_cost_text, '0') <> '0' AND given_cost IS NULL THEN 'non-numeric cost'
        END AS problem
    FROM valued
)
SELECT
    batch_id, source, row_number, loaded_at, seq, malformed, raw, raw_text, extra,
    CASE WHEN in_range AND ($start IS NULL OR month >= $start) THEN month END AS period,
    order_id, line_id, customer_id, order_ts, product_id,
    CASE WHEN is_return THEN -ABS(quantity) ELSE quantity END AS quantity,
    COALESCE(unit_price, TRY_CAST(ABS(CAST(amount AS DOUBLE) / NULLIF(CAST(quantity AS DOUBLE), 0)) AS DECIMAL(18, 4)))
        AS unit_price,
    CASE WHEN is_return THEN -ABS(amount) ELSE amount END AS line_total,
    CASE WHEN is_return THEN -ABS(cost) ELSE cost END AS line_cost,
    is_return,
    updated_at,
    is_deleted,
    CASE WHEN problem IS NULL AND is_return AND NOT is_deleted AND $return_policy = 'reject' THEN 'return' ELSE problem END
        AS reason
FROM signed
