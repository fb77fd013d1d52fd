"""`moph-claim demo`: a week of a made-up hospital, a stand-in of MOPH Claim, and the nightly flow between them."""

import shutil
import sys
from datetime import timedelta
from pathlib import Path

from rich.console import Console

from core.clock import today
from core.errors import ConfigurationError
from core.messages import Language, Message
from flows.cli.console import Exit, run_once
from flows.reports.tables import issue_list, issue_rows
from flows.settings.model import CONFIG_FILE
from flows.settings.read import read_settings, use_only
from sandbox.his import build_hosxp
from sandbox.process import running_sandbox
from sandbox.world import CODES_FOLDER, Account

DAYS = 7
VISITS_A_DAY = 120
CLOSING_CODE_MISSING = 0.02
ISSUES_SHOWN = 12


def run_demo(folder: Path, language: Language, screen: Console) -> Exit:
    """Build the week, run the night, and show its results and where they are.

    Args:
        folder: Where it is built; the files of an earlier demo are replaced.
        language: Language of the terminal.
        screen: The terminal.

    Raises:
        ConfigurationError: The folder holds files that are not a demo's.
    """

    def show(th: str, en: str) -> None:
        screen.print(Message(th, en).say(language), highlight=False)

    _clear(folder)
    first = today() - timedelta(days=DAYS)
    show(f"1/3 สร้างโรงพยาบาลจำลอง {DAYS} วัน ...", f"1/3 Building {DAYS} days of a made-up hospital ...")
    his = f"sqlite:///{folder / 'hosxp.sqlite'}"
    summary = build_hosxp(his, first_day=first, days=DAYS, visits_a_day=VISITS_A_DAY)
    show("2/3 เปิด MOPH Claim จำลอง ...", "2/3 Starting a stand-in of MOPH Claim ...")
    account = Account(hospital_code=summary.hcode)
    with running_sandbox(accounts=(account,), no_closing_code_share=CLOSING_CODE_MISSING) as moph:
        _configure(folder, language, his, moph.token_url, moph.api_url, account)
        show("3/3 ส่งรายการเบิกเหมือนรอบกลางคืน ...", "3/3 Running the night ...")
        settings = read_settings()
        code = run_once(settings, date_from=first, date_to=today() - timedelta(days=1))
    rows = issue_rows(settings, None, None)
    for line in issue_list(rows.head(ISSUES_SHOWN), language):
        screen.print(line, soft_wrap=True)
    screen.print()
    command = f"cd {folder} && {Path(sys.argv[0]).absolute()} issues"
    show(
        f"แสดง {min(ISSUES_SHOWN, len(rows))} จาก {len(rows)} รายการที่ต้องดู ทั้งหมด: {command}",
        f"{min(ISSUES_SHOWN, len(rows))} of {len(rows)} to look at are shown; all of them: {command}",
    )
    show(f"ฐานข้อมูลตรวจสอบ: {folder / 'var' / 'audit.sqlite'}", f"Audit:   {folder / 'var' / 'audit.sqlite'}")
    reports = folder / "var" / "reports"
    show(f"รายงาน และไฟล์ Excel สำหรับแก้ไข: {reports}", f"Report, and a workbook to mend what did not go: {reports}")
    # That some made-up records need a person is what the demo is to show.
    return Exit.OK if code is Exit.NEEDS_A_PERSON else code


def _clear(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()) and not (folder / CONFIG_FILE).is_file():
        raise ConfigurationError(
            Message(
                f"โฟลเดอร์ {folder} มีไฟล์อื่นอยู่ กรุณาเลือก --folder อื่น",
                f"The folder {folder} holds something else: choose another --folder.",
            )
        )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _configure(folder: Path, language: Language, his: str, token_url: str, api_url: str, account: Account) -> None:
    """The demo's own settings, as a hospital would write them; the environment's are ignored."""
    config, codes = folder / CONFIG_FILE, folder / "codes"
    # The real rates are of one fiscal year; the made-up fund pays in any.
    shutil.copytree(CODES_FOLDER, codes)
    config.write_text(
        f'language = "{language}"\n\n[his]\nurl = "{his}"\n\n'
        f'[api]\nenvironment = "sandbox"\ntoken_url = "{token_url}"\napi_url = "{api_url}"\n'
        f'username = "{account.username}"\n\n[transform]\ncodes_folder = "{codes.as_posix()}"\n',
        encoding="utf-8",
    )
    (folder / ".env").write_text(
        f"MOPH_CLAIM_API__PASSWORD='{account.password}'\nMOPH_CLAIM_API__SECRET_KEY='{account.secret_key}'\n",
        encoding="utf-8",
    )
    use_only(config)
