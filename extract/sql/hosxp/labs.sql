{# Results of wanted lab items, of a day or of named visits, of persons with a wanted diagnosis at any visit of that day.

   The NHSO code of an item is taken from the first of: the site's own map (applied afterwards; mapped_labs are its items),
   the billing code, the system lab name, the ministry's lab code; never from a pattern in the name. 32001 is the
   Na/K/Cl/CO2 panel and does not identify a component. For inpatients lab_head.vn contains the AN.

   A person's visits are looked up only where the day has several: their index leads to those of all years. -#}

{% set by_billing = has("nondrugitems.nhso_adp_code", "lab_items.icode") %}
{% set by_system = has("sys_lab_link.lab_items_code", "sys_lab_code.sys_lab_name") %}
{% set by_ministry = has("lab_items.provis_labcode") %}
{% set system_code %}
CASE LOWER(TRIM(c.sys_lab_name))
            WHEN 'hba1c' THEN '32401'
            WHEN 'creatinine' THEN '32202'
            WHEN 'potassium' THEN '32103'
            WHEN 'potasssium' THEN '32103'
        END
{%- endset %}
{% set nhso_code %}
CASE
        {% if by_billing %}
        WHEN TRIM(b.nhso_adp_code) <> '' AND TRIM(b.nhso_adp_code) <> '32001' THEN TRIM(b.nhso_adp_code)
        {% endif %}
        {% if by_system %}
        WHEN s.code IS NOT NULL THEN s.code
        {% endif %}
        {% if by_ministry %}
        WHEN TRIM(i.provis_labcode) = '0531601' THEN '32401'
        WHEN TRIM(i.provis_labcode) = '0581902' THEN '32202'
        WHEN TRIM(i.provis_labcode) = '0511402' THEN '32103'
        {% endif %}
        WHEN 1 = 0 THEN ''
    END
{%- endset %}
{% set an = "v.an" if has("ovst.an") else "NULL" %}
{# a visit without an HN is a person's of its own #}
{% set person = "CASE WHEN TRIM(v.hn) <> '' THEN v.hn ELSE v.vn END" %}
{% macro visits_of(alias, group) %}
{{ alias }}.hn = CASE WHEN {{ group }}.first_vn <> {{ group }}.last_vn THEN {{ group }}.person ELSE '-' END
    AND {{ alias }}.vstdate = {{ group }}.vstdate
{%- endmacro %}
SELECT
    o.vn,
    COALESCE(w.vn, o.first_vn) AS person_vn,
    l.lab_order_number AS lab_order,
    i.lab_items_code AS local_code,
    i.lab_items_name AS lab_name,
    l.lab_order_result AS result,
    {{ nhso_code }} AS lab_code,
    CASE WHEN h.report_date > :zero_day THEN h.report_date ELSE h.order_date END AS result_date,
    CASE WHEN h.report_date > :zero_day THEN h.report_time ELSE h.order_time END AS result_time
FROM (
    SELECT
        p.person, p.vstdate, p.first_vn, p.last_vn, COALESCE(v.vn, p.first_vn) AS vn,
        CASE WHEN v.vn IS NULL THEN p.an ELSE {{ an }} END AS an
    FROM (
        -- the few persons with a wanted diagnosis come first, so that the server looks up their labs by index
        SELECT
            {{ person }} AS person, v.vstdate, MIN(v.vn) AS first_vn, MAX(v.vn) AS last_vn, MIN({{ an }}) AS an
        FROM ovst v
        WHERE {{ "v.vn IN :visits" if by_visit else "v.vstdate IN (:day, :buddhist_day)" }}
        GROUP BY {{ person }}, v.vstdate
        HAVING MAX(CASE WHEN EXISTS (
            SELECT 1 FROM ovstdiag d
            WHERE d.vn = v.vn AND UPPER(SUBSTR(TRIM(d.icd10), 1, 3)) IN :icd10_prefixes
        ) THEN 1 ELSE 0 END) = 1
    ) p
    LEFT JOIN ovst v ON {{ visits_of("v", "p") }}
) o
-- each visit twice, as its labs may be stored under its VN or its AN, so that the visits are read once
LEFT JOIN (SELECT 'vn' AS number UNION ALL SELECT 'an') n ON n.number = 'vn' OR o.an <> ''
JOIN lab_head h ON h.vn = CASE n.number WHEN 'vn' THEN o.vn ELSE o.an END
JOIN lab_order l ON l.lab_order_number = h.lab_order_number
JOIN lab_items i ON i.lab_items_code = l.lab_items_code
LEFT JOIN ovst w ON {{ visits_of("w", "o") }}
{% if by_billing %}
LEFT JOIN nondrugitems b ON b.icode = i.icode
{% endif %}
{% if by_system %}
LEFT JOIN (
    -- an item linked to two different codes has none
    SELECT k.lab_items_code, MIN({{ system_code }}) AS code
    FROM sys_lab_link k
    JOIN sys_lab_code c ON c.sys_lab_code_id = k.sys_lab_code_id
    GROUP BY k.lab_items_code
    HAVING COUNT(DISTINCT {{ system_code }}) = 1
) s ON s.lab_items_code = i.lab_items_code
{% endif %}
WHERE l.confirm = 'Y'
    AND TRIM(l.lab_order_result) <> ''
    AND (
        {{ nhso_code }} IN :lab_codes
        OR CAST(i.lab_items_code AS CHAR(20)) IN :mapped_labs
        {% if "labs" in reviewed %}
        -- results of items unknown to both the site's map and the HIS, which are reported
        OR ({{ nhso_code }} IS NULL AND CAST(i.lab_items_code AS CHAR(20)) NOT IN :decided_labs)
        {% endif %}
    )
