{# How many doses of the day name no visit, in registers with a service day of their own: they cannot be claimed.

   Counted where the day is indexed: else the register's rows of all years would have to be read. -#}

SELECT
    {% for service, service_day, detail, parent in [
        ("person_wbc_service", "service_date", "person_wbc_vaccine_detail", "person_wbc_service_id"),
        ("person_epi_vaccine", "vaccine_date", "person_epi_vaccine_list", "person_epi_vaccine_id"),
        ("village_student_vaccine", "vaccine_date", "village_student_vaccine_list", "village_student_vaccine_id"),
        ("person_anc_service", "anc_service_date", "person_anc_service_detail", "person_anc_service_id"),
    ] if has(service ~ ".vn", detail) and indexed(service ~ "." ~ service_day) %}
    (
        SELECT COUNT(*)
        FROM {{ service }} s
        JOIN {{ detail }} d ON d.{{ parent }} = s.{{ parent }}
        WHERE s.{{ service_day }} IN (:day, :buddhist_day) AND COALESCE(TRIM(s.vn), '') = ''
            {# most antenatal services are not vaccinations #}
            {{ "AND TRIM(d.vaccine_lotno) <> ''" if service == "person_anc_service" }}
    ) +
    {% endfor %}
    0 AS doses
