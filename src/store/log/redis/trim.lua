-- Drops the groups that end before a number. KEYS: head, log. ARGV: our epoch, the least id kept.
-- Answers the epoch found. A process that was fenced drops nothing.
local epoch = redis.call('HGET', KEYS[1], 'epoch') or '0'
if tonumber(epoch) <= tonumber(ARGV[1]) then
  redis.call('XTRIM', KEYS[2], 'MINID', '=', ARGV[2])
end
return { epoch }
