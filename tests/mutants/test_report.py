"""The report of mutants says why each of them lives."""

from tests.mutants.report import REPORT, UNKNOWN, change_of, function_of, reason_of

DIFF = """\
--- src/countermark/jobs/outbox.py
+++ src/countermark/jobs/outbox.py
@@ -1,3 +1,3 @@
 def send(own):
-    log.warning("left", count=1)
+    log.warning("XXleftXX", count=1)
"""


def test_a_change_is_one_line_and_has_a_reason() -> None:
    change = change_of(DIFF)
    assert change == '`log.warning("left", count=1)` → `log.warning("XXleftXX", count=1)`'
    assert reason_of(change) == "It is only what a log or a list of threads says"
    assert reason_of("`a = 1` → `a = 2`") == UNKNOWN
    assert change_of("\n\n-    case _:\n-        return 1") == "`case _: return 1` → nothing"


def test_a_function_is_named_as_people_name_it() -> None:
    assert function_of("infra.connector.upkeep.xǁUpkeepǁstart__mutmut_3") == "Upkeep.start"
    assert function_of("countermark.jobs.outbox.x_send__mutmut_14") == "send"


def test_every_living_mutant_of_the_report_has_a_reason() -> None:
    assert UNKNOWN not in REPORT.read_text(encoding="utf-8")
