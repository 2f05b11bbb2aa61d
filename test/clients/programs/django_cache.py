"""django-redis as Django's cache and session store:  django_cache.py PORT.  Its incr and its locks are scripts, so those cannot work."""

import sys

from django.conf import settings

PORT = int(sys.argv[1])
settings.configure(
    CACHES={
        name: {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{PORT}/{database}",
            "OPTIONS": {"CLIENT_CLASS": "django_redis.client.DefaultClient", **options},
        }
        for name, database, options in [
            ("default", 1, {}),
            ("small", 2, {"COMPRESSOR": "django_redis.compressors.zlib.ZlibCompressor"}),
        ]
    },
    SESSION_ENGINE="django.contrib.sessions.backends.cache",
    INSTALLED_APPS=["django.contrib.sessions"],
    SECRET_KEY="not for use",
)
import django

django.setup()
from django.contrib.sessions.backends.cache import SessionStore
from django.core.cache import cache, caches
from django_redis import get_redis_connection

for store in (cache, caches["small"]):
    store.clear()
    assert store.get("missing", "default") == "default"
    assert store.set("k", {"deep": [1, 2.5, "three", None]}, timeout=100)
    assert store.get("k") == {"deep": [1, 2.5, "three", None]}
    assert 90 < store.ttl("k") <= 100
    assert store.add("k", 1) is False and store.add("new", 1) is True
    assert store.set("k", 2, nx=True) is None or store.get("k") != 2
    store.set_many({"a": 1, "b": "two", "c": b"\x00\xff"}, timeout=60)
    assert store.get_many(["a", "b", "c", "none"]) == {"a": 1, "b": "two", "c": b"\x00\xff"}
    assert store.has_key("a") and "none" not in store
    assert store.touch("a", 1000) and store.ttl("a") > 900
    assert store.persist("a") and store.ttl("a") is None
    assert store.expire("a", 50) and store.pttl("a") <= 50_000
    assert store.get_or_set("computed", lambda: 42) == 42 and store.get("computed") == 42
    assert sorted(store.keys("*")) == ["a", "b", "c", "computed", "k", "new"]
    assert sorted(store.iter_keys("c*")) == ["c", "computed"]
    assert store.delete_pattern("c*") == 2
    assert store.delete("a") and not store.delete("a")
    assert store.delete_many(["b", "k"]) == 2
    assert store.set("gone", 1, timeout=0) is not None and store.get("gone") is None
    assert store.set("versioned", "one", version=1) and store.get("versioned", version=2) is None
    assert store.incr_version("versioned") == 2 and store.get("versioned", version=2) == "one"
    big = "ü" * 1_000_000
    assert store.set("big", big) and store.get("big") == big

session = SessionStore()
session["cart"] = ["apple", "pear"]
session.save()
assert SessionStore(session.session_key)["cart"] == ["apple", "pear"]
session.flush()
assert SessionStore(session.session_key).get("cart") is None

raw = get_redis_connection("default")
assert raw.info()["redis_version"]
cache.set("n", 1)
try:
    assert cache.incr("n") == 2  # a server with scripts
except Exception as error:
    assert "unknown command" in str(error).lower(), error  # one without says so plainly
print("ok")
