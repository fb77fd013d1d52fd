{# The day's vaccinations. Older versions do not keep who gave it. -#}

{% set by_staff = has("jab.staff", "staff.staff", "staff.staff_name", "staff.licence") %}
SELECT
    e.enc_no AS vn,
    p.standard AS vaccine_code,
    j.product AS local_code,
    p.product_name AS vaccine_name,
    j.lot AS lot_number,
    j.expires AS expiration_date,
    e.enc_day AS given_date,
    e.enc_time AS given_time,
    NULL AS dose_quantity,
    NULL AS manufacturer,
    {{ "s.staff_name" if by_staff else "NULL" }} AS provider_name,
    {{ "s.licence" if by_staff else "NULL" }} AS license_no,
    'jab' AS family,
    NULL AS his_claim_uid,
    NULL AS given_at
FROM encounter e
JOIN jab j ON j.enc_no = e.enc_no
LEFT JOIN product p ON p.product = j.product
{% if by_staff %}
LEFT JOIN staff s ON s.staff = j.staff
{% endif %}
WHERE e.enc_day IN (:day, :buddhist_day)
    AND e.cancelled = 'N'
