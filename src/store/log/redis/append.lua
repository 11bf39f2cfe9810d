-- Appends a group, all of it or nothing, when epoch and number are right.
-- KEYS: head, log. ARGV: our epoch, number of the first entry, of the last one, the entries.
-- Answers the epoch found, then "done", "gap" or "overlap", then the last number found.
local head, log = KEYS[1], KEYS[2]
local facts = redis.call('HMGET', head, 'epoch', 'last', 'bytes')
local epoch, last, bytes = facts[1] or '0', facts[2] or '0', facts[3] or '0'
local ours, first = tonumber(ARGV[1]), tonumber(ARGV[2])
if tonumber(epoch) > ours then
  return { epoch, 'fenced', last }
end
-- A lower epoch: the server lost our taking, and perhaps more. It must be looked at again first.
if tonumber(epoch) < ours or first > tonumber(last) + 1 then
  return { epoch, 'gap', last }
end
if tonumber(ARGV[3]) <= tonumber(last) then
  return { epoch, 'done', last }
end
if first <= tonumber(last) then
  return { epoch, 'overlap', last }
end
redis.call('XADD', log, ARGV[3] .. '-0', 'f', ARGV[2], 'c', bytes, 'g', ARGV[4])
redis.call('HINCRBY', head, 'bytes', #ARGV[4])
redis.call('HSET', head, 'last', ARGV[3])
return { epoch, 'done', ARGV[3] }
