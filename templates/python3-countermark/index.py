"""Serves the function beside this file, or the one in FUNCTION_DIR; countermark.http.serve says how."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    sys.path.insert(0, str(HERE / "function" / "functions"))  # where stack.yml's configuration.copy puts the library
    from countermark.http.serve import serve

    serve(HERE / "function")
