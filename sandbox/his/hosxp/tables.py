"""The tables of a HOSxP database, as public models and reports of several sites describe them.

Where those leave a type or a key open the choice made here is plain: identifiers are `int`, lots and codes short text.
Two things differ from the models on purpose. `patient.cid` is wider than 13 so that a number typed with dashes fits, as
it does at sites that widened it. The vaccination tables carry an index on `vn`, their day and their parent, which the
screens of the hospital open them by.
"""

import sqlalchemy as sa

from sandbox.his.schema import tables_of

_SCHEMA = """
opdconfig(hospitalcode varchar(9) pk, hospitalname varchar(50))
patient(hn varchar(9) pk, cid varchar(17), pname varchar(25), fname varchar(30), lname varchar(30), birthday date, sex char(1), marrystatus char(1), nationality varchar(3), citizenship varchar(3), occupation varchar(4), passport_no varchar(25), death char(1), last_update datetime)
ovst(vn varchar(13) pk, hn varchar(9) ix, an varchar(9), vstdate date ix, vsttime time, pttype varchar(2), hospmain varchar(5), hospsub varchar(5), doctor varchar(7), spclty varchar(2), main_dep varchar(3), ovstist varchar(2), ovstost varchar(4), staff varchar(15), hos_guid varchar(38))
vn_stat(vn varchar(13) pk, hn varchar(9), cid varchar(13), vstdate date, pdx varchar(6), dx0 varchar(6), dx1 varchar(6), dx2 varchar(6), dx3 varchar(6), dx4 varchar(6), dx5 varchar(6), age_y int, age_m int, pttype varchar(2), income double)
visit_pttype(vn varchar(13), pttype varchar(2), pttype_number int, hospmain varchar(5), hospsub varchar(5), claim_code varchar(25), auth_code varchar(50), pk(vn,pttype))
pttype(pttype varchar(2) pk, name varchar(250), hipdata_code varchar(6), nhso_code varchar(2), pttype_std_code varchar(4), isuse char(1))
ovstdiag(ovst_diag_id int pk, vn varchar(13) ix, hn varchar(9) ix, vstdate date, vsttime time, icd10 varchar(9), diagtype varchar(2), doctor varchar(6), unique(vn,icd10))
lab_head(lab_order_number int pk, vn varchar(13) ix, hn varchar(9), order_date date, order_time time, report_date date, report_time time, department varchar(5), confirm_report char(1), doctor_code varchar(7))
lab_order(lab_order_number int, lab_items_code int, lab_order_result varchar(250), confirm char(1), lab_items_name_ref varchar(250), pk(lab_order_number,lab_items_code))
lab_items(lab_items_code int pk, lab_items_name varchar(250), lab_items_unit varchar(150), icode varchar(7), provis_labcode varchar(7), loinc_code varchar(15), active_status char(1))
nondrugitems(icode varchar(7) pk, name varchar(200), nhso_adp_code varchar(15))
s_drugitems(icode varchar(7) pk, name varchar(200), nhso_adp_code varchar(15))
opitemrece(vn varchar(13) ix, hn varchar(9), an varchar(9), icode varchar(7), qty int, unitprice double, sum_price double, vstdate date, paidst varchar(2))
sys_lab_code(sys_lab_code_id int pk, sys_lab_name varchar(100))
sys_lab_link(sys_lab_code_id int, lab_items_code int)
ovst_vaccine(ovst_vaccine_id int pk, vn varchar(13) ix, person_vaccine_id int, vaccine_lot_no varchar(50), expire_date date, dose_qty double, vaccine_plan_no int, doctor_code varchar(15), staff varchar(25), immunization_datetime datetime)
person_vaccine(person_vaccine_id int pk, vaccine_name varchar(150), vaccine_code varchar(20), vaccine_group varchar(20), export_vaccine_code varchar(10), combine_vaccine char(1), icode varchar(7))
person(person_id int pk, cid varchar(13), pname varchar(25), fname varchar(50), lname varchar(50), birthdate date, sex char(1), marrystatus char(1), nationality varchar(3), patient_hn varchar(9))
person_wbc(person_wbc_id int pk, person_id int)
person_wbc_service(person_wbc_service_id int pk, person_wbc_id int, vn varchar(13) ix, service_date date ix)
person_wbc_vaccine_detail(person_wbc_vaccine_detail_id int pk, person_wbc_service_id int ix, wbc_vaccine_id int, vaccine_lotno varchar(50), vaccine_expire_date date, doctor_code varchar(15))
wbc_vaccine(wbc_vaccine_id int pk, wbc_vaccine_name varchar(150), wbc_vaccine_code varchar(20), age_min int, age_max int, export_vaccine_code varchar(10))
person_epi(person_epi_id int pk, person_id int)
person_epi_vaccine(person_epi_vaccine_id int pk, person_epi_id int, vn varchar(13) ix, vaccine_date date ix)
person_epi_vaccine_list(person_epi_vaccine_id int ix, epi_vaccine_id int, vaccine_lotno varchar(50), vaccine_expire_date date, doctor_code varchar(15))
epi_vaccine(epi_vaccine_id int pk, epi_vaccine_name varchar(150), export_vaccine_code varchar(10))
village_student(village_student_id int pk, person_id int)
village_student_vaccine(village_student_vaccine_id int pk, village_student_id int, vn varchar(13) ix, vaccine_date date ix)
village_student_vaccine_list(village_student_vaccine_id int ix, student_vaccine_id int, vaccine_lotno varchar(50), vaccine_expire_date date, doctor_code varchar(15))
student_vaccine(student_vaccine_id int pk, student_vaccine_name varchar(150), export_vaccine_code varchar(10))
person_anc(person_anc_id int pk, person_id int, preg_no int, lmp date)
person_anc_service(person_anc_service_id int pk, person_anc_id int, vn varchar(13) ix, anc_service_date date ix, pa_week int)
person_anc_service_detail(person_anc_service_id int ix, anc_service_id int, vaccine_lotno varchar(50), vaccine_expire_date date, anc_doctor_code varchar(15))
anc_service(anc_service_id int pk, anc_service_name varchar(150), export_vaccine_code varchar(10))
person_vaccine_elsewhere(person_id int, person_vaccine_id int, vaccine_date date, hospcode varchar(5))
doctor(code varchar(15) pk, name varchar(150), licenseno varchar(50), cid varchar(17), council_code varchar(2), active char(1))
marrystatus(code char(1) pk, name varchar(20), nhso_marriage_code varchar(3))
occupation(occupation varchar(4) pk, name varchar(50), nhso_code varchar(4))
nationality(nationality varchar(3) pk, name varchar(50), nhso_code varchar(3))
pname(name varchar(25) pk, provis_code varchar(3))
ovst_nhso_eligible(ovst_nhso_eligible_id int pk, vn varchar(13) ix, nhso_eligible_type_id int, claim_transaction_uid varchar(50), claim_status_code varchar(10), claim_status varchar(50))
ovst_vaccine_eligible(ovst_vaccine_eligible_id int pk, ovst_nhso_eligible_id int, ovst_vaccine_id int ix, claim_transaction_uid varchar(50), claim_status_code varchar(10), claim_status varchar(50))
"""


def hosxp_tables() -> sa.MetaData:
    """All HOSxP tables the project reads, and those around them, in the order in which to fill them."""
    return tables_of(_SCHEMA)
