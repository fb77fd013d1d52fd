{# All diagnoses of the visits; and for a visit with a diagnosis that is paid only when new, the person's earlier ones:
   those of other visits on an earlier day; who was diagnosed earlier on the same day is new that day. A local code is
   replaced by the disease it is mapped to; of the two characters of a type the last is used. -#}

{% set mapped = has("cdisease.diseasecode", "cdisease.mapdisease") %}
{% macro icd10(diagnosis, disease) %}
{% if mapped %}
CASE WHEN TRIM({{ disease }}.mapdisease) <> '' THEN {{ disease }}.mapdisease ELSE {{ diagnosis }}.diagcode END
{%- else %}
{{ diagnosis }}.diagcode
{%- endif %}
{% endmacro %}
SELECT
    d.visitno AS vn,
    {{ icd10("d", "c") }} AS icd10,
    SUBSTR(TRIM(d.dxtype), LENGTH(TRIM(d.dxtype)), 1) AS dx_type,
    -- own diagnoses have the time of the visit
    CAST(NULL AS DATE) AS dx_date,
    CAST(NULL AS TIME) AS dx_time,
    0 AS earlier
FROM visitdiag d
{% if mapped %}
LEFT JOIN cdisease c ON c.diseasecode = d.diagcode
{% endif %}
WHERE d.pcucode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
    AND d.visitno IN :visit_numbers
{% if wanted.first_time_icd10 %}

UNION ALL

SELECT
    o.visitno,
    {{ icd10("b", "cb") }},
    MIN(SUBSTR(TRIM(b.dxtype), LENGTH(TRIM(b.dxtype)), 1)),
    MIN(p.visitdate),
    NULL,
    1
FROM (
    -- the few visits with such a diagnosis
    SELECT DISTINCT n.pcucode, n.visitno
    FROM visitdiag n
    {% if mapped %}
    LEFT JOIN cdisease cn ON cn.diseasecode = n.diagcode
    {% endif %}
    WHERE n.pcucode = (SELECT MIN(c.offid) FROM office c WHERE c.offid <> '0000x')
        AND n.visitno IN :visit_numbers
        AND UPPER(SUBSTR(TRIM({{ icd10("n", "cn") }}), 1, 3)) IN :first_time_icd10
) f
JOIN visit o ON o.pcucode = f.pcucode AND o.visitno = f.visitno
JOIN visit p ON p.pcucodeperson = o.pcucodeperson AND p.pid = o.pid
JOIN visitdiag b ON b.pcucode = p.pcucode AND b.visitno = p.visitno
{% if mapped %}
LEFT JOIN cdisease cb ON cb.diseasecode = b.diagcode
{% endif %}
WHERE NOT (p.visitno = o.visitno AND p.pcucode = o.pcucode)
    AND COALESCE(p.flagservice, '') <> '99'
    AND UPPER(SUBSTR(TRIM({{ icd10("b", "cb") }}), 1, 3)) IN :first_time_icd10
    AND (
        (p.visitdate > :zero_day AND p.visitdate < :day)
        OR (p.visitdate > :first_buddhist_day AND p.visitdate < :buddhist_day)
    )
GROUP BY o.visitno, {{ icd10("b", "cb") }}
{% endif %}
