{# Vaccinations of a day or of named visits, in the five families of tables, as stored: a dose may be in two of them.

   The visits are read once and joined with each family; a row has the columns of one family, the others are NULL.
   given_at is the time of the dose, in families that store it; otherwise given_date (the day of the service, if stored)
   and given_time (the visit's, on the visit's day only) are used. Lot and expiry have other column names in ovst_vaccine. -#}

{% set by_doctor = has("doctor.code", "doctor.name", "doctor.licenseno") %}
{% set by_his = has("ovst_vaccine_eligible.ovst_vaccine_id", "ovst_vaccine_eligible.claim_transaction_uid") %}
{% set by_head = has("ovst_vaccine_eligible.ovst_nhso_eligible_id", "ovst_nhso_eligible.ovst_nhso_eligible_id",
    "ovst_nhso_eligible.claim_transaction_uid") %}
{% macro counts(alias, table) %}
TRIM({{ alias }}.claim_transaction_uid) <> ''
{%- for column in ["claim_status_code", "claim_status"] if has(table ~ "." ~ column) %}
 AND COALESCE(TRIM(CAST({{ alias }}.{{ column }} AS CHAR(100))), '') NOT IN :refused_statuses
{%- endfor %}
{% endmacro %}
{% set families = [] %}
{% if has("ovst_vaccine.vn", "person_vaccine.export_vaccine_code") %}
{% set _ = families.append({
    "name": "ovst", "service": none, "detail": "ovst_vaccine", "parent": "vn", "vaccine": "person_vaccine",
    "label": "v_ovst.vaccine_name", "local_code": "v_ovst.person_vaccine_id", "lot": "d_ovst.vaccine_lot_no",
    "expiry": "d_ovst.expire_date", "doctor": "d_ovst.doctor_code"}) %}
{% endif %}
{% set days = [] %}
{% for name, service, service_day, detail, parent, vaccine, doctor in [
    ("wbc", "person_wbc_service", "service_date", "person_wbc_vaccine_detail", "person_wbc_service_id", "wbc_vaccine",
        "doctor_code"),
    ("epi", "person_epi_vaccine", "vaccine_date", "person_epi_vaccine_list", "person_epi_vaccine_id", "epi_vaccine",
        "doctor_code"),
    ("school", "village_student_vaccine", "vaccine_date", "village_student_vaccine_list", "village_student_vaccine_id",
        "student_vaccine", "doctor_code"),
    ("anc", "person_anc_service", "anc_service_date", "person_anc_service_detail", "person_anc_service_id", "anc_service",
        "anc_doctor_code"),
] if has(service ~ ".vn", detail, vaccine ~ ".export_vaccine_code") %}
{% set _ = families.append({
    "name": name, "service": service, "detail": detail, "parent": parent, "vaccine": vaccine,
    "label": "v_" ~ name ~ "." ~ vaccine ~ "_name", "local_code": "d_" ~ name ~ "." ~ vaccine ~ "_id",
    "lot": "d_" ~ name ~ ".vaccine_lotno", "expiry": "d_" ~ name ~ ".vaccine_expire_date",
    "doctor": "d_" ~ name ~ "." ~ doctor}) %}
{% if has(service ~ "." ~ service_day) %}
{% set _ = days.append("s_" ~ name ~ "." ~ service_day) %}
{% endif %}
{% endfor %}
{% macro of_any(column) %}
COALESCE({{ families | map(attribute=column) | join(", ") }}, NULL)
{%- endmacro %}
{# for the other families a number that no visit has; not NULL, for which MariaDB would read all rows without a visit #}
{% macro of_visit(alias, name) %}
{{ alias }}_{{ name }}.vn = CASE f.family WHEN '{{ name }}' THEN o.vn ELSE '-' END AND f.family = '{{ name }}'
{%- endmacro %}
{% if families %}
SELECT
    o.vn,
    COALESCE({% for f in families %}v_{{ f.name }}.export_vaccine_code, {% endfor %}NULL) AS vaccine_code,
    {{ of_any("local_code") }} AS local_code,
    {{ of_any("label") }} AS vaccine_name,
    {{ of_any("lot") }} AS lot_number,
    {{ of_any("expiry") }} AS expiration_date,
    {{ "d_ovst.immunization_datetime" if families[0].name == "ovst" and has("ovst_vaccine.immunization_datetime") else "NULL" }} AS given_at,
    COALESCE({% for day in days %}{{ day }}, {% endfor %}o.vstdate) AS given_date,
    CASE WHEN COALESCE({% for day in days %}{{ day }}, {% endfor %}o.vstdate) = o.vstdate THEN o.vsttime END AS given_time,
    {{ "d_ovst.dose_qty" if families[0].name == "ovst" and has("ovst_vaccine.dose_qty") else "NULL" }} AS dose_quantity,
    NULL AS manufacturer,
    {{ "r.name" if by_doctor else "NULL" }} AS provider_name,
    {{ "r.licenseno" if by_doctor else "NULL" }} AS license_no,
    f.family,
    {% if families[0].name == "ovst" and by_his %}
    -- newer HOSxP sends claims itself, so the dose may be claimed already, under a transaction of its own or of all doses
    (
        SELECT MAX(CASE
            WHEN {{ counts("q", "ovst_vaccine_eligible") }} THEN q.claim_transaction_uid
            {% if by_head %}
            WHEN COALESCE(TRIM(q.claim_transaction_uid), '') = '' AND {{ counts("h", "ovst_nhso_eligible") }} THEN h.claim_transaction_uid
            {% endif %}
            END)
        FROM ovst_vaccine_eligible q
        {% if by_head %}
        LEFT JOIN ovst_nhso_eligible h ON h.ovst_nhso_eligible_id = q.ovst_nhso_eligible_id
        {% endif %}
        WHERE q.ovst_vaccine_id = d_ovst.ovst_vaccine_id
    )
    {%- else %}
    NULL
    {%- endif %} AS his_claim_uid
FROM ovst o
LEFT JOIN (
    {% for f in families %}
    {{ "" if loop.first else "UNION ALL " }}SELECT '{{ f.name }}' AS family
    {% endfor %}
) f ON 1 = 1
{% for f in families %}
{% if f.service %}
LEFT JOIN {{ f.service }} s_{{ f.name }} ON {{ of_visit("s", f.name) }}
LEFT JOIN {{ f.detail }} d_{{ f.name }} ON d_{{ f.name }}.{{ f.parent }} = s_{{ f.name }}.{{ f.parent }}
{% else %}
LEFT JOIN {{ f.detail }} d_{{ f.name }} ON {{ of_visit("d", f.name) }}
{% endif %}
LEFT JOIN {{ f.vaccine }} v_{{ f.name }} ON v_{{ f.name }}.{{ f.vaccine }}_id = d_{{ f.name }}.{{ f.vaccine }}_id
{% endfor %}
{% if by_doctor %}
LEFT JOIN doctor r ON r.code = {{ of_any("doctor") }}
{% endif %}
WHERE {{ "o.vn IN :visits" if by_visit else "o.vstdate IN (:day, :buddhist_day)" }}
    AND (
        {% for f in families %}
        {{ "" if loop.first else "OR " }}d_{{ f.name }}.{{ f.parent }} IS NOT NULL
            {# most antenatal services are not vaccinations; those that are have a vaccine's code, or at least a lot #}
            {{ "AND (TRIM(v_anc.export_vaccine_code) <> '' OR TRIM(d_anc.vaccine_lotno) <> '')" if f.name == "anc" else "" }}
        {% endfor %}
    )
{% else %}
{# without any vaccine table: no rows #}
SELECT
    o.vn, NULL AS vaccine_code, NULL AS local_code, NULL AS vaccine_name, NULL AS lot_number, NULL AS expiration_date,
    NULL AS given_at, NULL AS given_date, NULL AS given_time, NULL AS dose_quantity, NULL AS manufacturer,
    NULL AS provider_name, NULL AS license_no, '' AS family, NULL AS his_claim_uid
FROM ovst o
WHERE 1 = 0
{% endif %}
