-- Says what the log holds, and under which epoch; makes the head when there is none.
-- KEYS: head, log, fence. ARGV: our epoch (0 for none), "raise" or "keep", an instance for a new
-- store, our layout. A store with a higher one isn't taken: nothing is changed in it.
-- Answers epoch, instance, first, last, the layout found. Numbers are compared as numbers and
-- written as texts: Lua would write a large one as 1e+15.
local head, log = KEYS[1], KEYS[2]
local found = redis.call('HGET', head, 'epoch') or '0'
local layout = redis.call('HGET', head, 'layout') or '0'
local ours = tonumber(ARGV[1])
if ARGV[2] == 'raise' then
  if tonumber(layout) > tonumber(ARGV[4]) then
    return { found, '0', '0', '0', layout }
  end
  redis.call('SET', KEYS[3], redis.call('HINCRBY', head, 'epoch', 1))
  redis.call('HSET', head, 'layout', ARGV[4])
elseif tonumber(found) < ours then
  -- The server lost our taking. Nobody took after us, so what we hold is still the newest.
  redis.call('HSET', head, 'epoch', ARGV[1], 'layout', ARGV[4])
  redis.call('SET', KEYS[3], ARGV[1])
elseif tonumber(found) > ours then
  return { found, '0', '0', '0', layout }
end
redis.call('HSETNX', head, 'instance', ARGV[3])
redis.call('HSETNX', head, 'last', '0')
local facts = redis.call('HMGET', head, 'epoch', 'instance', 'last')
local oldest = redis.call('XRANGE', log, '-', '+', 'COUNT', 1)[1]
local first = oldest and oldest[2][2] or string.format('%.0f', tonumber(facts[3]) + 1)
return { facts[1], facts[2], first, facts[3], layout }
