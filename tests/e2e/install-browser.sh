#!/bin/sh
# Install what the browser tests need where this user may; they skip with a reason where it is missing.
set -u
cd "$(dirname "$0")/../.."
if ! command -v chromium >/dev/null 2>&1 && command -v apt-get >/dev/null 2>&1 && [ "$(id -u)" = 0 ]; then
    echo "installing chromium and fonts"
    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends \
        chromium fonts-noto-cjk >/dev/null || echo "chromium could not be installed: browser tests will be skipped"
fi
if [ ! -f node_modules/axe-core/axe.min.js ] && command -v npm >/dev/null 2>&1; then
    echo "installing axe-core"
    npm install --no-save --no-package-lock --no-audit --no-fund --silent axe-core@4.14.1 ||
        echo "axe-core could not be installed: accessibility tests will be skipped"
fi
exit 0
