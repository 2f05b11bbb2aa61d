# redis-rb with its default options:  ruby redis.rb PORT

require 'redis'

def same(wanted, got, what)
  abort "#{what}: expected #{wanted.inspect}, got #{got.inspect}" unless wanted == got
end

port = Integer(ARGV[0])
redis = Redis.new(port: port)
same 'PONG', redis.ping, 'ping'
redis.flushdb
same 'OK', redis.set('k', 'v'), 'set'
same 'v', redis.get('k'), 'get'
same nil, redis.get('missing'), 'get of nothing'
same false, redis.set('k', 'w', nx: true), 'set nx'
same 'OK', redis.set('t', 'w', px: 100_000), 'set px'
same true, redis.ttl('t') > 90, 'ttl'
same 42, redis.incrby('n', 42), 'incrby'
same 42.5, redis.incrbyfloat('n', 0.5), 'incrbyfloat'
same 'OK', redis.mset('a', '1', 'b', '2'), 'mset'
same ['1', nil, '2'], redis.mget('a', 'none', 'b'), 'mget'
same({ 'a' => '1', 'b' => '2' }, redis.mapped_mget('a', 'b'), 'mapped_mget')
same '1', redis.getset('a', '5'), 'getset'
same '5', redis.getdel('a'), 'getdel'
same true, redis.expire('b', 100), 'expire'
same true, redis.persist('b'), 'persist'
same 0, redis.setbit('bits', 7, 1), 'setbit'
same 1, redis.bitcount('bits'), 'bitcount'
same true, redis.pfadd('visitors', %w[a b c]), 'pfadd'
same 3, redis.pfcount('visitors'), 'pfcount'
bytes = (0..255).to_a.pack('C*')
redis.set(bytes, bytes)
same bytes, redis.get(bytes).b, 'binary'

same ['OK', 2, '2'], redis.multi { |t| t.set('m', 1); t.incr('m'); t.get('m') }, 'multi'
other = Redis.new(port: port, db: 0)
changed = redis.watch('m') do
  other.set('m', 9)
  redis.multi { |t| t.set('m', 3) }
end
same nil, changed, 'watch'
same 10_000, redis.pipelined { |p| 10_000.times { |i| p.set("p:#{i}", i) } }.count('OK'), 'pipelined'
same 10_000, redis.scan_each(match: 'p:*', count: 500).to_a.uniq.size, 'scan_each'
begin
  redis.incr('k')
  abort 'incr of a text did not fail'
rescue Redis::CommandError => e
  same true, e.message.include?('not an integer'), 'the error'
end

heard = []
ready = Queue.new
subscriber = Thread.new do
  Redis.new(port: port).psubscribe('news:*') do |on|
    on.psubscribe { ready << true }
    on.pmessage do |_, channel, message|
      heard << [channel, message]
      Thread.current[:done] = true if message == 'end'
      redis_done = message == 'end'
      raise StopIteration if redis_done
    end
  end
rescue StopIteration
  nil
end
ready.pop
same 1, redis.publish('news:1', 'first'), 'publish'
redis.publish('news:2', 'end')
subscriber.join(20) or abort 'the subscriber heard nothing'
same [%w[news:1 first], %w[news:2 end]], heard, 'pmessage'

same true, redis.info['redis_version'].size > 2, 'info'
same true, redis.config(:get, 'maxclients').key?('maxclients'), 'config get'
same 0, Redis.new(port: port, db: 3).exists('k'), 'another database'
puts 'ok'
