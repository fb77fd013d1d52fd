"""`python -m bench`: every figure of docs/performance.md, measured in one go on this machine.

Options: --claims N (end to end, default 5000), --quick (a tenth of it, to see that it works); --workbook, --night-cost,
--year (only that one); --fingerprint (hashes of claims and issues, to compare two versions).
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

import requests
import urllib3

from bench.environment import (
    CONNECTIONS,
    Hospital,
    build,
    configure,
    database_for_audit,
    empty_audit,
    moph_claim,
    run_flow,
)
from bench.fingerprint import fingerprint
from bench.night_cost import (
    HEADS,
    NO_HISTORY,
    OPEN_DAYS,
    OPEN_HEADS,
    OPEN_VISITS,
    SYSTEMS,
    large_hospital,
    measure,
    measure_open,
    open_row,
    table_row,
)
from bench.workbook_file import write_month
from core.clock import today
from extract.contract import TABLES
from extract.settings import HisSettings
from extract.source import open_source
from load.account_center import credentials
from load.settings import ApiSettings
from sandbox.his import DENSE, VisitMix
from sandbox.process import Sandbox
from sandbox.world import Account
from transform.claim import KINDS, Claim
from transform.claims import make_claims, wanted

LARGE = 2740
"""Visits a day of a large hospital: a million a year."""
FISCAL_YEAR = VisitMix(dm=0.05, ht=0.025, epi=0.03, dt=0.015)
"""The reasons of its visits: 150,000 of the million are claims."""


def main() -> None:
    """Measure and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--claims", type=int, default=5000)
    options.add_argument("--quick", action="store_true")
    single = options.add_mutually_exclusive_group()
    for name in MEASUREMENTS:
        single.add_argument(f"--{name}", dest="measurement", action="store_const", const=name)
    arguments = options.parse_args()
    if arguments.measurement:
        with tempfile.TemporaryDirectory() as temporary:
            MEASUREMENTS[arguments.measurement](Path(temporary), arguments.quick)
        return
    target = arguments.claims // 10 if arguments.quick else arguments.claims
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        night = build(folder / "night", days=1, visits_a_day=int(target * 0.8), mix=DENSE)
        claims, seconds = transform(night)
        print(f"\nOne night of {len(claims):,} claims, {CONNECTIONS} connections\n")
        print(f"transform: {len(claims) / seconds:,.0f} claims/s ({seconds:.2f} s)\n")
        for latency_ms in (0, 150):
            end_to_end(folder, night, claims, latency_ms)
        ledger(folder, night, len(claims))
        memory(folder, (1, 7, 14) if arguments.quick else (1, 7, 60))
        for measurement in (workbook, night_cost, year):
            measurement(folder, arguments.quick)


def transform(hospital: Hospital) -> tuple[tuple[Claim, ...], float]:
    """The night's claims, and how many seconds transform takes for them: the best of three."""
    with open_source(HisSettings(url=hospital.url)) as source:
        hcode = source.facility().hcode
        tables = source.read_day(hospital.last, wanted(KINDS))
    times = []
    for _ in range(3):
        started = time.perf_counter()
        made = make_claims(tables, kinds=KINDS, hcode=hcode, history=NO_HISTORY)
        times.append(time.perf_counter() - started)
    return made.claims, min(times)


def end_to_end(folder: Path, hospital: Hospital, claims: Sequence[Claim], latency_ms: int) -> None:
    """Compare the real flow with a plain loop and a bare pool: the same payloads, the same server."""
    rates: dict[str, float] = {}
    with moph_claim(latency_ms) as sandbox:
        # The loop waits for every answer, so a few claims are enough to measure its rate.
        few = claims[: max(50, len(claims) // 50)] if latency_ms else claims
        rates["plain loop, one at a time"] = _rate(lambda: plain_loop(sandbox, few), len(few))
        sandbox.reset()
        rates["bare connection pool"] = _rate(lambda: bare_pool(sandbox, claims), len(claims))
        sandbox.reset()
        config = configure(folder / f"latency-{latency_ms}", hospital, sandbox)
        result = run_flow(config, hospital)
        accepted = sandbox.stats()["accepted"]
    rates["the nightly run"] = len(claims) / float(str(result["seconds"]))
    ours = rates["the nightly run"]
    print(f"latency {latency_ms} ms: the run took {result['seconds']:.1f} s, {accepted:,} accepted")
    rows = [[name, f"{rate:,.0f}", f"{ours / rate:.2f}"] for name, rate in rates.items()]
    if latency_ms:
        limit = CONNECTIONS * 1000 / latency_ms
        rows.append(["what latency and connections allow", f"{limit:,.0f}", f"{ours / limit:.2f}"])
    _print_table(["", "claims/s", "the run is"], rows)


def _rate(work: Callable[[], None], claims: int) -> float:
    started = time.perf_counter()
    work()
    return claims / (time.perf_counter() - started)


def _headers(sandbox: Sandbox) -> dict[str, str]:
    account = Account()
    settings = ApiSettings(username=account.username, password=account.password, secret_key=account.secret_key)
    body = credentials(settings, account.hospital_code)
    token = requests.post(sandbox.token_url, json=body, timeout=30).text
    return {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "User-Agent": "bench"}


def _path(claim: Claim) -> str:
    return f"/api/v1/opd/service-admissions/{claim.service}"


def plain_loop(sandbox: Sandbox, claims: Iterable[Claim]) -> None:
    """Send one claim after the other, each over a new connection, as hospitals' home-made programs do."""
    headers = _headers(sandbox)
    for claim in claims:
        answer = requests.post(sandbox.api_url + _path(claim), data=claim.payload, headers=headers, timeout=90)
        assert answer.status_code == 200


def bare_pool(sandbox: Sandbox, claims: Iterable[Claim]) -> None:
    """Send the same payloads over persistent connections, without ledger, rules and retries: the upper limit."""
    headers = _headers(sandbox)
    pool = urllib3.HTTPConnectionPool("127.0.0.1", sandbox.port, maxsize=CONNECTIONS, block=True)
    remaining = iter(claims)
    lock = threading.Lock()

    def post() -> None:
        while True:
            with lock:
                claim = next(remaining, None)
            if claim is None:
                return
            assert pool.request("POST", _path(claim), body=claim.payload, headers=headers).status == 200

    with ThreadPoolExecutor(CONNECTIONS) as threads:
        for done in [threads.submit(post) for _ in range(CONNECTIONS)]:
            done.result()


def ledger(folder: Path, hospital: Hospital, claims: int) -> None:
    """Measure what the audit costs: the real flow without latency, its audit in memory, in a file, on a server."""
    with ExitStack() as stack:
        audits = {"in memory": "sqlite:///:memory:", "a SQLite file": ""}
        if postgresql := stack.enter_context(database_for_audit()):
            audits["PostgreSQL"] = postgresql
        sandbox = stack.enter_context(moph_claim())
        seconds: dict[str, list[float]] = {name: [] for name in audits}
        # In turns, and the best of each, so that other load on the machine affects all alike.
        for turn in range(3):
            for name, url in audits.items():
                sandbox.reset()
                config = configure(folder / f"audit-{turn}-{name}", hospital, sandbox, url)
                seconds[name].append(float(str(run_flow(config, hospital)["seconds"])))
                assert sandbox.stats()["accepted"] == claims
                if url == postgresql:
                    empty_audit(url)
    rates = {name: claims / min(some) for name, some in seconds.items()}
    print(f"audit, latency 0 ms, {CONNECTIONS} connections, best of three")
    _print_table(
        ["audit", "claims/s", "of the rate in memory"],
        [[name, f"{rate:,.0f}", f"{rate / rates['in memory']:.2f}"] for name, rate in rates.items()],
    )


def memory(folder: Path, lengths: tuple[int, ...]) -> None:
    """Measure the run's peak memory for windows of different length with the same number of visits a day."""
    peaks = {}
    for days in lengths:
        hospital = build(folder / f"days-{days}", days=days, visits_a_day=300)
        with moph_claim() as sandbox:
            result = run_flow(configure(folder / f"days-{days}", hospital, sandbox), hospital)
        peaks[days] = float(str(result["memory_mb"]))
    first = peaks[lengths[0]]
    print("peak memory of the run, 300 visits a day")
    _print_table(
        ["days", "MB", "of one day's"], [[f"{d}", f"{mb:.0f}", f"{mb / first:.2f}"] for d, mb in peaks.items()]
    )


def workbook(folder: Path, quick: bool) -> None:
    """Compare the import of a large workbook (dry run, with its result) with pandas reading the same file."""
    rows, days = 5_000 if quick else 50_000, 30
    hospital = build(folder / "workbook", days=days, visits_a_day=rows // days, mix=DENSE)
    file, result = folder / "claims.xlsx", folder / "claims.result.xlsx"
    written = write_month(file, hospital, rows)
    config = folder / "moph-claim.toml"
    config.write_text('[facility]\nhcode = "10953"\nname = "โรงพยาบาลตัวอย่าง"\n', encoding="utf-8")
    ours = _in_child("import_child", str(config), str(file), str(result))
    pandas = _in_child("import_child", str(file))
    print(f"a workbook of {written:,} rows, {file.stat().st_size / 1e6:.1f} MB, {ours['claims']:,.0f} claims, dry run")
    parts = {"reading": "reading", "rows to claims": "making", "the ledger": "ledger", "the result workbook": "writing"}
    table = [["pandas with openpyxl, reading alone", pandas["seconds"], pandas["memory_mb"]]]
    table += [["the import, its result among it", ours["seconds"], max(ours["memory_mb"], ours["child_mb"])]]
    lines = [[str(name), f"{s:.1f}", f"{float(s) / pandas['seconds']:.2f}", f"{mb:.0f}"] for name, s, mb in table]
    lines += [
        [f"– {name}", f"{ours[key]:.1f}", f"{ours[key] / pandas['seconds']:.2f}", ""] for name, key in parts.items()
    ]
    _print_table(["", "s", "of pandas'", "MB at most"], lines)


def night_cost(_folder: Path, quick: bool) -> None:
    """Count the rows that a server examines for one night, in a database of two years and 2 million visits."""
    days = 73 if quick else 730
    lines, parts, again = [], [], []
    for system in SYSTEMS:
        for server in system.servers:
            with large_hospital(system, server, days=days, visits_a_day=LARGE) as url:
                if not url:
                    continue
                cost = measure(url, system.kind, today() - timedelta(days=1))
                opened = measure_open(url, system.kind, today() - timedelta(days=1))
            name = f"{system.name}, {server}"
            lines.append(table_row(name, cost))
            parts.append([name, *(f"{cost.examined[table]:,}" for table in TABLES)])
            again.append(open_row(name, opened))
    print(f"one night of {LARGE:,} visits in a database of {days * LARGE:,}")
    _print_table(HEADS, lines)
    _print_table(["rows examined for", *TABLES], parts)
    print(f"{OPEN_VISITS} visits of {OPEN_DAYS} days read again")
    _print_table(OPEN_HEADS, again)


def year(folder: Path, quick: bool) -> None:
    """Measure a dry run over the fiscal year of a large hospital: time a day and memory, early and late."""
    days, sample = (60, 10) if quick else (365, 30)
    hospital = build(folder / "year", days=days, visits_a_day=LARGE, mix=FISCAL_YEAR)
    with moph_claim() as sandbox:
        config = configure(folder / "year", hospital, sandbox)
    result = _in_child("year_child", str(config), f"{hospital.first}", f"{hospital.last}")
    if result["failure"]:
        sys.exit(str(result["failure"]))
    seconds, memory_mb = result["seconds"], result["memory_mb"]
    lines = [
        (f"{name} a day, median of the first and the last {sample}", median(of[:sample]), median(of[-sample:]), ".2f")
        for name, of in (("s", seconds), ("s of its own CPU time", result["cpu_seconds"]))
    ]
    lines += [
        (f"MB at most, {name}", memory_mb[days // 3], late, ".0f")
        for name, late in (
            ("after a third and after two thirds", memory_mb[2 * days // 3]),
            ("after a third and after the last day", memory_mb[-1]),
            ("after a third and after the report", result["end_mb"]),
        )
    ]
    print(
        f"{days} days, {hospital.summary.visits:,} visits, {result['claims']:,} claims, dry run: {sum(seconds):,.0f} s"
    )
    _print_table(
        ["", "early", "late", "late of early"],
        [[name, f"{early:{form}}", f"{late:{form}}", f"{late / early:.2f}"] for name, early, late, form in lines],
    )


def _in_child(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", f"bench.{module}", *arguments], capture_output=True, text=True)
    if done.returncode:
        sys.exit(done.stderr[-2000:])
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _print_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    print("| " + " | ".join(heads) + " |")
    print("|---" + "|--:" * (len(heads) - 1) + "|")
    for row in rows:
        print("| " + " | ".join(row) + " |")
    print()


MEASUREMENTS = {"workbook": workbook, "night-cost": night_cost, "year": year, "fingerprint": fingerprint}
"""The measurements that can be made on their own."""


if __name__ == "__main__":
    main()
