# Makes sure that there is a Chromium for the tests of the pages: the system's, or Playwright's own.
# Argument: the program playwright.
set -eu

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium"
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends chromium >/dev/null; then
        exit 0
    fi
fi
"$1" install chromium || {
    echo "The tests of the pages need Chromium: apt-get install chromium" >&2
    exit 1
}
