<?php
// phpredis with its default options, and PHP's sessions on it:  php phpredis.php PORT

function same($wanted, $got, string $what): void {
    if ($wanted !== $got) {
        fwrite(STDERR, "$what: expected " . var_export($wanted, true) . ', got ' . var_export($got, true) . "\n");
        exit(1);
    }
}

$port = (int) $argv[1];
$redis = new Redis();
same(true, $redis->connect('127.0.0.1', $port), 'connect');
same(true, $redis->ping(), 'ping');
same(true, $redis->flushDB(), 'flushDB');
same(true, $redis->set('k', 'v'), 'set');
same('v', $redis->get('k'), 'get');
same(false, $redis->get('missing'), 'get of nothing');
same(false, $redis->set('k', 'w', ['nx', 'ex' => 100]), 'set nx');
same(true, $redis->setex('t', 100, 'w'), 'setex');
same(true, $redis->ttl('t') > 90, 'ttl');
same(true, $redis->psetex('pt', 100000, 'w'), 'psetex');
same(42, $redis->incrBy('n', 42), 'incrBy');
same(42.5, $redis->incrByFloat('n', 0.5), 'incrByFloat');
same('v', $redis->getSet('k', 'x'), 'getSet');
same(true, $redis->mset(['a' => '1', 'b' => '2']), 'mset');
same(['1', false, '2'], $redis->mget(['a', 'none', 'b']), 'mget');
same(2, $redis->append('a', 'x'), 'append');
same('x', $redis->getRange('a', 1, -1), 'getRange');
same(0, $redis->setBit('bits', 7, true), 'setBit');
same(1, $redis->bitCount('bits'), 'bitCount');
same(true, $redis->rename('b', 'c'), 'rename');
same(1, $redis->exists('c'), 'exists');
same(true, $redis->expire('c', 100), 'expire');
same(true, $redis->persist('c'), 'persist');
same(1, $redis->del('c'), 'del');
$bytes = implode('', array_map('chr', range(0, 255)));
same(true, $redis->set($bytes, $bytes), 'binary set');
same($bytes, $redis->get($bytes), 'binary get');
same('raw', $redis->object('encoding', $bytes), 'object encoding');

same([true, 2, '2'], $redis->multi()->set('m', '1')->incr('m')->get('m')->exec(), 'multi');
$other = new Redis();
$other->connect('127.0.0.1', $port);
$redis->watch('m');
$other->set('m', '9');
same(false, $redis->multi()->set('m', '3')->exec(), 'watch');
$pipeline = $redis->multi(Redis::PIPELINE);
for ($i = 0; $i < 10000; $i++) $pipeline->set("p:$i", $i);
same(10000, count(array_filter($pipeline->exec())), 'pipeline');
$redis->setOption(Redis::OPT_SCAN, Redis::SCAN_RETRY);
$seen = [];
$cursor = null;
while ($keys = $redis->scan($cursor, 'p:*', 500)) foreach ($keys as $key) $seen[$key] = true;
same(10000, count($seen), 'scan');

same(false, $redis->incr('k'), 'incr of a text');
same(true, str_contains($redis->getLastError(), 'not an integer'), 'getLastError');
same(true, isset($redis->info()['redis_version']), 'info');
same('v', (function () use ($redis) {
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_PHP);
    $redis->set('object', ['deep' => 'v']);
    $value = $redis->get('object')['deep'];
    $redis->setOption(Redis::OPT_SERIALIZER, Redis::SERIALIZER_NONE);
    return $value;
})(), 'serializer');
$dump = $redis->dump('k');
same(true, $redis->restore('restored', 0, $dump), 'restore');
same('x', $redis->get('restored'), 'restored');
same(true, $redis->select(3), 'select');
same(false, $redis->get('k'), 'another database');
same(0, $redis->publish('nobody', 'hears'), 'publish');

// Sessions: written, read by another request, destroyed.
ini_set('session.save_handler', 'redis');
ini_set('session.save_path', "tcp://127.0.0.1:$port");
ini_set('session.use_cookies', '0');
ini_set('session.cache_limiter', '');
session_id('casky-session');
same(true, session_start(), 'session_start');
$_SESSION['cart'] = ['apple'];
session_write_close();
$_SESSION = [];
session_start();
same(['apple'], $_SESSION['cart'], 'the session is there');
same(true, session_destroy(), 'session_destroy');
same(0, $other->exists('PHPREDIS_SESSION:casky-session'), 'the session is gone');
echo "ok\n";
