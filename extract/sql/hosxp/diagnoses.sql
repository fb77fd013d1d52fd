{# All diagnoses of the visits; and for a visit with a diagnosis that is paid only when new, the person's earlier ones:
   those of other visits on an earlier day; who was diagnosed earlier on the same day is new that day. Days stored in
   Buddhist years are compared with each other. -#}

SELECT d.vn, d.icd10, d.diagtype AS dx_type, d.vstdate AS dx_date, d.vsttime AS dx_time, 0 AS earlier
FROM ovstdiag d
WHERE d.vn IN :visits
{% if wanted.first_time_icd10 %}

UNION ALL

SELECT o.vn, b.icd10, MIN(b.diagtype), MIN(p.vstdate), CAST(NULL AS TIME), 1
FROM (
    -- the few visits with such a diagnosis
    SELECT DISTINCT n.vn
    FROM ovstdiag n
    WHERE n.vn IN :visits AND UPPER(SUBSTR(TRIM(n.icd10), 1, 3)) IN :first_time_icd10
) f
JOIN ovst o ON o.vn = f.vn
JOIN ovst p ON p.hn = o.hn
JOIN ovstdiag b ON b.vn = p.vn
WHERE o.hn <> ''
    AND p.vn <> o.vn
    AND UPPER(SUBSTR(TRIM(b.icd10), 1, 3)) IN :first_time_icd10
    AND (
        (p.vstdate > :zero_day AND p.vstdate < :day)
        OR (p.vstdate > :first_buddhist_day AND p.vstdate < :buddhist_day)
    )
GROUP BY o.vn, b.icd10
{% endif %}
