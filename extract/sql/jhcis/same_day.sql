{# The day's visits of the persons of the named visits. Most persons have few visits, so each is looked up by the person. -#}

SELECT DISTINCT o.visitno AS vn
FROM visit n
JOIN visit o ON o.pcucodeperson = n.pcucodeperson AND o.pid = n.pid
WHERE n.pcucode = (SELECT MIN(f.offid) FROM office f WHERE f.offid <> '0000x')
    AND n.visitno IN :visit_numbers
    AND o.pcucode = n.pcucode
    AND o.visitdate IN (:day, :buddhist_day)
