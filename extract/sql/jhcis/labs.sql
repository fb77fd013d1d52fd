{# Results of wanted lab items, of a day or of named visits, at visits with a wanted diagnosis that were not cancelled.

   Sites can edit the list of lab items, so the site's own map is used first, then the map in his.toml. A result is stored
   as a number; without one (or with 0, which the form stores when left empty) as text; without either there is no result.
   Servers return whole numbers differently ("72", "72.0"), so they are written in one form here. -#}

{% set mapped = has("cdisease.diseasecode", "cdisease.mapdisease") %}
SELECT
    o.visitno AS vn,
    {{ "l.seqonday" if has("visitlabchcyhembmsse.seqonday") else "NULL" }} AS lab_order,
    TRIM(l.labcode) AS local_code,
    {{ "i.labname" if has("clabchcyhembmsse.labname") else "NULL" }} AS lab_name,
    CASE
        WHEN l.labresultdigit = 0 AND TRIM(l.labresulttext) <> '' THEN l.labresulttext
        WHEN l.labresultdigit = ROUND(l.labresultdigit) AND ABS(l.labresultdigit) < 1000000000
            THEN REPLACE(CAST(CAST(l.labresultdigit AS DECIMAL(9, 0)) AS CHAR(30)), '.0', '')
        WHEN l.labresultdigit IS NOT NULL THEN CAST(l.labresultdigit AS CHAR(30))
        ELSE l.labresulttext
    END AS result,
    UPPER(TRIM(l.labcode)) AS lab_code,
    {{ "l.datecheck" if has("visitlabchcyhembmsse.datecheck") else "o.visitdate" }} AS result_date,
    NULL AS result_time
FROM visit o
JOIN visitlabchcyhembmsse l ON l.pcucode = o.pcucode AND l.visitno = o.visitno
{% if has("clabchcyhembmsse.labname") %}
LEFT JOIN clabchcyhembmsse i ON i.labcode = l.labcode
{% endif %}
WHERE {{ "o.visitno IN :visit_numbers" if by_visit else "o.visitdate IN (:day, :buddhist_day)" }}
    AND COALESCE(o.flagservice, '') <> '99'
    AND o.pcucode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
    AND (l.labresultdigit <> 0 OR TRIM(l.labresulttext) <> '')
    AND (
        UPPER(TRIM(l.labcode)) IN :lab_codes
        OR TRIM(l.labcode) IN :mapped_labs
        {% if "labs" in reviewed %}
        -- results of items unknown to the site's map, which are reported
        OR TRIM(l.labcode) NOT IN :decided_labs
        {% endif %}
    )
    -- few visits have such a result, so only their diagnoses are looked up
    AND EXISTS (
        SELECT 1
        FROM visitdiag d
        {% if mapped %}
        LEFT JOIN cdisease c ON c.diseasecode = d.diagcode
        {% endif %}
        WHERE d.pcucode = o.pcucode AND d.visitno = o.visitno
            AND UPPER(SUBSTR(TRIM(
                {{ "CASE WHEN TRIM(c.mapdisease) <> '' THEN c.mapdisease ELSE d.diagcode END" if mapped else "d.diagcode" }}
            ), 1, 3)) IN :icd10_prefixes
    )
