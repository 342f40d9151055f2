"""Compares two SQLite files of a service row by row: compare_databases.py FIRST SECOND. Prints how many rows each table has; exit code 1
and the first difference if they differ. Where rows lie in the file does not count, nor when a schema was applied."""

import sqlite3
import sys


def tables(path):
    database = sqlite3.connect(path)
    names = database.execute("SELECT name FROM pragma_table_list WHERE schema = 'main' AND type IN ('table', 'virtual')")
    content = {}
    for name in sorted(name for (name,) in names if not name.startswith("sqlite_") and name != "schema_migration"):
        virtual = database.execute("SELECT sql LIKE 'CREATE VIRTUAL%' FROM sqlite_schema WHERE name = ?", [name]).fetchone()[0]
        columns = "rowid, *" if virtual else "*"
        content[name] = sorted(database.execute(f'SELECT {columns} FROM "{name}"').fetchall(), key=repr)
    database.close()
    return content


first, second = (tables(path) for path in sys.argv[1:3])
if first.keys() != second.keys():
    sys.exit(f"other tables: {sorted(first.keys() ^ second.keys())}")
for name, rows in first.items():
    if rows != second[name]:
        different = next((pair for pair in zip(rows, second[name]) if pair[0] != pair[1]), "one has more rows")
        sys.exit(f"{name}: {len(rows)} and {len(second[name])} rows: {different}")
    print(f"{name} {len(rows)}")
