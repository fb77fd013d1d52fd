{# Results of wanted lab items, of a day or of named visits, of persons with a wanted diagnosis at any visit of that day;
   cancelled visits do not count.

   Sites can edit the list of lab items, so the site's own map is used first, then the map in his.toml. A result is stored
   as a number; without one (or with 0, which the form stores when left empty) as text; without either there is no result.
   Servers return whole numbers differently ("72", "72.0"), so they are written in one form here.

   A person's visits are looked up only where the day has several: their index leads to those of all years. -#}

{% set mapped = has("cdisease.diseasecode", "cdisease.mapdisease") %}
{% set has_wanted_result %}
(l.labresultdigit <> 0 OR TRIM(l.labresulttext) <> '')
    AND (
        UPPER(TRIM(l.labcode)) IN :lab_codes
        OR TRIM(l.labcode) IN :mapped_labs
        {% if "labs" in reviewed %}
        -- results of items unknown to the site's map, which are reported
        OR TRIM(l.labcode) NOT IN :decided_labs
        {% endif %}
    )
{%- endset %}
{% macro visits_of(alias, group) %}
{{ alias }}.pcucodeperson = {{ group }}.pcucodeperson
    AND {{ alias }}.pid = CASE WHEN {{ group }}.first_visitno <> {{ group }}.last_visitno THEN {{ group }}.person ELSE -1 END
    AND COALESCE({{ alias }}.pcucode, '') = {{ group }}.pcucode
    AND {{ alias }}.visitdate = {{ group }}.visitdate
    AND COALESCE({{ alias }}.flagservice, '') <> '99'
{%- endmacro %}
SELECT
    o.visitno AS vn,
    COALESCE(w.visitno, o.first_visitno) AS person_vn,
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
FROM (
    -- DISTINCT keeps the visits of these persons together, else servers begin with all results
    SELECT DISTINCT p.*, COALESCE(v.visitno, p.first_visitno) AS visitno
    FROM (
        -- the few persons with such a result come first, so that only their diagnoses are looked up; a visit without a pid
        -- is a person's of its own
        SELECT
            v.pcucode, v.pcucodeperson, COALESCE(v.pid, -v.visitno) AS person,
            v.visitdate, MIN(v.visitno) AS first_visitno, MAX(v.visitno) AS last_visitno
        FROM visit v
        WHERE {{ "v.visitno IN :visit_numbers" if by_visit else "v.visitdate IN (:day, :buddhist_day)" }}
            AND COALESCE(v.flagservice, '') <> '99'
            AND v.pcucode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
        GROUP BY v.pcucode, v.pcucodeperson, COALESCE(v.pid, -v.visitno), v.visitdate
        HAVING MAX(CASE WHEN EXISTS (
            SELECT 1
            FROM visitlabchcyhembmsse l
            WHERE l.pcucode = v.pcucode AND l.visitno = v.visitno
                AND {{ has_wanted_result }}
        ) THEN 1 ELSE 0 END) = 1
    ) p
    LEFT JOIN visit v ON {{ visits_of("v", "p") }}
) o
JOIN visitlabchcyhembmsse l ON l.pcucode = o.pcucode AND l.visitno = o.visitno
{% if has("clabchcyhembmsse.labname") %}
LEFT JOIN clabchcyhembmsse i ON i.labcode = l.labcode
{% endif %}
LEFT JOIN visit w ON {{ visits_of("w", "o") }}
WHERE {{ has_wanted_result }}
    AND CASE WHEN EXISTS (
        SELECT 1
        FROM visitdiag d
        {% if mapped %}
        LEFT JOIN cdisease c ON c.diseasecode = d.diagcode
        {% endif %}
        WHERE d.pcucode = o.pcucode AND d.visitno = COALESCE(w.visitno, o.first_visitno)
            AND UPPER(SUBSTR(TRIM(
                {{ "CASE WHEN TRIM(c.mapdisease) <> '' THEN c.mapdisease ELSE d.diagcode END" if mapped else "d.diagcode" }}
            ), 1, 3)) IN :icd10_prefixes
    ) THEN 1 ELSE 0 END = 1
