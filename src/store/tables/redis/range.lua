-- Reads a range of an ordered table: keys and values of one moment.
-- KEYS: head, sorted set of keys, hash of values if it has any. ARGV: start and end as ZRANGE BYLEX
-- takes them, "forwards" or "backwards", at most so many rows.
-- Answers the store's instance, the keys, then their values in the same order; of an index none.
local instance = redis.call('HGET', KEYS[1], 'instance') or ''
local keys
if ARGV[3] == 'backwards' then
  keys = redis.call('ZRANGE', KEYS[2], ARGV[2], ARGV[1], 'BYLEX', 'REV', 'LIMIT', 0, ARGV[4])
else
  keys = redis.call('ZRANGE', KEYS[2], ARGV[1], ARGV[2], 'BYLEX', 'LIMIT', 0, ARGV[4])
end

if not KEYS[3] then
  return { instance, keys, {} }
end

-- Lua hands at most some 8,000 arguments to one call.
local MOST = 4000

local values = {}
for at = 1, #keys, MOST do
  local found = redis.call('HMGET', KEYS[3], unpack(keys, at, math.min(at + MOST - 1, #keys)))
  for nth = 1, #found do
    values[#values + 1] = found[nth]
  end
end
return { instance, keys, values }
