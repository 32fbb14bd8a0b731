"""The table of faults for a page of the documentation: PYTHONPATH=_utils python -m tests.lab.faults."""

import json

from .matrix import RESULT, RIGHT

print("| profile | fault | reason shown | s until the update ended | lost | the next update |")
print("|---|---|---|---|---|---|")
for row in json.loads(RESULT.read_text()):
    none = f"none, ended with {row['status']}" if row["status"] else "none, went through"
    reason, lost = row["reason"] or none, ", ".join(row["lost"]) or "nothing"
    after = row["next_run"] if row["verdict"] == RIGHT else f"**{row['verdict']}**, {row['next_run']}"
    print(f"| {row['profile']} | {row['fault']} | {reason} | {row['noticed']:.0f} | {lost} | {after} |")
