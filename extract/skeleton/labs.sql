[% import "_guide.jinja" as guide with context %]
{# [[ say("ผลแล็บที่ต้องการของวันหนึ่ง เฉพาะผู้ป่วยที่มีวินิจฉัยที่เบิกได้ในวันนั้น อ่านเป็นไฟล์แรก",
          "The day's results of wanted lab items, of persons with a claimable diagnosis that day. This file is read first.") ]]

   [[ say("เริ่มที่ตารางการรับบริการด้วยคอลัมน์วันที่ที่มีดัชนี แล้วจึงต่อไปยังแล็บ เช่น",
          "Start at the visits by their indexed day, and go from there to the labs, such as:") ]]
     FROM visit v JOIN lab l ON l.visit_no = v.visit_no
     JOIN visit w ON w.hn = v.hn AND w.visit_day = v.visit_day -- w.visit_no AS person_vn
     WHERE v.visit_day IN (:day, :buddhist_day)
         AND EXISTS (SELECT 1 FROM diagnosis d WHERE d.visit_no = w.visit_no AND SUBSTR(d.icd10, 1, 3) IN :icd10_prefixes)
         AND l.result <> '' AND (l.nhso_code IN :lab_codes OR l.item IN :mapped_labs)

   [[ say("รายการที่ทั้ง HIS และตารางจับคู่ไม่รู้จัก ให้มาด้วยเมื่อมีตารางจับคู่แล็บ เพื่อให้คนตัดสิน เติมท้ายเงื่อนไขสุดท้าย:",
          "Items that nobody knows come along where the site has a map of labs, for a person to decide; add to the last condition:") ]]
     {% if "labs" in reviewed %} OR (l.nhso_code IS NULL AND l.item NOT IN :decided_labs) {% endif %}

   [[ say("เลือกตามเลขที่รับบริการได้ด้วย เพื่ออ่านครั้งที่รออยู่ซ้ำโดยไม่อ่านทั้งวัน (ไม่บังคับ ดู docs/new-his.md) เช่น",
          "It may also select named visits, so that those that wait are read again without their whole day (optional, see docs/new-his.md), such as:") ]]
     WHERE {% if by_visit %} v.visit_no IN :visits {% else %} v.visit_day IN (:day, :buddhist_day) {% endif %}

   [[ say("พารามิเตอร์", "Parameters") ]]
[[ guide.parameters(of_day + of_labs) ]]
   [[ say("แม่แบบ (Jinja)", "Template (Jinja)") ]]
[[ guide.functions() -]]
#}
[[ guide.nulls(columns) -]]
