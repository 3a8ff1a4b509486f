"""Superset beside a spsetl warehouse: what it keeps lies in one private folder, and nothing calls home.

The folder is SUPERSET_HOME (`superset-home` where that is not set). Superset reads this file by SUPERSET_CONFIG_PATH.
"""

import os
import secrets
from pathlib import Path

HOME = Path(os.environ.get("SUPERSET_HOME", "superset-home")).absolute()
HOME.mkdir(parents=True, exist_ok=True)
HOME.chmod(0o700)


def kept_secret(name: str) -> str:
    """The secret of that name in the folder, made when it is first asked for; only the owner can read it."""
    file = HOME / name
    if not file.exists():
        partial = HOME / f"{name}.{os.getpid()}"
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
            stream.write(secrets.token_urlsafe(48))
        # Of two that start at once one is first, and both read what that one wrote.
        try:
            os.link(partial, file)
        except FileExistsError:
            pass
        finally:
            partial.unlink()
    return file.read_text(encoding="utf-8").strip()


SECRET_KEY = os.environ.get("SUPERSET_SECRET_KEY") or kept_secret("secret-key")
# Users, dashboards and their settings; the warehouse is never written to. PostgreSQL is better for many users.
SQLALCHEMY_DATABASE_URI = os.environ.get("SUPERSET_METADATA_URI") or f"sqlite:///{HOME / 'superset.db'}"

# Each question is asked of the newest published file: no answer is kept, and Superset closes each connection after use.
CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}
DATA_CACHE_CONFIG = {"CACHE_TYPE": "NullCache"}

# Browsers load nothing from elsewhere: no pixel that counts, no map tiles, no fonts.
TALISMAN_CONFIG = {
    "content_security_policy": {
        "default-src": ["'self'"],
        "base-uri": ["'self'"],
        "img-src": ["'self'", "blob:", "data:"],
        "worker-src": ["'self'", "blob:"],
        "connect-src": ["'self'"],
        "object-src": "'none'",
        "style-src": ["'self'", "'unsafe-inline'"],
        "font-src": ["'self'"],
        "script-src": ["'self'", "'strict-dynamic'"],
    },
    "content_security_policy_nonce_in": ["script-src"],
    "force_https": False,  # a proxy in front of it does TLS
    "session_cookie_secure": False,
}
RATELIMIT_STORAGE_URI = "memory://"
