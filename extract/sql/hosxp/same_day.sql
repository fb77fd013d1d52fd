{# The day's visits of the persons of the named visits. Most persons have few visits, so each is looked up by the person. -#}

SELECT DISTINCT o.vn
FROM ovst n
JOIN ovst o ON o.hn = n.hn
WHERE n.vn IN :visits
    AND n.hn <> ''
    AND o.vstdate IN (:day, :buddhist_day)
