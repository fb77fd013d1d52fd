{# Results of wanted items, of clients with a claimable diagnosis at that or another encounter of the day; cancelled ones do
   not count.

   COTTAGE keeps no NHSO code: the map in his.toml says what an item is, and the site's own map comes before it. -#}

SELECT
    e.enc_no AS vn,
    d.enc_no AS person_vn,
    t.item AS lab_code,
    t.item AS local_code,
    i.item_name AS lab_name,
    t.answer AS result,
    t.answered_day AS result_date,
    t.answered_time AS result_time,
    t.test_no AS lab_order
FROM encounter e
JOIN test t ON t.enc_no = e.enc_no
JOIN encounter d ON d.client_no = e.client_no AND d.enc_day = e.enc_day AND d.cancelled = 'N'
LEFT JOIN test_item i ON i.item = t.item
WHERE e.enc_day IN (:day, :buddhist_day)
    AND e.cancelled = 'N'
    AND t.answer <> ''
    AND EXISTS (SELECT 1 FROM problem p WHERE p.enc_no = d.enc_no AND UPPER(SUBSTR(p.icd, 1, 3)) IN :icd10_prefixes)
    AND (
        t.item IN :lab_codes
        OR t.item IN :mapped_labs
        {% if "labs" in reviewed %}
        OR t.item NOT IN :decided_labs
        {% endif %}
    )
