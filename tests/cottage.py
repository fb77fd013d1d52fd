"""COTTAGE, the invented HIS of `docs/new-his.md`: its folder, its day, and its database on any server."""

from datetime import date
from pathlib import Path

import sqlalchemy as sa

FOLDER = Path(__file__).parents[1] / "data" / "samples" / "his" / "cottage"
FIRST_DAY, SECOND_DAY = date(2026, 5, 14), date(2026, 5, 15)


def build_cottage(url: str, more: str = "") -> None:
    """Run `database.sql`, and further statements of the test, on an empty database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        for statement in ((FOLDER / "database.sql").read_text(encoding="utf-8") + more).split(";\n"):
            if statement.strip():
                connection.exec_driver_sql(
                    statement.replace("%", "%%") if engine.dialect.name != "sqlite" else statement
                )
    engine.dispose()
