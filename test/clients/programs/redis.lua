-- lua-redis with its default options:  lua5.1 redis.lua PORT

local redis = require 'redis'

local function same(wanted, got, what)
  if wanted ~= got then
    io.stderr:write(what .. ': expected ' .. tostring(wanted) .. ', got ' .. tostring(got) .. '\n')
    os.exit(1)
  end
end

local client = redis.connect('127.0.0.1', tonumber(arg[1]))
same(true, client:ping(), 'ping')
client:flushdb()
same(true, client:set('k', 'v'), 'set')
same('v', client:get('k'), 'get')
same(nil, client:get('missing'), 'get of nothing')
same(true, client:setex('t', 100, 'w'), 'setex')
same(true, client:ttl('t') > 90, 'ttl')
same(false, client:setnx('k', 'w'), 'setnx')
same(42, client:incrby('n', 42), 'incrby')
same('v', client:getset('k', 'x'), 'getset')
same(true, client:mset('a', '1', 'b', '2'), 'mset')
local values = client:mget('a', 'b')
same('12', values[1] .. values[2], 'mget')
same(2, client:append('a', 'x'), 'append')
same('x', client:getrange('a', 1, -1), 'getrange')
same('x', client:substr('a', 1, 1), 'substr')
same(true, client:exists('a'), 'exists')
same(true, client:rename('b', 'c'), 'rename')
same(true, client:expire('c', 100), 'expire')
same(true, client:persist('c'), 'persist')
same('string', client:type('c'), 'type')
local bytes = {}
for i = 0, 255 do bytes[#bytes + 1] = string.char(i) end
bytes = table.concat(bytes)
client:set('bytes', bytes)
same(bytes, client:get('bytes'), 'binary')

local replies = client:pipeline(function(p)
  for i = 1, 2000 do p:set('p:' .. i, i) end
end)
same(2000, #replies, 'pipeline')
local results = client:transaction(function(t)
  t:set('m', 1)
  t:incr('m')
end)
same(2, results[2], 'transaction')
local count = 0
for _ in pairs(client:keys('p:*')) do count = count + 1 end
same(2000, count, 'keys')
same(2007, client:dbsize(), 'dbsize')
same(false, pcall(function() client:incr('k') end), 'incr of a text')
same('string', type(client:info().server and client:info().server.redis_version or client:info().redis_version), 'info')

local heard = {}
local publisher = redis.connect('127.0.0.1', tonumber(arg[1]))
for message, abort in client:pubsub({ subscribe = { 'news' } }) do
  if message.kind == 'subscribe' then
    same(1, publisher:publish('news', 'hello'), 'publish')
  elseif message.kind == 'message' then
    heard[#heard + 1] = message.payload
    abort()
  end
end
same('hello', heard[1], 'message')
print('ok')
