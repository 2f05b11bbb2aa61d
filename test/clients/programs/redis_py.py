"""redis-py with its default options against a server:  redis_py.py PORT.  Exits non-zero at the first wrong answer."""

import sys

import redis

client = redis.Redis(port=int(sys.argv[1]))
assert client.ping()
client.flushdb()
assert client.set("k", "v") is True
assert client.get("k") == b"v"
assert client.get("missing") is None
assert client.set("k", "w", nx=True) is None
assert client.set("t", "w", px=100_000) is True
assert 90 < client.ttl("t") <= 100
assert client.incrby("n", 42) == 42
assert client.mset({"a": 1, "b": 2})
assert client.mget("a", "missing", "b") == [b"1", None, b"2"]
assert client.set(bytes(range(256)), bytes(range(256)))
assert client.get(bytes(range(256))) == bytes(range(256))
assert client.set("big", b"x" * (5 << 20)) and client.strlen("big") == 5 << 20
assert len(client.get("big")) == 5 << 20

pipeline = client.pipeline()  # MULTI/EXEC
pipeline.set("m", 1).incr("m").get("m")
assert pipeline.execute() == [True, 2, b"2"]
pipeline = client.pipeline(transaction=False)
for i in range(10_000):
    pipeline.set(f"p:{i}", i)
assert all(pipeline.execute())
assert len(set(client.scan_iter(match="p:*", count=500))) == 10_000
assert client.dbsize() == 10_000 + 8

with client.pipeline() as watching:
    watching.watch("m")
    client.set("m", 9)
    watching.multi()
    watching.set("m", 3)
    try:
        watching.execute()
        raise SystemExit("a watched key had changed and the transaction ran")
    except redis.WatchError:
        pass

try:
    client.incr("k")
    raise SystemExit("INCR of a text did not fail")
except redis.ResponseError as error:
    assert "not an integer" in str(error)

assert client.info()["redis_version"]
assert client.config_get("maxclients")["maxclients"]
assert client.client_setname("smoke") and client.client_getname() in ("smoke", b"smoke")
assert any(one["name"] == "smoke" for one in client.client_list())
assert redis.Redis(port=int(sys.argv[1]), db=3).dbsize() >= 0
print("ok")
