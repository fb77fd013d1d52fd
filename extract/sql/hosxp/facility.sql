SELECT c.hospitalcode AS hcode, c.hospitalname AS hospital_name
FROM opdconfig c
