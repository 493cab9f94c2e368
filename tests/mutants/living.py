"""Why mutants live: a pattern of file and change, as report.md shows them, and the reason; the first one counts."""

WORDS = "SELECT|FROM|UPDATE|WHERE|INSERT|VALUES|DELETE|AND|AS|ORDER BY"
REASONS = {
    r"`log\.|\] != \"changed|bind_contextvars|reconcile/(sweep|store).py: `\"|name=\"(XX)?leases|name=None": (
        "It is only what a log or a list of threads says"
    ),
    r"raise [\w.]+\(|, \"problem\": f|This request says|`\"Send multipart": (
        "It is only the wording of a sentence for people; tests look at its code"
    ),
    rf"\b({WORDS})\b.* → .*\b({WORDS.lower()})\b": "It is the same: SQL has no case",
    r"strict=": "It is the same: both sides are always as long, and `strict` says so",
    r"headers|Header|cp866": "It is the same: names of headers and of encodings have no case",
    r"ZipFile\(sink, \"w\", \)|`max_deliver=-1,` → nothing": "It is the same: where nothing is said, this is taken",
    r"jobs/rows.py: `return \", \".join": "It is done while the module is imported, before a mutant is chosen",
    r"result_bytes or 1|value > 100|_head = None|XX\. \*>XX|delivery - 1, 11": "It is the same in all cases that are",
    r"size <= 0|at - RECORD": "It is the same in all cases that are",
    r"MAX_TABLE_BYTES|\* 1001": "It is the last value of a limit, and one more or less harms nobody",
    r"END.pack": "It is only looked at whether this can be read at all",
    r"schedule or function": "It is the same: a stack.yml that has only one of them is refused before",
    r"its_archive, None": "It is the same: no ZIP has an ETag like either of them",
    r"pages.py: `(return \"none|def render_job|failures = )": "Only tests of the pages in a browser look at it",
    r"return russian if": "No quick test has a name in an old encoding with letters of neither alphabet",
    r"surrogateescape": "Only a test that runs the connector as a program of its own sends such bytes",
}
